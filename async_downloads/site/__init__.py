"""The site that `serve` serves: a tree of files, the download routes, and files in a database."""

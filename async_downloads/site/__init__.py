"""What is served: a tree of files, the download routes, and files in a database."""

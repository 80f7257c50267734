"""The served site: a tree of files, the download routes, and the process around them."""

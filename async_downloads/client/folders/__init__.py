"""Folders of a server: read their listings, and download their files into a local folder."""

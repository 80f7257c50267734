"""Folders of a server: what they list, and how their files come into a local folder."""

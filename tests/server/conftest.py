"""Fixtures of the site's tests."""

from served_site.conftest import everything, site, site_of, tree

__all__ = ["everything", "site", "site_of", "tree"]

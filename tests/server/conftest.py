"""Fixtures of the site's tests."""

from served_site.conftest import _fast, _kept, everything, site, site_of, tree

__all__ = ["_fast", "_kept", "everything", "site", "site_of", "tree"]

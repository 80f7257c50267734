"""What is served in the tests of the site."""

from served_site.conftest import _fast, _kept, everything, site, site_of, tree

__all__ = ["_fast", "_kept", "everything", "site", "site_of", "tree"]

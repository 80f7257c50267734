"""Sources of bytes. A source is one version of one representation; a store is a collection of them by key."""

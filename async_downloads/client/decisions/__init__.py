"""The decisions of a download, as pure functions and values without I/O."""

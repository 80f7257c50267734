"""Programs that read the list of a folder, which have a page for people and no other interface."""

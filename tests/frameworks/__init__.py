"""Downloads in the frameworks that the documentation names."""

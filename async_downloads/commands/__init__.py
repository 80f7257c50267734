"""Commands that work with files in a database."""

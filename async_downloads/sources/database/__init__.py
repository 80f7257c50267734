"""Stores of files in a database: SQLite, or PostgreSQL with large objects."""

"""Files in a database: SQLite, or PostgreSQL with large objects."""

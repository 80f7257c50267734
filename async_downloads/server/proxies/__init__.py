"""Clients behind proxies: trusted proxies report their addresses."""

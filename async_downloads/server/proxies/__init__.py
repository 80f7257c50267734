"""Clients behind proxies: who they are, by the word of proxies that are trusted."""

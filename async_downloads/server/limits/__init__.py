"""Limits for each client: connections, requests and bytes per second."""

"""Requests and their responses, over httpx."""

"""How much each client may have: connections, requests and bytes per second."""

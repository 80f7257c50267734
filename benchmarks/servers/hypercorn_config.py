"""A setting without an option: Hypercorn closes a connection after 1,000 requests, even with open HTTP/2 streams."""

keep_alive_max_requests = 100_000_000

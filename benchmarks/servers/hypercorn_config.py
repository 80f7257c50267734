"""What Hypercorn has no option for: it closes a connection after 1,000 requests, with whatever HTTP/2 has under way."""

keep_alive_max_requests = 100_000_000

"""The client side: drivers on raw non-blocking sockets, wrk when it is there, and the probe."""

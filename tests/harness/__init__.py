"""What the tests need to look at the package from outside: an ASGI server by hand, a real one, a process's state."""

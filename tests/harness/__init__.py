"""Tools that test the package from outside: an ASGI server driven by hand, real servers, the state of a process."""

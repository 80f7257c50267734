"""How long deciding takes: no server, no file, no socket, only the pure functions every request passes."""

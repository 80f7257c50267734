"""RFC 9110 as pure functions: no I/O, no clock, no randomness, nothing asynchronous.

`plan` is the way in; the other modules each own one kind of field and are used by the client as well.
"""

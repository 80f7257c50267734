"""RFC 9110 as pure functions: no I/O, no clock, no randomness, nothing asynchronous.

Start with `plan`. Each other module handles one kind of field; the client uses these modules too.
"""

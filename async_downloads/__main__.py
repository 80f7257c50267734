"""`python -m async_downloads`."""

from .cli import main

main()

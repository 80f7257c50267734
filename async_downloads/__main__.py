"""The command: `async-downloads`, or `python -m async_downloads`."""

import gc
import signal
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command. Ctrl-C while the modules load ends the process at once and without a traceback.

    If the process was started with SIGINT ignored, it continues to ignore it.
    """
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # until the subcommand is loaded: modules are no garbage, and collecting them takes 10 ms
    from .cli import main as run

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()

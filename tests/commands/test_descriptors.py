"""How many files and connections `async-downloads serve` may have."""

import re
from pathlib import Path

from tools.command import ANY_PORT, COMMAND, running


async def test_it_takes_as_many_descriptors_as_it_may(tmp_path: Path) -> None:
    shell = ("bash", "-c", 'ulimit -S -n 200; ulimit -H -n 3000; exec "$@"', "bash", *COMMAND)
    async with running("serve", tmp_path, *ANY_PORT, command=shell) as command:
        limits = Path(f"/proc/{command.process.pid}/limits").read_text()
        assert re.search(r"Max open files +3000 +3000 ", limits)

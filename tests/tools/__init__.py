"""The command in a process of its own, and the programs of other people that download from it."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.command")

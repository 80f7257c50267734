"""Tests with the command in its own process, and with other download programs."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.command")

"""The served site, over HTTP and as data."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.site")

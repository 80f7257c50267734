"""Flask's download calls on Quart: as Flask does, and what Flask does not have.

The package is not named as what it tests: it would hide Quart itself.
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.parity", f"{__name__}.twins")

"""Flask's download functions on Quart: they behave as in Flask, and do what Flask cannot do.

The package is not named `quart`, because it would then hide Quart itself.
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.parity", f"{__name__}.twins")

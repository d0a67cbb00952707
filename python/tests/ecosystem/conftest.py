import inspect
import os

import pytest

os.environ["SCIPY_ARRAY_API"] = "1"  # read when scipy is imported: without it, scikit-learn leaves checks out


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector, name, obj):
    """Marks coroutines for pytest-asyncio before it collects them."""
    if name.startswith("test") and inspect.iscoroutinefunction(obj):
        pytest.mark.asyncio(obj)

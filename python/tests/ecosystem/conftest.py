import inspect
import os

import pytest

os.environ["SCIPY_ARRAY_API"] = "1"  # read when scipy is imported: without it, scikit-learn leaves checks out


def pytest_collection_modifyitems(items):
    for item in items:
        if inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.asyncio)

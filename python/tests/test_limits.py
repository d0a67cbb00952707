"""Limits of the process that the package is loaded into."""

import subprocess
import sys
import textwrap

import pytest

CODE = """
    import resource, sys
    import numpy as np
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]) << 20, resource.RLIM_INFINITY))
    try:
        import shale
    except ImportError as error:
        assert "MiB of address space" in str(error) and "ulimit -v" in str(error), error
        print("refused")
        sys.exit()
    rows = np.random.default_rng(1).standard_normal((500, 16)).astype(np.float32)
    index = shale.Index(16, "l2", codes="fp32")
    index.add(rows)
    assert (index.search(rows, 3).labels[:, 0] == np.arange(500)).all()
    print("works")
"""


@pytest.mark.parametrize(
    "limit, said", [(300, "refused"), (1000, "refused"), (1400, "refused"), (2300, None), (4000, "works")]
)
@pytest.mark.linux
def test_a_limit_of_address_space_is_an_import_error_or_enough(limit, said):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CODE), str(limit)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[:2000]
    assert done.stdout.strip() == said if said else done.stdout.strip() in ("refused", "works")

from typing import Any

import numpy as np
import numpy.typing as npt

class Filters:
    asks_python: bool
    raised: BaseException | None
    array: npt.NDArray[np.int64]
    def __init__(self, given: Any, queries: int) -> None: ...
    def close(self) -> None: ...

"""Labels as callers give them, as the library takes them: exactly, or not at all."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

#: The largest label there may be; the number after it stands for no result.
LARGEST_LABEL = 2**64 - 2
_U64 = np.dtype(np.uint64)
#: Floats from here on don't hold every integer: what they are made of may have been another number.
_EXACT = 2**53


def exact_labels(given: npt.ArrayLike, largest: int = LARGEST_LABEL, floats: bool = False) -> npt.NDArray[np.uint64]:
    """Labels as a C-contiguous array of uint64, of the shape given.

    NumPy makes floats of a list of integers some of which are below 2**63 and some not below, which rounds them; here
    they stay what they are. ``floats`` says that integers given as floats are taken.

    Raises:
        ValueError: a number isn't a label.
        TypeError: what is given aren't integers.
    """
    array = _array(given)
    kind = array.dtype.kind
    if array.size == 0:
        return np.empty(array.shape, _U64)
    if kind == "O":
        array = _of_objects(array, largest, floats)
    elif kind == "f" and floats:
        array = _of_floats(array)
    elif kind == "b":
        raise TypeError("labels must be integers, not Boolean values: a mask is no list of labels")
    elif kind not in "iu":
        raise TypeError(f"labels must be integers, not {array.dtype}")
    if array.dtype.kind == "i" and array.min() < 0:
        raise _wrong(array.min(), largest)
    array = np.require(array, _U64, ["C", "A"])
    if array.max() > largest:
        raise _wrong(array.max(), largest)
    return array


def one_label(label: Any, largest: int = 2**64 - 1) -> int:
    """A label that is asked for by itself: TypeError, as of a wrong argument, for what isn't one."""
    number = operator.index(label)
    if not 0 <= number <= largest:
        raise TypeError(f"a label must be 0 to {_name(largest)}, it is {number}")
    return number


def _array(given: npt.ArrayLike) -> npt.NDArray[Any]:
    if hasattr(given, "dtype"):
        return np.asarray(given)
    try:
        array = np.asarray(given)
    except OverflowError:  # a number that no integer of NumPy holds, beside one of NumPy's
        return np.asarray(given, dtype=object)
    return np.asarray(given, dtype=object) if array.dtype.kind == "f" else array


def _of_objects(array: npt.NDArray[Any], largest: int, floats: bool) -> npt.NDArray[np.uint64]:
    numbers = [_integer(number, floats) for number in array.flat]
    for number in numbers:
        if not 0 <= number <= largest:
            raise _wrong(number, largest)
    return np.array(numbers, _U64).reshape(array.shape)


def _integer(number: Any, floats: bool) -> int:
    if isinstance(number, (bool, np.bool_)):
        raise TypeError(f"labels must be integers, one is {number}")
    if floats and isinstance(number, (float, np.floating)):
        return int(_of_floats(np.array([number]))[0])
    try:
        return operator.index(number)
    except TypeError as error:
        if isinstance(number, (float, np.floating)):
            raise TypeError(f"labels must be integers, one is the float {number}") from error
        raise TypeError(f"labels must be integers, one is {number!r}") from error


def _of_floats(array: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    wrong = array[~(np.isfinite(array) & (array == np.floor(array)))]
    if wrong.size:
        raise ValueError(f"labels must be integers, one is {wrong[0]}")
    large = array[np.abs(array) >= _EXACT]
    if large.size:
        raise ValueError(f"labels must be exact, one is the float {large[0]}, which may be rounded: give integers")
    return array.astype(np.int64)


def _wrong(number: Any, largest: int) -> ValueError:
    what = "not be negative" if number < 0 else f"be 0 to {_name(largest)}"
    return ValueError(f"labels must {what}, one is {number}")


def _name(largest: int) -> str:
    return f"2**64 - {2**64 - largest}"

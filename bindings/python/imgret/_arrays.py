"""Arrays that go out: numpy's when it is installed, else array.array and lists of them."""

from __future__ import annotations

import ctypes
from array import array
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    import numpy
    import numpy.typing

    FloatArray = numpy.typing.NDArray[numpy.float32]
    DoubleArray = numpy.typing.NDArray[numpy.float64]
    IntArray = numpy.typing.NDArray[numpy.int64]

_numpy: Optional[Any] = None
_looked = False


def numpy_or_none() -> Optional[Any]:
    """numpy, imported at the first need: it would take longer than this whole package."""
    global _numpy, _looked
    if not _looked:
        try:
            import numpy as found

            _numpy = found
        except ImportError:
            _numpy = None
        _looked = True
    return _numpy


class _Strided:
    """Tells numpy about memory that `owner` keeps alive; the array keeps this object."""

    def __init__(self, owner: object, address: int, count: int, stride: int, kind: str) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "version": 3,
            "data": (address, True),
            "shape": (count,),
            "strides": (stride,),
            "typestr": kind,
        }


def strided(owner: object, address: int, count: int, stride: int, code: str) -> Any:
    """`count` numbers, one each `stride` bytes from `address`; code: "q" int64, "d" float64.

    A read-only numpy view that keeps `owner` alive, or a copy in an array.array.
    """
    numpy = numpy_or_none()
    if numpy is not None:
        if not count:
            return numpy.empty(0, code)
        return numpy.asarray(_Strided(owner, address, count, stride, "=i8" if code == "q" else "=f8"))
    kind: Any = ctypes.c_int64 if code == "q" else ctypes.c_double
    return array(code, (kind.from_address(address + i * stride).value for i in range(count)))


def float_rows(floats: Any, count: int, dimension: int) -> Any:
    """A ctypes array of count * dimension floats as a numpy matrix that shares it, or as a list
    of array.array."""
    numpy = numpy_or_none()
    if numpy is not None:
        return numpy.frombuffer(floats, numpy.float32, count * dimension).reshape(count, dimension)
    whole = memoryview(floats).cast("B").cast("f")
    return [array("f", whole[i * dimension : (i + 1) * dimension]) for i in range(count)]


def float_row(floats: Any, dimension: int) -> Any:
    """A ctypes array of floats as a numpy vector that shares it, or as an array.array."""
    numpy = numpy_or_none()
    if numpy is not None:
        return numpy.frombuffer(floats, numpy.float32, dimension)
    return array("f", memoryview(floats).cast("B").cast("f")[:dimension])

"""Results of a query: a sequence of hits over the library's own memory."""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Iterator, List, Optional, Sequence, Union, overload

from . import _abi
from ._arrays import strided
from ._library import lib
from ._types import Hit, maybe_text_of, metadata_of

if TYPE_CHECKING:
    from ._arrays import DoubleArray, IntArray

# imgret_hit at once: size, width, height, reserved_zero, id, score, uri, metadata.
_HIT = struct.Struct("@IIIIqdPP")
_free = lib.imgret_results_free
_string_at = ctypes.string_at


def _string(address: int) -> Optional[bytes]:
    return _string_at(address) if address else None


class Results(Sequence[Hit]):
    """Hits, best first. A hit is made when it is looked at; `ids` and `scores` are views.

    Valid after the database was closed, and from any thread.
    """

    __slots__ = ("_pointer", "_count", "_address", "_stride", "__weakref__")

    def __init__(self, pointer: int) -> None:
        """Owns `pointer`, an imgret_results."""
        self._pointer = pointer
        self._count: int = lib.imgret_results_count(pointer)
        self._address = 0
        self._stride = _HIT.size
        if self._count:
            first = lib.imgret_results_at(pointer, 0)
            self._address = ctypes.addressof(first.contents)
            self._stride = first.contents.size  # a newer library's hits may be longer

    def __del__(self) -> None:
        _free(self._pointer)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<imgret.Results: {self._count} hits>"

    @property
    def ids(self) -> IntArray:
        """The ids as a read-only numpy array without a copy (an array.array without numpy)."""
        view: IntArray = strided(
            self, self._address + _abi.Hit.id.offset, self._count, self._stride, "q"
        )
        return view

    @property
    def scores(self) -> DoubleArray:
        """The scores as a read-only numpy array without a copy (an array.array without numpy)."""
        view: DoubleArray = strided(
            self, self._address + _abi.Hit.score.offset, self._count, self._stride, "d"
        )
        return view

    def _hit(self, memory: ctypes.Array[ctypes.c_char], index: int) -> Hit:
        _, width, height, _, id, score, uri, metadata = _HIT.unpack_from(
            memory, index * self._stride
        )
        return Hit(
            id, score, maybe_text_of(_string(uri)), metadata_of(_string(metadata)), width, height
        )

    def _memory(self) -> ctypes.Array[ctypes.c_char]:
        return (ctypes.c_char * (self._count * self._stride)).from_address(self._address)

    def __iter__(self) -> Iterator[Hit]:
        if self._count:
            memory = self._memory()
            for index in range(self._count):
                yield self._hit(memory, index)

    @overload
    def __getitem__(self, index: int) -> Hit: ...

    @overload
    def __getitem__(self, index: slice) -> List[Hit]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Hit, List[Hit]]:
        if isinstance(index, slice):
            memory = self._memory() if self._count else None
            return [self._hit(memory, i) for i in range(*index.indices(self._count)) if memory]
        if index < 0:
            index += self._count
        if not 0 <= index < self._count:
            raise IndexError("no such hit")
        return self._hit(self._memory(), index)

"""Results of a query: a sequence of hits over the library's own memory."""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any, Iterator, List, Optional, Sequence, Tuple, Union, overload

from . import _abi
from ._arrays import numpy_or_none, strided
from ._library import lib
from ._types import Box, Hit, QueryStats, metadata_of, query_stats_of

if TYPE_CHECKING:
    from ._arrays import DoubleArray, IntArray

# imgret_hit at once: size, width, height, reserved_zero, id, score, uri, metadata, label,
# label_score, region, its box, a reserved word, region_score, region_label.
_HIT = struct.Struct("@IIIIqdPPPdIIIIIIdP")
_free = lib.imgret_results_free
_string_at = ctypes.string_at
_new = object.__new__


def _text(address: int) -> Optional[str]:
    return _string_at(address).decode("utf-8", "surrogateescape") if address else None


class _Hits:
    """`count` hits in memory of the library, `stride` bytes each: a newer one's may be longer."""

    __slots__ = ("count", "address", "stride")

    def __init__(self, count: int, first: Any) -> None:
        """`first` points to the first of them, when there is one."""
        self.count = count
        self.address = 0
        self.stride = _HIT.size
        if count:
            self.address = ctypes.addressof(first.contents)
            self.stride = first.contents.size

    def memory(self) -> ctypes.Array[ctypes.c_char]:
        return (ctypes.c_char * (self.count * self.stride)).from_address(self.address)

    def hit(self, memory: ctypes.Array[ctypes.c_char], index: int) -> Hit:
        (
            _, width, height, _, id, score, uri, metadata, label, label_score,
            region, x, y, box_width, box_height, _, region_score, region_label,
        ) = _HIT.unpack_from(memory, index * self.stride)  # fmt: skip
        box = _new(Box)
        # The constructor of a frozen dataclass takes three times as long.
        box.__dict__.update(x=x, y=y, width=box_width, height=box_height)
        hit = _new(Hit)
        hit.__dict__.update(
            id=id,
            score=score,
            uri=_text(uri),
            metadata=metadata_of(_string_at(metadata)) if metadata else None,
            width=width,
            height=height,
            label=_text(label),
            label_score=label_score,
            region=region,
            box=box,
            region_score=region_score,
            region_label=_text(region_label),
        )
        return hit

    def each(self) -> Iterator[Hit]:
        if self.count:
            memory = self.memory()
            for index in range(self.count):
                yield self.hit(memory, index)


def hits_of(first: Any, count: int) -> List[Hit]:
    """Copies of hits that a callback was given."""
    return list(_Hits(count, first).each())


class Results(Sequence[Hit]):
    """Hits, best first. A hit is made when it is looked at; `ids` and `scores` are views.

    Valid after the database was closed, and from any thread.
    """

    __slots__ = ("_pointer", "_count", "_hits", "__weakref__")

    def __init__(self, pointer: int) -> None:
        """Owns `pointer`, an imgret_results."""
        self._pointer = pointer
        self._count: int = lib.imgret_results_count(pointer)
        self._hits = _Hits(self._count, lib.imgret_results_at(pointer, 0))

    def __del__(self) -> None:
        _free(self._pointer)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<imgret.Results: {self._count} hits>"

    @property
    def ids(self) -> IntArray:
        """The ids as a read-only numpy array without a copy (an array.array without numpy)."""
        hits = self._hits
        view: IntArray = strided(
            self, hits.address + _abi.Hit.id.offset, self._count, hits.stride, "q"
        )
        return view

    @property
    def scores(self) -> DoubleArray:
        """The scores as a read-only numpy array without a copy (an array.array without numpy)."""
        hits = self._hits
        view: DoubleArray = strided(
            self, hits.address + _abi.Hit.score.offset, self._count, hits.stride, "d"
        )
        return view

    @property
    def stats(self) -> QueryStats:
        """What finding them took."""
        return query_stats_of(lib.imgret_results_stats(self._pointer).contents)

    @property
    def partial(self) -> bool:
        """Whether the query was stopped before its end: there may be better results."""
        return self.stats.partial

    @property
    def cursor(self) -> Optional[str]:
        """What query(cursor=...) wants for the results that follow these; None: nothing can."""
        raw: Optional[bytes] = lib.imgret_results_cursor(self._pointer)
        return None if raw is None else raw.decode()

    def __iter__(self) -> Iterator[Hit]:
        for hit in self._hits.each():
            yield hit  # a generator of this object keeps the memory alive

    @overload
    def __getitem__(self, index: int) -> Hit: ...

    @overload
    def __getitem__(self, index: slice) -> List[Hit]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Hit, List[Hit]]:
        hits = self._hits
        if isinstance(index, slice):
            memory = hits.memory() if self._count else None
            return [hits.hit(memory, i) for i in range(*index.indices(self._count)) if memory]
        if index < 0:
            index += self._count
        if not 0 <= index < self._count:
            raise IndexError("no such hit")
        return hits.hit(hits.memory(), index)


class Batch(Sequence[Results]):
    """The answers of query_batch, in the order of its queries; each is a Results."""

    __slots__ = ("_results", "_k")

    def __init__(self, results: List[Results], k: int) -> None:
        """For Database.query_batch."""
        self._results = results
        self._k = k

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        return f"<imgret.Batch: {len(self)} answers>"

    @overload
    def __getitem__(self, index: int) -> Results: ...

    @overload
    def __getitem__(self, index: slice) -> List[Results]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Results, List[Results]]:
        return self._results[index]

    def arrays(self) -> Tuple[IntArray, DoubleArray]:
        """All ids and scores as two numpy matrices, one row a query and k columns; where fewer
        were found, the rest of a row is -1 and NaN. A copy: the answers' own `ids` are none."""
        numpy = numpy_or_none()
        if numpy is None:
            raise ImportError("Batch.arrays needs numpy")
        ids = numpy.full((len(self), self._k), -1, numpy.int64)
        scores = numpy.full((len(self), self._k), numpy.nan, numpy.float64)
        for row, results in enumerate(self._results):
            ids[row, : len(results)] = results.ids
            scores[row, : len(results)] = results.scores
        return ids, scores

"""Results of a query: a sequence of hits over the library's own memory."""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any, Iterable, Iterator, List, Optional, Sequence, Tuple, Union, overload

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
_count = lib.imgret_results_count
# imgret_results_at, as an address: an object of ctypes for the pointer takes as long as the call.
_at = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64)(("imgret_results_at", lib))
_string = ctypes.c_char_p  # of an address: a seventh of ctypes.string_at's time
_ID_AT: int = _abi.Hit.id.offset
_SCORE_AT: int = _abi.Hit.score.offset
_uint32 = ctypes.c_uint32.from_address
_NO_BOX = Box(0, 0, 0, 0)
_BLOCK = 1024  # answers whose hits Batch.arrays copies at once
_new = object.__new__
_set = object.__setattr__


def _text(address: int) -> str:
    return _string(address).value.decode("utf-8", "surrogateescape")  # type: ignore[union-attr]


class _Hits:
    """`count` hits in memory of the library, `stride` bytes each: a newer one's may be longer."""

    __slots__ = ("count", "address", "stride", "box")

    def __init__(self, count: int, address: int) -> None:
        """`address` is that of the first, when there is one."""
        self.count = count
        self.address = address
        self.stride = _uint32(address).value if count else _HIT.size
        self.box = _NO_BOX  # the last one: of ready vectors all are alike

    def memory(self) -> ctypes.Array[ctypes.c_char]:
        return (ctypes.c_char * (self.count * self.stride)).from_address(self.address)

    def hit(self, index: int) -> Hit:
        return self._made([_HIT.unpack_from(self.memory(), index * self.stride)])[0]

    def each(self) -> List[Hit]:
        if not self.count:
            return []
        memory = self.memory()
        if self.stride == _HIT.size:
            return self._made(_HIT.iter_unpack(memory))
        places = range(0, self.count * self.stride, self.stride)
        return self._made(_HIT.unpack_from(memory, place) for place in places)

    def _made(self, rows: Iterable[Tuple[Any, ...]]) -> List[Hit]:
        box = self.box
        hits = []
        for (
            _, width, height, _, id, score, uri, metadata, label, label_score,
            region, x, y, box_width, box_height, _, region_score, region_label,
        ) in rows:  # fmt: skip
            if box_width != box.width or box_height != box.height or x != box.x or y != box.y:
                self.box = box = Box(x, y, box_width, box_height)
            hit = _new(Hit)
            # The constructor of a frozen dataclass takes three times as long.
            _set(hit, "__dict__", {
                "id": id,
                "score": score,
                "uri": _text(uri) if uri else None,
                "metadata": metadata_of(_string(metadata).value) if metadata else None,
                "width": width,
                "height": height,
                "label": _text(label) if label else None,
                "label_score": label_score,
                "region": region,
                "box": box,
                "region_score": region_score,
                "region_label": _text(region_label) if region_label else None,
            })  # fmt: skip
            hits.append(hit)
        return hits


def hits_of(first: Any, count: int) -> List[Hit]:
    """Copies of hits that a callback was given."""
    return _Hits(count, ctypes.addressof(first.contents) if count else 0).each()


class Results(Sequence[Hit]):
    """Hits, best first. Hits are made when they are looked at; `ids` and `scores` are views.

    Valid after the database was closed, and from any thread.
    """

    __slots__ = ("_pointer", "_looked", "__weakref__")

    def __init__(self, pointer: int) -> None:
        """Owns `pointer`, an imgret_results."""
        self._pointer = pointer
        self._looked: Optional[_Hits] = None

    @property
    def _hits(self) -> _Hits:
        hits = self._looked
        if hits is None:
            pointer = self._pointer
            hits = _Hits(_count(pointer), _at(pointer, 0) or 0)
            self._looked = hits
        return hits

    def __del__(self) -> None:
        _free(self._pointer)

    def __len__(self) -> int:
        return self._hits.count

    def __repr__(self) -> str:
        return f"<imgret.Results: {len(self)} hits>"

    @property
    def ids(self) -> IntArray:
        """The ids as a read-only numpy array without a copy (an array.array without numpy)."""
        hits = self._hits
        view: IntArray = strided(
            self, hits.address + _ID_AT, hits.count, hits.stride, "q"
        )
        return view

    @property
    def scores(self) -> DoubleArray:
        """The scores as a read-only numpy array without a copy (an array.array without numpy)."""
        hits = self._hits
        view: DoubleArray = strided(
            self, hits.address + _SCORE_AT, hits.count, hits.stride, "d"
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
        return iter(self._hits.each())

    @overload
    def __getitem__(self, index: int) -> Hit: ...

    @overload
    def __getitem__(self, index: slice) -> List[Hit]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Hit, List[Hit]]:
        hits = self._hits
        if isinstance(index, slice):
            return [hits.hit(i) for i in range(*index.indices(hits.count))]
        if index < 0:
            index += hits.count
        if not 0 <= index < hits.count:
            raise IndexError("no such hit")
        return hits.hit(index)


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
        for first in range(0, len(self), _BLOCK):
            block = [results._hits for results in self._results[first : first + _BLOCK]]
            if block:
                self._fill(numpy, block, ids[first : first + _BLOCK], scores[first : first + _BLOCK])
        return ids, scores

    def _fill(self, numpy: Any, block: List[_Hits], ids: IntArray, scores: DoubleArray) -> None:
        """Copies the hits one answer behind another: then numpy sees them all as two matrices."""
        stride = max(hits.stride for hits in block)  # of an answer without hits it is a guess
        row_bytes = self._k * stride
        memory = numpy.zeros(len(block) * row_bytes, numpy.uint8)
        place = memory.ctypes.data
        for hits in block:
            if hits.count:
                ctypes.memmove(place, hits.address, min(hits.count, self._k) * stride)
            place += row_bytes
        found = numpy.arange(self._k) < numpy.array([hits.count for hits in block])[:, None]
        for out, offset in ((ids, _ID_AT), (scores, _SCORE_AT)):
            seen = numpy.ndarray(out.shape, out.dtype, memory, offset, (row_bytes, stride))
            numpy.copyto(out, seen, where=found)

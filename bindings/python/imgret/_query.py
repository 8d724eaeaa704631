"""What a query may be told beside what to look for: an imgret_query_options and what it points to."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Callable, Iterable, List, Mapping, Optional, Sequence, Tuple
from typing import Union

from . import _abi, _types
from ._errors import error_of
from ._inputs import Prepared, prepare, prepare_id
from ._library import lib
from ._results import hits_of
from ._types import Box, Hit, number_of

if TYPE_CHECKING:
    from ._inputs import Picture, Vector

    Example = Union[Picture, Vector, int]
    Color = Union[str, Tuple[int, int, int]]
    Colors = Union[str, Sequence[Union[Color, Tuple[Color, float]]]]

Value = Union[None, int, float, str]
Params = Mapping[str, Value]
Rerank = Callable[[List[Hit]], Iterable[float]]
BoxLike = Union[Box, Tuple[int, int, int, int]]

_SIZE = ctypes.sizeof(_abi.QueryOptions)
_COLORS_MAX = 16
_INT64 = 1 << 63


class Options(_abi.QueryOptions):
    """The struct, and what Python must remember of it. Its pointers keep what they point to."""

    failures: List[BaseException]
    keeper: object


def prepare_example(what: Any) -> Prepared:
    """An input from a picture, a vector, or an image's id."""
    return prepare_id(what) if type(what) is int else prepare(what)


def c_params(params: Optional[Params]) -> Tuple[Any, int]:
    """An array of imgret_param and its length."""
    if not params:
        return None, 0
    rows = (_abi.Param * len(params))()
    for row, (name, value) in zip(rows, params.items()):
        row.size = ctypes.sizeof(_abi.Param)
        row.name = name.encode()
        if value is None:
            row.kind = _abi.PARAM_NULL
        elif isinstance(value, int):
            if not -_INT64 <= value < _INT64:
                raise ValueError(f"parameter {name} does not fit into 64 bits: {value}")
            row.kind, row.integer = _abi.PARAM_INTEGER, value
        elif isinstance(value, float):
            row.kind, row.real = _abi.PARAM_REAL, value
        elif isinstance(value, str):
            if "\0" in value:
                raise ValueError(f"parameter {name} cannot hold a NUL")
            row.kind, row.text = _abi.PARAM_TEXT, value.encode("utf-8", "surrogateescape")
        else:
            raise TypeError(f"parameter {name} is a {type(value).__name__}: None, int, float or str")
    return rows, len(params)


def c_where(where: Optional[str]) -> Optional[bytes]:
    if where is not None and "\0" in where:
        raise ValueError("where cannot hold a NUL")
    return None if where is None else where.encode("utf-8", "surrogateescape")


def c_ms(seconds: Optional[float]) -> int:
    """Milliseconds, at least one; 0 (the default) for None."""
    return 0 if seconds is None else max(1, min(int(seconds * 1000), 0xFFFFFFFF))


def parse_colors(text: str) -> List[Tuple[Tuple[int, int, int], float]]:
    """Colours as people write them, "red:2,#ffffff", as [((red, green, blue), weight), ...]."""
    rows = (_abi.ColorTerm * _COLORS_MAX)()
    count = ctypes.c_uint32()
    error = _abi.Error(size=ctypes.sizeof(_abi.Error))
    if "\0" in text:
        raise ValueError("colours cannot hold a NUL")
    status = lib.imgret_parse_colors(rows, _COLORS_MAX, count, text.encode(), error)
    if status:
        raise error_of(status, error.message)
    return [((row.red, row.green, row.blue), row.weight or 1.0) for row in rows[: count.value]]


def _colors(colors: Any) -> Tuple[Any, int]:
    pairs: List[Tuple[Tuple[int, int, int], float]] = []
    for each in [colors] if isinstance(colors, str) else colors:
        color, weight = each if not isinstance(each, str) and len(each) == 2 else (each, None)
        if isinstance(color, str):
            pairs += [(rgb, weight or own) for rgb, own in parse_colors(color)]
        else:
            if any(not 0 <= part <= 255 for part in color):
                raise ValueError(f"a colour is three numbers of 0 to 255, not {color}")
            pairs.append((color, weight or 1.0))
    size = ctypes.sizeof(_abi.ColorTerm)
    rows = (_abi.ColorTerm * len(pairs))(
        *(_abi.ColorTerm(size, *map(int, color), 0, weight) for color, weight in pairs)
    )
    return rows, len(pairs)


def _terms(options: Options, terms: Iterable[Tuple[Any, float]]) -> None:
    pointer = ctypes.POINTER(_abi.Input)
    size = ctypes.sizeof(_abi.Term)
    kept = [(prepare_example(what), weight) for what, weight in terms]
    rows = (_abi.Term * len(kept))(
        *(_abi.Term(size, 0, pointer(input), weight) for input, weight in kept)
    )
    options.terms, options.term_count = rows, len(kept)
    options.keeper = kept


def _reranked(options: Options, rerank: Rerank) -> None:
    failures: List[BaseException] = []

    def call(_user: Any, first: Any, count: int, scores: Any) -> int:
        try:
            new = [float(score) for score in rerank(hits_of(first, count))]
            if len(new) != count:
                raise ValueError(f"rerank returned {len(new)} scores for {count} hits")
            for index, score in enumerate(new):
                scores[index] = score
            return 0
        except BaseException as failure:
            failures.append(failure)
            return 1

    options.rerank = _abi.rerank_fn(call)
    options.failures = failures


def query_options(
    k: int = 10,
    min_score: Optional[float] = None,
    include_self: bool = False,
    effort: int = 0,
    where: Optional[str] = None,
    params: Optional[Params] = None,
    where_seconds: Optional[float] = None,
    deadline_seconds: Optional[float] = None,
    allow_partial: bool = False,
    target_recall: float = 0,
    terms: Optional[Iterable[Tuple[Any, float]]] = None,
    combine: Optional[str] = None,
    colors: Any = None,
    color_weight: float = 0,
    candidate_count: int = 0,
    exclude_ids: Optional[Iterable[int]] = None,
    cursor: Optional[str] = None,
    diversity: float = 0,
    rerank: Optional[Rerank] = None,
    box: Optional[BoxLike] = None,
    search: Optional[str] = None,
    region: int = 0,
    main_object: bool = False,
    group: bool = False,
    estimated: bool = False,
    min_likeness: Optional[str] = None,
    rerank_by: Optional[str] = None,
    rerank_weight: float = 0,
    ids_only: bool = False,
) -> Options:
    """The struct for the keywords of Database.query."""
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    flags = _abi.QUERY_INCLUDE_SELF if include_self else 0
    if min_score is not None:
        flags |= _abi.QUERY_MIN_SCORE
    if allow_partial:
        flags |= _abi.QUERY_ALLOW_PARTIAL
    if group:
        flags |= _abi.QUERY_GROUP
    if estimated:
        flags |= _abi.QUERY_ESTIMATED
    if ids_only:
        flags |= _abi.QUERY_IDS_ONLY
    if main_object:
        flags |= _abi.QUERY_MAIN_OBJECT
    options = Options(_SIZE, flags, min_score or 0.0, k, effort)
    if where is not None:
        options.where = c_where(where)
    if params:
        options.params, options.param_count = c_params(params)
    if where_seconds is not None or deadline_seconds is not None:
        options.where_ms_max, options.deadline_ms = c_ms(where_seconds), c_ms(deadline_seconds)
    if target_recall:
        options.target_recall = target_recall
    if terms is not None:
        _terms(options, terms)
    if combine is not None:
        options.combine = number_of(_types.COMBINATIONS, combine, "combine")
    if colors is not None:
        options.colors, options.color_count = _colors(colors)
        options.color_weight = color_weight
    if candidate_count:
        options.candidate_count = candidate_count
    if exclude_ids is not None:
        ids = list(exclude_ids)
        options.exclude_ids, options.exclude_count = (ctypes.c_int64 * len(ids))(*ids), len(ids)
    if cursor is not None:
        options.cursor = c_where(cursor)
    if diversity:
        options.diversity = diversity
    if rerank is not None:
        _reranked(options, rerank)
    if box is not None:
        sides = (box.x, box.y, box.width, box.height) if isinstance(box, Box) else box
        options.box = ctypes.pointer(_abi.Box(ctypes.sizeof(_abi.Box), *sides))
    if search is not None:
        options.search = number_of(_types.SEARCHES, search, "search")
    if region:
        options.region = region
    if min_likeness is not None:
        options.min_likeness = number_of(_types.LIKENESSES, min_likeness, "min_likeness")
    if rerank_by is not None:
        options.rerank_by = number_of(_types.RERANKS, rerank_by, "rerank_by")
        options.rerank_weight = rerank_weight
    return options

"""A database: open it, put pictures in, ask for those that look alike."""

from __future__ import annotations

import ctypes
import json
import os
import time
import warnings
from typing import TYPE_CHECKING, Any, Iterator, List, Mapping, Optional, Union

from . import _abi, _types
from ._arrays import float_row
from ._calls import Handle, close_what_is_left, patiently
from ._errors import error_of
from ._ingest import Ingest, Paths, Progress, paths_of
from ._inputs import Prepared, prepare, prepare_id, prepare_vector
from ._library import lib, plugin_path as with_own_plugins
from ._results import Results
from ._types import Added, Limits, Record, Stats, number_of, record_of, stats_of, word_of

if TYPE_CHECKING:
    from ._arrays import FloatArray
    from ._inputs import Picture, Vector

AnyPath = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Folders = Union[None, AnyPath, "list[AnyPath]"]

_imgret_query = lib.imgret_query
_OPTIONS_SIZE = ctypes.sizeof(_abi.QueryOptions)
# A scan that took longer is worth the detour that lets Ctrl-C through the next time.
_SLOW_S = 0.05


def c_text(text: Optional[str], what: str) -> Optional[bytes]:
    """Text for the library; surrogates go back to the bytes they came from."""
    if text is None:
        return None
    if "\0" in text:
        raise ValueError(f"{what} cannot hold a NUL")
    return text.encode("utf-8", "surrogateescape")


def c_path(path: Any) -> bytes:
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise ValueError("a path cannot hold a NUL")
    return raw


def c_folders(folders: Any) -> Optional[bytes]:
    if folders is None:
        return None
    if isinstance(folders, (str, bytes, os.PathLike)):
        folders = [folders]
    return b":".join(c_path(folder) for folder in folders)


def c_limits(limits: Optional[Limits]) -> Any:
    if limits is None:
        return None
    return ctypes.pointer(
        _abi.Limits(
            ctypes.sizeof(_abi.Limits),
            limits.dimension_max,
            limits.file_bytes_max,
            limits.pixel_count_max,
        )
    )


def c_model(model: Any) -> Optional[bytes]:
    return None if model is None else c_path(model)


def _c_metadata(metadata: Optional[Mapping[str, Any]]) -> Optional[bytes]:
    if metadata is None:
        return None
    return json.dumps(dict(metadata), allow_nan=False).encode()


def _busy_ms(seconds: Optional[float]) -> int:
    if seconds is None:
        return 0
    if seconds <= 0:
        return _abi.NO_WAIT
    return max(1, min(int(seconds * 1000), _abi.NO_WAIT - 1))


class Database:
    """An open database; `imgret.open` makes it. Any number of threads may use it at once.

    It belongs to its process: used in a child of fork() it raises ForkedError.
    """

    def __init__(self, path: AnyPath, options: _abi.OpenOptions) -> None:
        """For imgret.open."""
        raw = c_path(path)
        self._path = os.fsdecode(raw)
        self._slow = False
        self._handle: Optional[Handle] = None
        self._handle = patiently(lambda: _open(raw, options), lambda: False, abandon=True)

    @property
    def path(self) -> str:
        """The folder, as it was given to open."""
        return self._path

    @property
    def closed(self) -> bool:
        return self._handle is None or self._handle.closed

    def close(self) -> None:
        """Stops the calls that other threads have running, and closes. Results stay valid."""
        if self._handle is not None:
            self._handle.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle is not None and not handle.closed and handle.is_owner():
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        return f"<imgret.Database {self._path!r}{' (closed)' if self.closed else ''}>"

    def interrupt(self) -> None:
        """Makes all calls that are running, in all threads, raise InterruptedError soon."""
        self._open_handle().interrupt()

    def _open_handle(self) -> Handle:
        if self._handle is None:
            raise ValueError("the database is not open")
        return self._handle

    # ---- Put in ----------------------------------------------------------------------------------

    def add(
        self,
        picture: Picture | Vector,
        *,
        uri: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
    ) -> Added:
        """Adds a picture: a path, encoded bytes, a binary file object, a PIL image or pixels in a
        numpy array (height x width, or x 3 RGB, x 4 RGBA; uint8); or a vector, as add_vector.

        On return it is durable and found by the next query. `uri` is its unique name, by default
        the absolute path of a file; one that exists is replaced when the content differs.
        """
        return self._add(prepare(picture), uri, metadata)

    def add_vector(
        self,
        vector: Vector,
        *,
        uri: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
    ) -> Added:
        """Adds a ready feature vector: packed float32 memory as it is, other numbers converted."""
        return self._add(prepare_vector(vector), uri, metadata)

    def _add(
        self, input: Prepared, uri: Optional[str], metadata: Optional[Mapping[str, Any]]
    ) -> Added:
        options = _abi.AddOptions(
            size=ctypes.sizeof(_abi.AddOptions),
            uri=c_text(uri, "a uri"),
            metadata=_c_metadata(metadata),
        )
        result = _abi.AddResult(size=ctypes.sizeof(_abi.AddResult))
        handle = self._open_handle()

        def run() -> Added:
            handle.call(lambda db, error: lib.imgret_add(db, input, options, result, error))
            return Added(result.id, word_of(_types.OUTCOMES, result.outcome))

        return patiently(run, handle.interrupt_alone, abandon=False)

    def ingest(
        self,
        paths: Paths,
        *,
        recursive: bool = True,
        retry_failed: bool = False,
        commit_count: int = 0,
        commit_seconds: float = 0,
        progress: Progress = False,
    ) -> Ingest:
        """Adds files and whole folders; iterate over what it returns, or call its finish().

        Pictures that cannot be read come as items with the outcome "failed" and never stop the run.
        `progress`: True shows a bar where tqdm is installed, a function gets an IngestProgress
        about ten times a second, on the thread that iterates.
        """
        flags = (0 if recursive else _abi.INGEST_NO_RECURSION) | (
            _abi.INGEST_RETRY_FAILED if retry_failed else 0
        )
        return Ingest(
            self._open_handle(),
            paths_of(paths),
            flags,
            commit_count,
            int(commit_seconds * 1000),
            progress,
        )

    def remove(self, id: int) -> None:
        """Removes an image, durably. NotFoundError when no image has this id."""
        self._open_handle().call(lambda db, error: lib.imgret_remove(db, id, error))

    def set_metadata(self, id: int, metadata: Optional[Mapping[str, Any]]) -> None:
        """Replaces an image's metadata by a dict that JSON can hold, or by none."""
        raw = _c_metadata(metadata)
        self._open_handle().call(lambda db, error: lib.imgret_set_metadata(db, id, raw, error))

    # ---- Ask -------------------------------------------------------------------------------------

    def query(
        self,
        what: Optional[Picture | Vector] = None,
        *,
        id: Optional[int] = None,
        k: int = 10,
        min_score: Optional[float] = None,
        include_self: bool = False,
    ) -> Results:
        """The k images most alike to `what` (all that `add` takes) or to the image `id`.

        Best first; none below `min_score` when it is given. A query by id leaves that image out
        unless `include_self`.
        """
        if (what is None) == (id is None):
            raise TypeError("query takes something to look for, or id=")
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        input = prepare(what) if id is None else prepare_id(id)
        flags = _abi.QUERY_INCLUDE_SELF if include_self else 0
        if min_score is not None:
            flags |= _abi.QUERY_MIN_SCORE
        options = _abi.QueryOptions(_OPTIONS_SIZE, flags, min_score or 0.0, k)
        handle = self._open_handle()
        if self._slow or input.kind < _abi.INPUT_VECTOR:
            return patiently(
                lambda: self._query(handle, input, options), handle.interrupt_alone, abandon=True
            )
        return self._query(handle, input, options)

    def _query(self, handle: Handle, input: Prepared, options: _abi.QueryOptions) -> Results:
        out = ctypes.c_void_p()
        began = time.perf_counter()
        handle.call(lambda db, error: _imgret_query(out, db, input, options, error))
        if input.kind >= _abi.INPUT_VECTOR:
            self._slow = time.perf_counter() - began > _SLOW_S
        return Results(out.value)  # type: ignore[arg-type]

    # ---- Look at what is there -------------------------------------------------------------------

    def list(
        self,
        *,
        state: Optional[str] = None,
        uri: Optional[str] = None,
        after_id: int = 0,
        page_size: int = 1000,
    ) -> Iterator[Record]:
        """All images by ascending id, read a page at a time; state: "stored" or "failed"."""
        number = number_of(_types.STATES, state, "state")
        raw_uri = c_text(uri, "a uri")
        if page_size < 1:
            raise ValueError(f"page_size must be at least 1, not {page_size}")
        return self._pages(number, raw_uri, after_id, page_size)

    def _pages(
        self, state: int, uri: Optional[bytes], after_id: int, page_size: int
    ) -> Iterator[Record]:
        handle = self._open_handle()
        while True:
            options = _abi.ListOptions(
                ctypes.sizeof(_abi.ListOptions), state, after_id, uri, page_size
            )
            page = _records(
                handle, lambda out, db, error: lib.imgret_list(out, db, options, error)
            )
            yield from page
            if len(page) < page_size:
                return
            after_id = page[-1].id

    def get(self, id: int) -> Record:
        """The image with this id. NotFoundError when there is none."""
        handle = self._open_handle()
        return _records(handle, lambda out, db, error: lib.imgret_get(out, db, id, error))[0]

    def get_vector(self, id: int) -> FloatArray:
        """The stored vector of an image: a numpy array of float32 (array.array without numpy)."""
        dimension = self.stats().dimension
        floats = (ctypes.c_float * dimension)()
        self._open_handle().call(
            lambda db, error: lib.imgret_get_vector(db, id, floats, dimension, error)
        )
        vector: FloatArray = float_row(floats, dimension)
        return vector

    def stats(self) -> Stats:
        """What the database and this handle hold."""
        handle = self._open_handle()
        row = _abi.Stats(size=ctypes.sizeof(_abi.Stats))
        handle.pin()  # the strings live as long as the handle
        try:
            handle.call(lambda db, error: lib.imgret_get_stats(db, row, error))
            return stats_of(row)
        finally:
            handle.unpin()

    def check(self) -> List[str]:
        """Reads the whole database; returns what is wrong with it, a line each."""
        handle = self._open_handle()
        problems: List[str] = []

        def note(_user: Any, message: bytes) -> int:
            problems.append(message.decode("utf-8", "replace"))
            return 0

        callback = _abi.check_fn(note)

        def run() -> List[str]:
            handle.call(lambda db, error: lib.imgret_check(db, callback, None, None, error))
            return problems

        return patiently(run, handle.interrupt_alone, abandon=True)


def _open(path: bytes, options: _abi.OpenOptions) -> Handle:
    out = ctypes.c_void_p()
    error = _abi.Error(size=ctypes.sizeof(_abi.Error))
    status = lib.imgret_open(out, path, options, error)
    if status:
        raise error_of(status, error.message)
    assert out.value is not None
    return Handle(out.value, lib.imgret_close, lib.imgret_interrupt)


def _records(handle: Handle, step: Any) -> List[Record]:
    out = ctypes.c_void_p()
    handle.call(lambda db, error: step(out, db, error))
    try:
        count = lib.imgret_records_count(out)
        return [record_of(lib.imgret_records_at(out, i).contents) for i in range(count)]
    finally:
        lib.imgret_records_free(out)


def open(
    path: AnyPath,
    model: Optional[Union[str, "os.PathLike[str]"]] = None,
    *,
    read_only: bool = False,
    existing: bool = False,
    new: bool = False,
    metric: Optional[str] = None,
    vector_type: Optional[str] = None,
    threads: int = 0,
    busy_seconds: Optional[float] = None,
    plugin_path: Folders = None,
    limits: Optional[Limits] = None,
) -> Database:
    """Opens the database in folder `path`, or makes it.

    `model` is what turns pictures into vectors: "classic" (built in, the default of a new
    database), a file of weights such as "vit.safetensors", or "vectors:512" for ready vectors of
    that dimension. None opens a database with the model it was made with.

    read_only, existing: it must exist. new: it must not. metric: "cosine" (default), "ip" or "l2";
    vector_type: "f16" (default) or "f32"; both are settled when the database is made.
    busy_seconds: how long to wait for another writer, 5 by default, 0 for not at all.
    """
    close_what_is_left()
    flags = (
        (_abi.OPEN_READ_ONLY if read_only else 0)
        | (_abi.OPEN_EXISTING if existing else 0)
        | (_abi.OPEN_NEW if new else 0)
    )
    options = _abi.OpenOptions(
        size=ctypes.sizeof(_abi.OpenOptions),
        flags=flags,
        model=c_model(model),
        plugin_path=with_own_plugins(c_folders(plugin_path)),
        limits=c_limits(limits),
        metric=number_of(_types.METRICS, metric, "metric"),
        vector_type=number_of(_types.VECTOR_TYPES, vector_type, "vector_type"),
        threads=threads,
        busy_timeout_ms=_busy_ms(busy_seconds),
    )
    return Database(path, options)

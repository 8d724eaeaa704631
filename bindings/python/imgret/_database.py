"""A database: open it, put pictures in, ask for those that look alike."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, List, Mapping, Optional, Union

from . import _abi, _types
from ._arrays import float_row
from ._calls import Handle, Worker, close_what_is_left, in_main_thread, patiently
from ._errors import ForkedError, InterruptedError, InvalidArgumentError, error_of
from ._ingest import Ingest, Paths, Progress, paths_of
from ._inputs import Prepared, inputs_of, prepare, prepare_id, prepare_vector
from ._library import lib, plugin_path as with_own_plugins
from ._query import (
    BoxLike,
    Options,
    Params,
    Rerank,
    c_ms,
    c_params,
    c_where,
    prepare_example,
    query_options,
)
from ._results import Batch, Results
from ._types import (
    Added,
    LabelItem,
    LabelReport,
    Limits,
    Record,
    Region,
    label_item_of,
    label_report_of,
    number_of,
    record_of,
    region_of,
    word_of,
)
from ._upkeep import Listener, Upkeep
from ._values import (
    AnyPath,
    Folders,
    busy_ms,
    c_folders,
    c_limits,
    c_metadata,
    c_model,
    c_or_none,
    c_path,
    c_text,
)

if TYPE_CHECKING:
    from ._arrays import FloatArray
    from ._inputs import HasArrayInterface, Picture, Vector
    from ._query import Colors, Example

_imgret_query = lib.imgret_query
# A scan that took longer is worth the detour that lets Ctrl-C through the next time.
_SLOW_S = 0.05


class Database(Upkeep):
    """An open database; `imgret.open` makes it. Any number of threads may use it at once.

    It belongs to its process: used in a child of fork() it raises ForkedError.
    """

    def __init__(self, path: AnyPath, options: _abi.OpenOptions) -> None:
        """For imgret.open."""
        raw = c_path(path)
        self._path = os.fsdecode(raw)
        self._slow = False
        self._here = threading.local()  # of a thread's transaction: `open`, `worker`
        self._handle: Optional[Handle] = None
        self._handle = patiently(lambda: _open(raw, options), abandon=True)

    def __enter__(self) -> Database:
        return self

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
            metadata=c_metadata(metadata),
        )
        result = _abi.AddResult(size=ctypes.sizeof(_abi.AddResult))
        handle = self._open_handle()

        def run() -> Added:
            handle.call(lambda db, error: lib.imgret_add(db, input, options, result, error))
            return Added(result.id, word_of(_types.OUTCOMES, result.outcome))

        return patiently(run, abandon=False, worker=self._worker())

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
        if getattr(self._here, "open", False):  # its thread is another and would wait for ever
            raise InvalidArgumentError("ingest commits on its own: end the transaction first")
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
        self._change(lambda db, error: lib.imgret_remove(db, id, error))

    def set_metadata(self, id: int, metadata: Optional[Mapping[str, Any]]) -> None:
        """Replaces an image's metadata by a dict that JSON can hold, or by none."""
        raw = c_metadata(metadata)
        self._change(lambda db, error: lib.imgret_set_metadata(db, id, raw, error))

    def set_label(self, id: int, label: Optional[str], score: float = 1.0) -> None:
        """Labels an image, in place of the label it may have; None takes it away. `score`, 0 to 1,
        says how sure it is. Filters know both as label and label_score."""
        raw = c_text(label, "a label")
        self._change(lambda db, error: lib.imgret_set_label(db, id, raw, score, error))

    def set_verdict(self, id: int, other_id: int, verdict: Optional[str]) -> None:
        """Records that two images are "different", no duplicates, in either order; None forgets
        what was said."""
        number = number_of({_abi.VERDICT_DIFFERENT: "different"}, verdict, "verdict")
        self._change(lambda db, error: lib.imgret_set_verdict(db, id, other_id, number, error))

    def label_examples(
        self,
        label: str,
        examples: Iterable[Example],
        *,
        assign: bool = False,
        confidence_min: float = 0,
        where: Optional[str] = None,
        params: Optional[Params] = None,
        where_seconds: Optional[float] = None,
        on_item: Optional[Callable[[LabelItem], object]] = None,
    ) -> LabelReport:
        """Learns from a few examples (pictures, vectors, ids) what `label` looks like, and finds the
        pictures that it fits; `on_item` is told of each, on a thread of the binding.

        assign: they get the label, with the confidence as its score, unless the label they have has
        a greater one; examples given by their id get it with a score of 1. confidence_min: the
        least that fits, 0.8 by default. Ctrl-C or an exception of `on_item` stops it: what was
        labelled by then stays.
        """
        inputs, count, kept = inputs_of(examples, prepare_example)
        rows, row_count = c_params(params)
        listener = Listener(on_item and _telling(on_item))
        options = _abi.LabelOptions(
            ctypes.sizeof(_abi.LabelOptions),
            _abi.LABEL_ASSIGN if assign else 0,
            c_text(label, "a label"),
            inputs,
            count,
            confidence_min,
            c_where(where),
            rows,
            row_count,
            c_ms(where_seconds),
            _abi.label_fn(listener),
        )
        report = _abi.LabelReport(size=ctypes.sizeof(_abi.LabelReport))
        handle = self._open_handle()

        def run() -> LabelReport:
            handle.call(lambda db, e: lib.imgret_label_examples(db, options, report, e))
            del kept[:]  # until here what the inputs point into had to live
            return label_report_of(report)

        return listener.run(run, worker=self._worker())

    def _change(self, step: Callable[[Any, Any], Any]) -> None:
        """A quick call that writes: on the thread of the transaction when there is one."""
        handle, worker = self._open_handle(), self._worker()
        if worker is None:
            handle.call(step)
        else:
            patiently(lambda: handle.call(step), abandon=False, worker=worker)

    # ---- Transactions ----------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """`with db.transaction():` what this thread adds, removes and sets inside becomes durable
        and visible as a whole at its end, or not at all when an exception leaves it.

        Other writers wait meanwhile; queries, of this thread too, see the state before. Ingest is
        refused inside.
        """
        self.begin()
        try:
            yield self
        except BaseException:
            if not self.closed:
                self.rollback()
            raise
        self.commit()

    def begin(self) -> None:
        """Begins a transaction of this thread; `transaction` is the better way. Ends by commit or
        rollback, on the same thread."""
        handle = self._open_handle()
        # The main thread's calls are made by helpers: all those of a transaction by the same one.
        worker = Worker(owned=True) if in_main_thread() and self._worker() is None else None
        try:
            patiently(
                lambda: handle.call(lambda db, error: lib.imgret_begin(db, error)),
                abandon=False,
                worker=worker or self._worker(),
            )
        except BaseException:
            if worker is not None:
                worker.end()
            raise
        self._here.open = True
        if worker is not None:
            self._here.worker = worker

    def commit(self) -> None:
        """Makes this thread's transaction durable and visible; when it fails nothing is stored."""
        self._end(lambda db, error: lib.imgret_commit(db, error))

    def rollback(self) -> None:
        """Ends this thread's transaction and forgets what it did."""
        self._end(lambda db, error: lib.imgret_rollback(db, error))

    def _end(self, step: Callable[[Any, Any], Any]) -> None:
        worker = self._worker()
        try:
            self._change(step)
        finally:
            self._here.open = False
            if worker is not None:
                self._here.worker = None
                worker.end()

    def _worker(self) -> Optional[Worker]:
        """The helper that the main thread's open transaction is bound to."""
        worker: Optional[Worker] = getattr(self._here, "worker", None)
        if worker is not None and self._handle is not None and not self._handle.is_owner():
            raise ForkedError("the database was opened before fork(): open it again in the child")
        return worker

    # ---- Ask -------------------------------------------------------------------------------------

    def query(
        self,
        what: Optional[Picture | Vector] = None,
        *,
        id: Optional[int] = None,
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
        terms: Optional[Iterable[tuple[Example, float]]] = None,
        combine: Optional[str] = None,
        colors: Optional[Colors] = None,
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
    ) -> Results:
        """The k images most alike to `what` (all that `add` takes) or to the image `id`.

        Best first, equal scores by ascending id.

        min_score, where, params, exclude_ids: only these. `where` is an SQL expression over the
        columns of docs/filters.md, such as "label = 'cat' AND width > :least", with its parameters
        as a dict; where_seconds is what evaluating it may take. A query by id leaves that image
        out unless include_self.
        effort: candidates that a search of a segment keeps, 0 is the library's choice; or
        target_recall, 0.5 to 0.9999. estimated: scores of results in segments may be estimates, for
        fewer reads; `Results.stats.estimates` says so. ids_only: id and score of each result are
        all that is wanted, so that records need not be read. deadline_seconds: InterruptedError after it, or with
        allow_partial the best so far, `Results.partial`.
        terms: further examples with their weights, [(picture, vector or id, weight)], negative for
        unlike; combine: "mean" of all, or "best" for those like any of them.
        colors: "red:2,#ffffff", or a list of names, (red, green, blue) and (color, weight);
        color_weight: theirs beside examples, 0.5 by default.
        diversity: 0 to 1. rerank: gets the best candidates as a list of hits and returns as many
        scores. rerank_by: "color" or "geometry", what the candidates are also ranked by, with
        rerank_weight, 0.5 by default. candidate_count: how many pictures colours, diversity and
        reranking look at.
        min_likeness: "similar", "near" or "same" in place of min_score: what `calibrate` found.
        cursor: `Results.cursor` of the page before, for the one that follows.
        box: ask with a part of the picture, (x, y, width, height) in pixels; main_object: with its
        main object; region: with that object of `id`. search: "whole" pictures, "objects" or
        "both"; group: one result an image.
        """
        if what is not None and id is not None:
            raise TypeError("query takes something to look for, or id=")
        if what is None and id is None and terms is None and colors is None:
            raise TypeError("query takes something to look for: a picture, id=, terms= or colors=")
        input = None
        if what is not None:
            input = prepare(what)
        elif id is not None:
            input = prepare_id(id)
        options = query_options(
            k,
            min_score,
            include_self,
            effort,
            where,
            params,
            where_seconds,
            deadline_seconds,
            allow_partial,
            target_recall,
            terms,
            combine,
            colors,
            color_weight,
            candidate_count,
            exclude_ids,
            cursor,
            diversity,
            rerank,
            box,
            search,
            region,
            main_object,
            group,
            estimated,
            min_likeness,
            rerank_by,
            rerank_weight,
            ids_only,
        )
        handle = self._open_handle()
        if self._slow or input is None or input.kind < _abi.INPUT_VECTOR or rerank is not None:
            return patiently(lambda: self._query(handle, input, options), abandon=True)
        return self._query(handle, input, options)

    def _query(self, handle: Handle, input: Optional[Prepared], options: Options) -> Results:
        out = ctypes.c_void_p()
        began = time.perf_counter()
        try:
            handle.call(lambda db, error: _imgret_query(out, db, input, options, error))
        except InterruptedError:
            if getattr(options, "failures", None):
                raise options.failures[0] from None
            raise
        if input is None or input.kind >= _abi.INPUT_VECTOR:
            self._slow = time.perf_counter() - began > _SLOW_S
        return Results(out.value)  # type: ignore[arg-type]

    def query_batch(
        self,
        what: Union[HasArrayInterface, Iterable[Example]],
        *,
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
        terms: Optional[Iterable[tuple[Example, float]]] = None,
        combine: Optional[str] = None,
        colors: Optional[Colors] = None,
        color_weight: float = 0,
        candidate_count: int = 0,
        exclude_ids: Optional[Iterable[int]] = None,
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
    ) -> Batch:
        """Answers many queries at once, far faster than one by one: `what` is a matrix of vectors,
        one a row (float32 memory is used as it is), or a list of pictures, vectors and ids.

        The keywords are those of `query`, for all of them. The first one that fails is the failure
        of the call; its message begins with "input N: ".
        """
        inputs, count, keeper = inputs_of(what, prepare_example)
        options = query_options(
            k,
            min_score,
            include_self,
            effort,
            where,
            params,
            where_seconds,
            deadline_seconds,
            allow_partial,
            target_recall,
            terms,
            combine,
            colors,
            color_weight,
            candidate_count,
            exclude_ids,
            None,
            diversity,
            rerank,
            box,
            search,
            region,
            main_object,
            group,
            estimated,
            min_likeness,
            rerank_by,
            rerank_weight,
            ids_only,
        )
        handle = self._open_handle()
        out = (ctypes.c_void_p * max(count, 1))()

        def run() -> Batch:
            try:
                handle.call(
                    lambda db, e: lib.imgret_query_batch(out, db, inputs, count, options, e)
                )
            except InterruptedError:
                if getattr(options, "failures", None):
                    raise options.failures[0] from None
                raise
            del keeper[:]  # until here what the inputs point into had to live
            return Batch([Results(pointer) for pointer in out[:count] if pointer], k)

        return patiently(run, abandon=True)

    def count(
        self,
        *,
        state: Optional[str] = None,
        where: Optional[str] = None,
        params: Optional[Params] = None,
        where_seconds: Optional[float] = None,
    ) -> int:
        """The number of images, of those that match `where` when it is given."""
        rows, row_count = c_params(params)
        options = _abi.CountOptions(
            ctypes.sizeof(_abi.CountOptions),
            number_of(_types.STATES, state, "state"),
            c_where(where),
            rows,
            row_count,
            c_ms(where_seconds),
        )
        out, handle = ctypes.c_uint64(), self._open_handle()
        patiently(
            lambda: handle.call(lambda db, error: lib.imgret_count(out, db, options, error)),
            abandon=True,
        )
        return out.value

    # ---- Look at what is there -------------------------------------------------------------------

    def list(
        self,
        *,
        state: Optional[str] = None,
        uri: Optional[str] = None,
        after_id: int = 0,
        page_size: int = 1000,
        where: Optional[str] = None,
        params: Optional[Params] = None,
        where_seconds: Optional[float] = None,
    ) -> Iterator[Record]:
        """All images by ascending id, read a page at a time; state: "stored" or "failed"; `where`
        and its parameters as in `query`."""
        if page_size < 1:
            raise ValueError(f"page_size must be at least 1, not {page_size}")
        rows, row_count = c_params(params)
        options = _abi.ListOptions(
            ctypes.sizeof(_abi.ListOptions),
            number_of(_types.STATES, state, "state"),
            after_id,
            c_text(uri, "a uri"),
            page_size,
            c_where(where),
            rows,
            row_count,
            c_ms(where_seconds),
        )
        return self._pages(options, page_size)

    def _pages(self, options: _abi.ListOptions, page_size: int) -> Iterator[Record]:
        handle = self._open_handle()
        while True:
            page = _records(
                handle, lambda out, db, error: lib.imgret_list(out, db, options, error)
            )
            yield from page
            if len(page) < page_size:
                return
            options.after_id = page[-1].id

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

    def get_regions(self, id: int) -> List[Region]:
        """The regions of an image by ordinal; all of it comes first, and alone in a database that
        has no regions."""
        out = ctypes.c_void_p()
        self._open_handle().call(lambda db, error: lib.imgret_get_regions(out, db, id, error))
        try:
            count = lib.imgret_regions_count(out)
            return [region_of(lib.imgret_regions_at(out, i).contents) for i in range(count)]
        finally:
            lib.imgret_regions_free(out)

    # ---- Indexes for filters ---------------------------------------------------------------------

    def create_index(self, expression: str) -> None:
        """Makes an index for filters by a value of the metadata, "meta->>'camera'", or by a column
        such as "width"; docs/filters.md tells which. ExistsError when it is there."""
        raw = c_text(expression, "an index")
        self._change(lambda db, error: lib.imgret_create_index(db, raw, error))

    def drop_index(self, expression: str) -> None:
        """Takes an index away again. NotFoundError when there is none."""
        raw = c_text(expression, "an index")
        self._change(lambda db, error: lib.imgret_drop_index(db, raw, error))

    def indexes(self) -> List[str]:
        """The expressions of the indexes that were asked for."""
        out = ctypes.c_void_p()
        self._open_handle().call(lambda db, error: lib.imgret_list_indexes(out, db, error))
        try:
            count = lib.imgret_indexes_count(out)
            return [lib.imgret_indexes_at(out, i).decode() for i in range(count)]
        finally:
            lib.imgret_indexes_free(out)


def _telling(on_item: Callable[[LabelItem], object]) -> Callable[[Any], object]:
    return lambda item: on_item(label_item_of(item.contents))


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
    index_ram_bytes: int = 0,
    instances: int = 0,
    batch_max: int = 0,
    batch_delay_us: Optional[int] = None,
    queue_max: int = 0,
    feature_cache_bytes: Optional[int] = None,
    regions: Optional[str] = None,
    maintain: bool = False,
    decode_isolation: Optional[AnyPath] = None,
) -> Database:
    """Opens the database in folder `path`, or makes it.

    `model` is what turns pictures into vectors: "classic" (built in, the default of a new
    database), a file of weights such as "vit.safetensors", or "vectors:512" for ready vectors of
    that dimension. None opens a database with the model it was made with.

    read_only, existing: it must exist. new: it must not. metric: "cosine" (default), "ip" or "l2";
    vector_type: "f16" (default) or "f32"; both are settled when the database is made.
    busy_seconds: how long to wait for another writer, 5 by default, 0 for not at all.
    index_ram_bytes: RAM for the codes and graphs of segments, 0 for as much as they want.
    instances, batch_max, batch_delay_us, queue_max: how the model serves many threads, see
    docs/models.md; 0 microseconds never wait.
    feature_cache_bytes: memory for vectors of pictures seen lately, 8 MiB by default, 0 for none.
    decode_isolation: "auto" decodes pictures in confined processes of their own, for pictures from
    strangers; see docs/isolation.md.
    maintain: a thread of the handle optimizes by itself when it pays.
    regions: which parts of a picture get a vector of their own, settled when the database is made:
    "none", "center", "grid=2x2", "detector:MODEL", see docs/regions.md.
    """
    close_what_is_left()
    flags = (
        (_abi.OPEN_READ_ONLY if read_only else 0)
        | (_abi.OPEN_EXISTING if existing else 0)
        | (_abi.OPEN_NEW if new else 0)
        | (_abi.OPEN_MAINTAIN if maintain else 0)
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
        busy_timeout_ms=busy_ms(busy_seconds),
        index_ram_bytes=index_ram_bytes,
        instances=instances,
        batch_max=batch_max,
        batch_delay_us=c_or_none(batch_delay_us, _abi.NO_WAIT),
        queue_max=queue_max,
        feature_cache_bytes=c_or_none(feature_cache_bytes, _abi.NO_CACHE),
        regions=c_text(regions, "regions"),
        decode_isolation=None if decode_isolation is None else c_path(decode_isolation),
    )
    return Database(path, options)

"""An open database: its life, and what looks after it."""

from __future__ import annotations

import ctypes
import os
import warnings
from typing import Any, Callable, List, Optional, Tuple, TypeVar, Union

from . import _abi
from ._calls import Handle, Worker, patiently
from ._errors import InterruptedError, error_of
from ._library import lib
from ._query import Params, c_ms, c_params, c_where
from ._types import (
    DUPLICATES,
    Calibration,
    DuplicateGroup,
    DuplicatesReport,
    IngestItem,
    ReembedReport,
    RepairReport,
    SalvageReport,
    Stats,
    calibration_of,
    duplicate_group_of,
    duplicates_report_of,
    item_of,
    number_of,
    reembed_report_of,
    repair_report_of,
    salvage_report_of,
    stats_of,
)
from ._values import AnyPath, busy_ms, c_model, c_path

T = TypeVar("T")


class Listener:
    """A callback that the library may be stopped by: an exception of the listener's ends the call
    and comes out of it."""

    def __init__(self, listener: Optional[Callable[..., object]]) -> None:
        self.listener = listener
        self.failures: List[BaseException] = []
        self.stopping = False

    def __call__(self, _user: Any, *news: Any) -> int:
        try:
            if self.listener is not None:
                self.listener(*news)
            return int(self.stopping)
        except BaseException as failure:
            self.failures.append(failure)
            return 1

    def stop(self) -> None:
        self.stopping = True

    def run(
        self, work: Callable[[], T], abandon: bool = False, worker: Optional[Worker] = None
    ) -> T:
        """`work`, which calls the library with this as its callback."""

        def guarded() -> T:
            try:
                return work()
            except InterruptedError:
                if self.failures:
                    raise self.failures[0] from None
                raise

        return patiently(guarded, abandon, worker, self.stop)


class Upkeep:
    """The part of Database that looks after it."""

    _path: str
    _handle: Optional[Handle]

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

    def optimize(
        self,
        *,
        force: bool = False,
        memory_bytes_max: int = 0,
        progress: Optional[Callable[[float], object]] = None,
    ) -> None:
        """Moves vectors from memory into a segment on disk, so that queries no longer compare every
        vector. Does nothing when it would not pay, unless `force`; calls go on meanwhile.

        `progress` gets a number from 0 to 1, on a thread of the binding. Ctrl-C or an exception of
        `progress` stops it and leaves all as it was.
        """
        handle = self._open_handle()
        listener = Listener(progress)
        options = _abi.OptimizeOptions(
            size=ctypes.sizeof(_abi.OptimizeOptions),
            flags=_abi.OPTIMIZE_FORCE if force else 0,
            memory_bytes_max=memory_bytes_max,
            on_progress=_abi.optimize_fn(listener),
        )
        listener.run(lambda: handle.call(lambda db, e: lib.imgret_optimize(db, options, e)))

    def check(self) -> List[str]:
        """Reads the whole database; returns what is wrong with it, a line each."""
        handle = self._open_handle()
        problems: List[str] = []
        listener = Listener(lambda message: problems.append(message.decode("utf-8", "replace")))
        callback = _abi.check_fn(listener)
        listener.run(
            lambda: handle.call(lambda db, e: lib.imgret_check(db, callback, None, None, e)),
            abandon=True,
        )
        return problems

    def repair(
        self,
        *,
        memory_bytes_max: int = 0,
        on_item: Optional[Callable[[IngestItem], object]] = None,
    ) -> RepairReport:
        """Makes damaged or missing segment files anew; pictures whose vectors were lost are
        extracted again where their files are, else they become failures. `on_item` is told of each
        of these, on a thread of the binding. Stopped, a later call goes on."""
        handle = self._open_handle()
        listener = Listener(on_item and _telling(on_item))
        options = _abi.RepairOptions(
            size=ctypes.sizeof(_abi.RepairOptions),
            on_item=_abi.ingest_item_fn(listener),
            memory_bytes_max=memory_bytes_max,
        )
        report = _abi.RepairReport(size=ctypes.sizeof(_abi.RepairReport))
        listener.run(lambda: handle.call(lambda db, e: lib.imgret_repair(db, options, report, e)))
        return repair_report_of(report)

    def reembed(
        self,
        model: Union[str, os.PathLike[str]],
        *,
        drop_missing: bool = False,
        memory_bytes_max: int = 0,
        on_item: Optional[Callable[[IngestItem], object]] = None,
        progress: Optional[Callable[[int, int], object]] = None,
    ) -> ReembedReport:
        """Moves the database to another model: extracts every picture anew from its file, while
        queries and adds go on, and exchanges the vectors at the end. Stopped, a later call with the
        same model goes on. Close the database afterwards and open it again: until then, what needs
        vectors is a MismatchError.

        A picture whose file is gone makes it fail at the end with NotFoundError, or with
        drop_missing becomes a failure; `on_item` is told of each, `progress` of the pictures done
        and all there are, both on a thread of the binding.
        """
        handle, listener = self._open_handle(), Listener(progress)
        items = Listener(on_item and _telling(on_item))
        options = _abi.ReembedOptions(
            size=ctypes.sizeof(_abi.ReembedOptions),
            flags=_abi.REEMBED_DROP_MISSING if drop_missing else 0,
            model=c_model(model),
            on_item=_abi.ingest_item_fn(items),
            on_progress=_abi.transfer_fn(listener),
            memory_bytes_max=memory_bytes_max,
        )
        items.failures = listener.failures
        report = _abi.ReembedReport(size=ctypes.sizeof(_abi.ReembedReport))
        listener.run(lambda: handle.call(lambda db, e: lib.imgret_reembed(db, options, report, e)))
        return reembed_report_of(report)

    def calibrate(
        self, *, sample_count: int = 0, copies: bool = True, copy_max: int = 0
    ) -> Calibration:
        """Measures what scores mean in this collection under its model, and stores it for
        min_likeness and for `duplicates`.

        sample_count: pictures that are looked at, 1,000 by default. copies: read some of their files,
        at most copy_max (64 by default), to see how alike altered copies are. See docs/calibration.md.
        """
        options = _abi.CalibrateOptions(
            ctypes.sizeof(_abi.CalibrateOptions),
            0 if copies else _abi.CALIBRATE_NO_COPIES,
            sample_count,
            copy_max,
        )
        out, handle = _abi.Calibration(size=ctypes.sizeof(_abi.Calibration)), self._open_handle()
        patiently(
            lambda: handle.call(lambda db, e: lib.imgret_calibrate(db, options, out, e)),
            abandon=True,
        )
        return calibration_of(out)

    def calibration(self) -> Calibration:
        """What `calibrate` stored; NotFoundError when it never did, or under another model."""
        out = _abi.Calibration(size=ctypes.sizeof(_abi.Calibration))
        self._open_handle().call(lambda db, e: lib.imgret_get_calibration(db, out, e))
        return calibration_of(out)

    def duplicates(
        self,
        *,
        kind: str = "near",
        turned: bool = False,
        similar_score: float = 0,
        where: Optional[str] = None,
        params: Optional[Params] = None,
        where_seconds: Optional[float] = None,
        on_group: Optional[Callable[[DuplicateGroup], object]] = None,
    ) -> DuplicatesReport:
        """Finds pictures that show the same; `on_group` is told of each group as it is found, on a
        thread of the binding.

        kind: up to "identical", "near" or "similar" ones; similar_score: the least score of
        similar ones, by default what `calibrate` found, else 0.95 under the cosine metric. turned: also mirrored pictures and
        such that are turned by quarters. See docs/duplicates.md.
        """
        rows, row_count = c_params(params)
        listener = Listener(on_group and _telling_group(on_group))
        callback = _abi.duplicates_fn(listener)
        options = _abi.DuplicatesOptions(
            ctypes.sizeof(_abi.DuplicatesOptions),
            _abi.DUPLICATES_TURNED if turned else 0,
            number_of(DUPLICATES, kind, "kind"),
            0,
            similar_score,
            c_where(where),
            rows,
            row_count,
            c_ms(where_seconds),
        )
        report = _abi.DuplicatesReport(size=ctypes.sizeof(_abi.DuplicatesReport))
        handle = self._open_handle()
        listener.run(
            lambda: handle.call(
                lambda db, e: lib.imgret_duplicates(db, options, callback, None, report, e)
            ),
            abandon=True,
        )
        return duplicates_report_of(report)

    def backup(
        self, folder: AnyPath, *, progress: Optional[Callable[[int, int], object]] = None
    ) -> None:
        """Copies the database, as the last commit left it, to the new folder `folder`, itself a
        database, while others go on. It appears whole at the end or not at all.

        `progress` gets the bytes copied and those of all there are, on a thread of the binding; an
        exception of it, or Ctrl-C, stops the copy.
        """
        raw, handle, listener = c_path(folder), self._open_handle(), Listener(progress)
        options = _abi.BackupOptions(
            size=ctypes.sizeof(_abi.BackupOptions),
            on_progress=_abi.backup_progress_fn(listener),
        )
        listener.run(lambda: handle.call(lambda db, e: lib.imgret_backup(db, raw, options, e)))

    def export(
        self, folder: AnyPath, *, progress: Optional[Callable[[int, int], object]] = None
    ) -> None:
        """Writes everything to the new folder `folder` in forms that other programs read, NDJSON
        and a NumPy matrix: see docs/export.md. `progress` gets the images done and all there are.
        """
        raw, handle = c_path(folder), self._open_handle()
        options, listener = _transfer(progress)
        listener.run(lambda: handle.call(lambda db, e: lib.imgret_export(db, raw, options, e)))

    def load_model(self, model: Any = None) -> None:
        """Loads the database's extractor now, from `model` (None: from where it was recorded), in
        place of the one that is loaded. MismatchError when its vectors would be others."""
        raw, handle = c_model(model), self._open_handle()
        patiently(
            lambda: handle.call(lambda db, error: lib.imgret_load_model(db, raw, error)),
            abandon=False,
        )

    def unload_model(self) -> None:
        """Lets go of the loaded extractor and its memory; it is loaded again when it is needed."""
        self._open_handle().call(lambda db, error: lib.imgret_unload_model(db, error))


def _telling_group(on_group: Callable[[DuplicateGroup], object]) -> Callable[[Any], object]:
    return lambda group: on_group(duplicate_group_of(group.contents))


def _telling(on_item: Callable[[IngestItem], object]) -> Callable[[Any], object]:
    return lambda item: on_item(item_of(item.contents))


def _transfer(
    progress: Optional[Callable[[int, int], object]],
) -> Tuple[_abi.TransferOptions, Listener]:
    listener = Listener(progress)
    options = _abi.TransferOptions(
        size=ctypes.sizeof(_abi.TransferOptions),
        on_progress=_abi.transfer_fn(listener),
    )
    return options, listener


def import_folder(
    path: AnyPath,
    folder: AnyPath,
    *,
    progress: Optional[Callable[[int, int], object]] = None,
) -> None:
    """Makes the new database `path` from a folder that Database.export, or another program, wrote.
    It appears whole at the end or not at all. `progress` gets the images done and all there are."""
    raw_path, raw_folder = c_path(path), c_path(folder)
    options, listener = _transfer(progress)

    def work() -> None:
        error = _abi.Error(size=ctypes.sizeof(_abi.Error))
        status = lib.imgret_import(raw_path, raw_folder, options, error)
        if status:
            raise error_of(status, error.message)

    listener.run(work)


def salvage(path: AnyPath, *, busy_seconds: Optional[float] = None) -> SalvageReport:
    """Makes a damaged catalog.db anew from all that can be read; nobody may have the database open
    (busy_seconds: how long to wait for them, as in `open`). Does nothing where nothing is wrong.
    Database.repair afterwards extracts lost pictures again."""
    raw_path = c_path(path)
    losses: List[str] = []
    listener = Listener(lambda message: losses.append(message.decode("utf-8", "replace")))
    options = _abi.SalvageOptions(
        size=ctypes.sizeof(_abi.SalvageOptions),
        busy_timeout_ms=busy_ms(busy_seconds),
        on_loss=_abi.check_fn(listener),
    )
    report = _abi.SalvageReport(size=ctypes.sizeof(_abi.SalvageReport))

    def work() -> None:
        error = _abi.Error(size=ctypes.sizeof(_abi.Error))
        status = lib.imgret_salvage(raw_path, options, report, error)
        if status:
            raise error_of(status, error.message)

    listener.run(work)
    return salvage_report_of(report, losses)

"""Ingest as an iterator: the library works on a thread of its own, items come as it settles them."""

from __future__ import annotations

import atexit
import ctypes
import os
import queue
import threading
import weakref
from typing import Any, Callable, Iterable, Iterator, List, Optional, Union

from . import _abi
from ._calls import Handle
from ._errors import error_of
from ._library import lib
from ._types import IngestItem, IngestProgress, item_of, progress_of

Progress = Union[bool, Callable[[IngestProgress], object]]

_QUEUE_MAX = 1024
_POLL_S = 0.05


class _End:
    """The last thing in the queue: what the call came to."""

    def __init__(self, failure: Optional[BaseException]) -> None:
        self.failure = failure


class _Bar:
    """Shows progress with tqdm."""

    def __init__(self, tqdm: Any) -> None:
        self._bar = tqdm(total=None, unit=" files", dynamic_ncols=True)

    def __call__(self, progress: IngestProgress) -> None:
        self._bar.total = progress.file_count if progress.listing_done else None
        self._bar.n = progress.done_count
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()


def _shower(progress: Progress) -> Optional[Callable[[IngestProgress], object]]:
    if callable(progress):
        return progress
    if not progress:
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return _Bar(tqdm)


class _Run:
    """The call and its thread; it never refers to the Ingest, which may so be forgotten."""

    def __init__(self, handle: Handle, paths: List[bytes], flags: int, count: int, ms: int) -> None:
        self.handle = handle
        self.paths = paths
        self.flags = flags
        self.commit_count = count
        self.commit_ms = ms
        self.queue: queue.Queue[Union[IngestItem, IngestProgress, _End]] = queue.Queue(_QUEUE_MAX)
        self.stopping = False
        self.failure: Optional[BaseException] = None
        self.latest = IngestProgress()
        self.thread = threading.Thread(target=self._main, name="imgret-ingest", daemon=True)

    def _on_item(self, _user: Any, item: Any) -> int:
        try:
            return self._put(item_of(item.contents))
        except BaseException as failure:
            self.failure = failure
            return 1

    def _on_progress(self, _user: Any, progress: Any) -> int:
        try:
            self.latest = progress_of(progress.contents)
            if not self.queue.full():  # the next one will say it all anyway
                self._put(self.latest)
            return int(self.stopping or self.handle.closed)
        except BaseException as failure:
            self.failure = failure
            return 1

    def _put(self, event: Union[IngestItem, IngestProgress, _End]) -> int:
        """1 when the run is to stop. Waits for a reader that is slower than the library."""
        while not self.stopping and not self.handle.closed:
            try:
                self.queue.put(event, timeout=_POLL_S)
                return 0
            except queue.Full:
                pass
        return 1

    def _call(self, pointer: int) -> None:
        paths = (ctypes.c_char_p * len(self.paths))(*self.paths)
        options = _abi.IngestOptions(
            size=ctypes.sizeof(_abi.IngestOptions),
            flags=self.flags,
            paths=paths,
            path_count=len(paths),
            on_item=_abi.ingest_item_fn(self._on_item),
            on_progress=_abi.ingest_progress_fn(self._on_progress),
            commit_count=self.commit_count,
            commit_ms=self.commit_ms,
        )
        report = _abi.IngestProgress(size=ctypes.sizeof(_abi.IngestProgress))
        error = _abi.Error(size=ctypes.sizeof(_abi.Error))
        status = lib.imgret_ingest(pointer, options, report, error)
        self.latest = progress_of(report)
        if self.failure is not None:
            raise self.failure
        if status and not (self.stopping and status == _abi.INTERRUPTED):
            raise error_of(status, error.message)

    def _main(self) -> None:
        failure: Optional[BaseException] = None
        try:
            pointer = self.handle.pin()
            try:
                self._call(pointer)
            finally:
                self.handle.unpin()
        except BaseException as caught:
            failure = caught
        end = _End(failure)
        while not self.stopping:
            try:
                self.queue.put(end, timeout=_POLL_S)
                return
            except queue.Full:
                if self.handle.closed:  # nobody reads any more
                    self.queue.get()


class Ingest(Iterator[IngestItem]):
    """An ingest: iterate over it for its items, or let `finish` run it to its end.

    It begins with the first item that is asked for. Each item is durable when it is seen; leaving
    the loop, `close` or Ctrl-C stops the run after committing what is done, and running it again
    does the rest. Its counts so far are in `progress`.
    """

    def __init__(
        self, handle: Handle, paths: List[bytes], flags: int, count: int, ms: int, show: Progress
    ) -> None:
        self._run = _Run(handle, paths, flags, count, ms)
        self._show = _shower(show)
        self._started = False
        self._ended = False

    @property
    def progress(self) -> IngestProgress:
        """The counts; final when the run has ended."""
        return self._run.latest

    def __iter__(self) -> Ingest:
        return self

    def __next__(self) -> IngestItem:
        if self._ended:
            raise StopIteration
        try:
            return self._next()
        except BaseException:
            self.close()
            raise

    def _next(self) -> IngestItem:
        if not self._started:
            self._started = True
            _alive.add(self)
            self._run.thread.start()
        while True:
            event = self._run.queue.get()
            if isinstance(event, IngestItem):
                return event
            if isinstance(event, IngestProgress):
                if self._show is not None:
                    self._show(event)
                continue
            self._run.thread.join()
            if self._show is not None:
                self._show(self._run.latest)
            if event.failure is not None:
                raise event.failure
            raise StopIteration

    def finish(self) -> IngestProgress:
        """Runs through what is left and returns the final counts."""
        for _ in self:
            pass
        return self.progress

    def close(self) -> None:
        """Stops the run; what is done is committed on return."""
        self._ended = True
        self._run.stopping = True
        if self._run.thread.is_alive():
            self._run.thread.join()
        if isinstance(self._show, _Bar):
            self._show.close()

    def __enter__(self) -> Ingest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not self._ended:
            self.close()


_alive: weakref.WeakSet[Ingest] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """Callbacks must not come once the interpreter is gone."""
    for each in list(_alive):
        each.close()


def paths_of(paths: Any) -> List[bytes]:
    """One path or many, as the operating system has them."""
    if isinstance(paths, (str, bytes, os.PathLike)):
        paths = [paths]
    return [os.fsencode(path) for path in paths]


Paths = Union[
    str, bytes, "os.PathLike[str]", "os.PathLike[bytes]", Iterable[Union[str, bytes, "os.PathLike[str]"]]
]

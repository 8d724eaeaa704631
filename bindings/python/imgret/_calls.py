"""Calls on a handle: never after close, never in a forked child, and open to Ctrl-C.

While a thread is inside the library Python cannot run its signal handlers. So what may take long
is, when the main thread asks for it, run on a helper thread, and the main thread waits where
Ctrl-C reaches it. Quick calls are made directly: the detour costs some 50 microseconds.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
import _thread
from queue import SimpleQueue
from typing import Any, Callable, Generic, List, Optional, TypeVar

from . import _abi
from ._errors import error_of
from ._library import lib

T = TypeVar("T")
Pointer = int
Step = Callable[[Pointer, Any], Any]

# How long an interrupted call is waited for before it is left to itself.
_STOP_TRIES = 10
_STOP_TRY_S = 0.02
# A signal that comes just before the main thread goes to sleep does not wake it: it looks again.
_LOOK_S = 0.25
_ERROR_SIZE = ctypes.sizeof(_abi.Error)


class Handle:
    """An open database or extractor, counted so that close waits for the calls that run on it.

    `_running` is a list because append and pop are atomic: no lock that a fork could leave held.
    """

    def __init__(
        self,
        pointer: Pointer,
        close: Callable[[Pointer], None],
        interrupt: Optional[Callable[[Pointer], None]] = None,
    ) -> None:
        self._pointer: Optional[Pointer] = pointer
        self._close = close
        self._interrupt = interrupt
        self._running: List[None] = []
        self._owner = os.getpid()

    @property
    def closed(self) -> bool:
        return self._pointer is None

    @property
    def calls(self) -> int:
        """Number of calls that are running."""
        return len(self._running)

    def is_owner(self) -> bool:
        """False in a child of the process that opened it."""
        return os.getpid() == self._owner

    def pin(self) -> Pointer:
        """The pointer, good until unpin. The count goes up first: close looks the other way."""
        self._running.append(None)
        pointer = self._pointer
        if pointer is None:
            self._running.pop()
            raise ValueError("it is closed")
        return pointer

    def unpin(self) -> None:
        self._running.pop()

    def call(self, step: Step) -> None:
        """Runs `step` with the pointer and the address of an error; raises what it reports."""
        error = _abi.Error(_ERROR_SIZE)
        pointer = self.pin()
        try:
            status = step(pointer, ctypes.byref(error))
        finally:
            self._running.pop()
        if status:
            raise error_of(status, error.message)

    def interrupt(self) -> None:
        """Stops the calls that are running, those of all threads."""
        pointer = self._pointer
        if pointer is not None and self._interrupt is not None:
            self._interrupt(pointer)

    def close(self) -> None:
        """Stops and awaits running calls, then closes. A child of fork only forgets."""
        pointer, self._pointer = self._pointer, None
        if pointer is None or not self.is_owner():
            return
        while self._running:
            if self._interrupt is not None:
                self._interrupt(pointer)
            time.sleep(0.001)
        self._close(pointer)

    def __del__(self) -> None:
        # A log callback runs under locks of the library: there nothing may be closed.
        if in_log_callback():
            _left_to_close.append(self._pointer_taken())
        else:
            self.close()

    def _pointer_taken(self) -> Callable[[], None]:
        pointer, self._pointer = self._pointer, None
        close = self._close
        return lambda: close(pointer) if pointer is not None else None


_left_to_close: List[Callable[[], None]] = []
_here = threading.local()


def in_log_callback() -> bool:
    return getattr(_here, "logging", False)


def set_in_log_callback(value: bool) -> None:
    _here.logging = value


def close_what_is_left() -> None:
    """Closes what a log callback's garbage collection could not."""
    while _left_to_close:
        _left_to_close.pop()()


# ---- The helper thread ---------------------------------------------------------------------------


class _Job(Generic[T]):
    def __init__(self, function: Callable[[], T]) -> None:
        self.function: Optional[Callable[[], T]] = function
        self.claim = _thread.allocate_lock()  # taken by who runs the job, or by who calls it off
        self.done = _thread.allocate_lock()
        self.done.acquire()
        self.ended = False  # `done` may be acquired by an `acquire` that a signal then ends
        self.stop = ctypes.c_uint32()  # what imgret_set_stop wants: 1 stops this call alone
        self.result: Optional[T] = None
        self.failure: Optional[BaseException] = None

    def run(self) -> None:
        assert self.function is not None
        before = lib.imgret_set_stop(self.stop)
        try:
            self.result = self.function()
        except BaseException as failure:
            self.failure = failure
        lib.imgret_set_stop(before)
        self.function = None
        self.ended = True
        self.done.release()

    def outcome(self) -> T:
        try:
            if self.failure is not None:
                raise self.failure
            return self.result  # type: ignore[return-value]
        finally:
            self.failure = None  # else it would keep this frame, and so itself, alive


class Worker:
    """A thread that makes the main thread's calls. One with an owner serves that one alone, until
    `end`: a transaction belongs to its thread."""

    def __init__(self, owned: bool = False) -> None:
        self.owned = owned
        self.jobs: SimpleQueue[Optional[_Job[Any]]] = SimpleQueue()
        threading.Thread(target=self._run, name="imgret", daemon=True).start()

    def end(self) -> None:
        self.jobs.put(None)

    def _run(self) -> None:
        while True:
            job = self.jobs.get()
            if job is None:
                return
            if job.claim.acquire(blocking=False):
                job.run()
            del job
            if not self.owned:
                _idle.append(self)


_idle: List[Worker] = []
os.register_at_fork(after_in_child=_idle.clear)


def in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def patiently(
    function: Callable[[], T],
    abandon: bool,
    worker: Optional[Worker] = None,
    stop: Optional[Callable[[], object]] = None,
) -> T:
    """`function()`, but so that a signal's exception (Ctrl-C) ends the wait for it.

    The call is then asked to end, and no other; `stop` is told too. With `abandon` a call that does
    not end at once is left to itself and its result dropped; without, it is awaited: it writes. A
    second Ctrl-C ends that wait too. `worker`: the one to make the call, else any.
    """
    if not in_main_thread():
        return function()
    job = _Job(function)
    try:
        if worker is None:
            try:
                worker = _idle.pop()
            except IndexError:
                worker = Worker()
        worker.jobs.put(job)
        while not job.done.acquire(timeout=_LOOK_S):
            pass
    except BaseException:
        if job.claim.acquire(blocking=False):
            raise  # it never began
        job.stop.value = 1
        if stop is not None:
            stop()
        tries = 0
        while not job.ended and not job.done.acquire(timeout=_STOP_TRY_S):
            tries += 1
            if abandon and tries >= _STOP_TRIES:
                break
        raise
    return job.outcome()

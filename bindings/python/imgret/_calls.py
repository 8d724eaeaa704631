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

    def interrupt_alone(self) -> bool:
        """Stops the only call that is running; with others beside it, lets all of them be."""
        if self.calls != 1 or self._interrupt is None:
            return False
        self.interrupt()
        return True

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
        self.result: Optional[T] = None
        self.failure: Optional[BaseException] = None

    def run(self) -> None:
        assert self.function is not None
        try:
            self.result = self.function()
        except BaseException as failure:
            self.failure = failure
        self.function = None
        self.done.release()

    def outcome(self) -> T:
        try:
            if self.failure is not None:
                raise self.failure
            return self.result  # type: ignore[return-value]
        finally:
            self.failure = None  # else it would keep this frame, and so itself, alive


class _Worker:
    def __init__(self) -> None:
        self.jobs: SimpleQueue[_Job[Any]] = SimpleQueue()
        threading.Thread(target=self._run, name="imgret", daemon=True).start()

    def _run(self) -> None:
        while True:
            job = self.jobs.get()
            if job.claim.acquire(blocking=False):
                job.run()
            del job
            _idle.append(self)


_idle: List[_Worker] = []
os.register_at_fork(after_in_child=_idle.clear)


def patiently(function: Callable[[], T], stop: Callable[[], bool], abandon: bool) -> T:
    """`function()`, but so that a signal's exception (Ctrl-C) ends the wait for it.

    Then `stop` asks the call to end; it says no when it may not. With `abandon` a call that does not
    end at once is left to itself and its result dropped; without, it is awaited: it writes. A second
    Ctrl-C ends that wait too.
    """
    if threading.current_thread() is not threading.main_thread():
        return function()
    job = _Job(function)
    try:
        try:
            worker = _idle.pop()
        except IndexError:
            worker = _Worker()
        worker.jobs.put(job)
        while not job.done.acquire(timeout=_LOOK_S):
            pass
    except BaseException:
        if job.claim.acquire(blocking=False):
            raise  # it never began
        tries = 0
        while not abandon or tries < _STOP_TRIES:
            if not stop() and abandon:
                break
            if job.done.acquire(timeout=_STOP_TRY_S):
                break
            tries += 1
        raise
    return job.outcome()

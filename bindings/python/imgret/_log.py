"""Sends the library's messages to a function or a logging.Logger."""

from __future__ import annotations

import atexit
import ctypes
from typing import TYPE_CHECKING, Any, Callable, Union

from . import _abi
from ._calls import set_in_log_callback
from ._library import lib
from ._types import number_of, text_of, word_of

if TYPE_CHECKING:
    import logging

_LEVELS = {
    _abi.LOG_ERROR: "error",
    _abi.LOG_WARNING: "warning",
    _abi.LOG_INFO: "info",
    _abi.LOG_DEBUG: "debug",
}
# The numbers of the logging module, which is not imported for them: it is slow to load.
_LOGGING = {_abi.LOG_ERROR: 40, _abi.LOG_WARNING: 30, _abi.LOG_INFO: 20, _abi.LOG_DEBUG: 10}

LogFunction = Callable[[str, str], object]
_target: Union[None, LogFunction, "logging.Logger"] = None


def _deliver(_user: Any, level: int, message: bytes) -> None:
    target = _target
    if target is None:
        return
    set_in_log_callback(True)
    try:
        text = text_of(message)
        if callable(target):
            target(word_of(_LEVELS, level), text)
        else:
            target.log(_LOGGING.get(level, 10), "%s", text)
    finally:
        set_in_log_callback(False)


# One callback for ever: another thread may still be in it when the target changes.
_callback = _abi.log_fn(_deliver)
_silent = ctypes.cast(0, _abi.log_fn)


def set_log(
    target: Union[None, LogFunction, logging.Logger], level: str = "warning"
) -> None:
    """Sends messages of `level` ("error", "warning", "info", "debug") and more urgent to
    target(level, message) or to a logging.Logger; None silences the library, as it is at first.

    The target may be called by any thread, and must not call imgret.
    """
    global _target
    number = number_of(_LEVELS, level, "level")
    _target = target
    lib.imgret_set_log(_silent if target is None else _callback, None, number)


@atexit.register
def _silence() -> None:
    """The library's threads may outlive the interpreter."""
    lib.imgret_set_log(_silent, None, 0)

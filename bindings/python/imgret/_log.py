"""Sends the library's messages to a function or a logging.Logger."""

from __future__ import annotations

import atexit
import ctypes
import logging
from typing import Any, Callable, Optional, Union

from . import _abi
from ._calls import set_in_log_callback
from ._library import lib
from ._types import number_of, text_of, word_of

_LEVELS = {
    _abi.LOG_ERROR: "error",
    _abi.LOG_WARNING: "warning",
    _abi.LOG_INFO: "info",
    _abi.LOG_DEBUG: "debug",
}
_LOGGING = {
    _abi.LOG_ERROR: logging.ERROR,
    _abi.LOG_WARNING: logging.WARNING,
    _abi.LOG_INFO: logging.INFO,
}

LogFunction = Callable[[str, str], object]
_target: Union[None, LogFunction, logging.Logger] = None


def _deliver(_user: Any, level: int, message: bytes) -> None:
    target = _target
    if target is None:
        return
    set_in_log_callback(True)
    try:
        text = text_of(message)
        if isinstance(target, logging.Logger):
            target.log(_LOGGING.get(level, logging.DEBUG), "%s", text)
        else:
            target(word_of(_LEVELS, level), text)
    except Exception:
        logging.getLogger("imgret").exception("the log function failed")
    finally:
        set_in_log_callback(False)


# One callback for ever: another thread may still be in it when the target changes.
_callback = _abi.log_fn(_deliver)
_silent = ctypes.cast(None, _abi.log_fn)


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

"""Exceptions: one class for each status code of the library."""

from __future__ import annotations

from typing import Any, Dict, Tuple, Type

from . import _abi
from ._library import lib


class ImgretError(Exception):
    """A call of libimgret failed. `code` is the pinned status (imgret.h), `name` its name;
    str() is one line that names the thing at fault."""

    code: int = 0

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code or type(self).code

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (str(self), self.code)

    @property
    def name(self) -> str:
        """The pinned name of the code, such as "IMGRET_NOT_FOUND"."""
        text: bytes = lib.imgret_status_name(self.code)
        return text.decode()


class InvalidArgumentError(ImgretError, ValueError):
    """The arguments make no sense; the message says which."""

    code = _abi.INVALID_ARGUMENT


class NoMemoryError(ImgretError, MemoryError):
    """An allocation failed."""

    code = _abi.NO_MEMORY


class IoError(ImgretError):
    """The operating system refused a read or write."""

    code = _abi.IO


class NotFoundError(ImgretError, LookupError):
    """No such file, image, plugin or setting."""

    code = _abi.NOT_FOUND


class CorruptError(ImgretError):
    """A file of the database is damaged or is no database."""

    code = _abi.CORRUPT


class BusyError(ImgretError):
    """Another process or thread holds what is needed."""

    code = _abi.BUSY


class FullError(ImgretError):
    """The disk is full; what was acknowledged is safe."""

    code = _abi.FULL


class LimitError(ImgretError):
    """A limit (bytes, dimensions, pixels) would be exceeded."""

    code = _abi.LIMIT


class UnsupportedError(ImgretError):
    """Known, but not by this build of the library."""

    code = _abi.UNSUPPORTED


class BadImageError(ImgretError, ValueError):
    """The bytes are no picture, or a damaged one."""

    code = _abi.BAD_IMAGE


class BadModelError(ImgretError):
    """Weights or a backend that cannot be used."""

    code = _abi.BAD_MODEL


class MismatchError(ImgretError):
    """The database was made with another extractor or setting."""

    code = _abi.MISMATCH


class ReadOnlyError(ImgretError):
    """The handle or the medium does not allow writing."""

    code = _abi.READ_ONLY


class InterruptedError(ImgretError):
    """Stopped by Database.interrupt or Database.close. Not Python's InterruptedError."""

    code = _abi.INTERRUPTED


class VersionTooNewError(ImgretError):
    """Written by, or built for, a newer libimgret."""

    code = _abi.VERSION_TOO_NEW


class ForkedError(ImgretError):
    """The object was opened before fork(): open it again in the child."""

    code = _abi.FORKED


class ExistsError(ImgretError):
    """It is there already."""

    code = _abi.EXISTS


class InternalError(ImgretError):
    """A bug in libimgret: please report the message."""

    code = _abi.INTERNAL


BY_CODE: Dict[int, Type[ImgretError]] = {each.code: each for each in ImgretError.__subclasses__()}


def error_of(code: int, message: bytes) -> ImgretError:
    """The exception for a status; ImgretError itself for a code of a newer library."""
    text = message.decode("utf-8", "surrogateescape")
    return BY_CODE.get(code, ImgretError)(text or f"status {code}", code)

"""Turns what Python programs say (text, paths, limits, seconds) into what C takes."""

from __future__ import annotations

import ctypes
import json
import os
from typing import Any, Mapping, Optional, Union

from . import _abi
from ._types import Limits

AnyPath = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Folders = Union[None, AnyPath, "list[AnyPath]"]


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


def c_metadata(metadata: Optional[Mapping[str, Any]]) -> Optional[bytes]:
    if metadata is None:
        return None
    return json.dumps(dict(metadata), allow_nan=False).encode()


def busy_ms(seconds: Optional[float]) -> int:
    if seconds is None:
        return 0
    if seconds <= 0:
        return _abi.NO_WAIT
    return max(1, min(int(seconds * 1000), _abi.NO_WAIT - 1))


def c_or_none(number: Optional[int], nothing: int) -> int:
    """0 (the default) for None, `nothing` for 0."""
    return 0 if number is None else number or nothing

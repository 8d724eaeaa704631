"""Finds libimgret and loads it, once for the process."""

from __future__ import annotations

import ctypes
import os
from typing import Iterator, List, Optional

from . import _abi

_SONAME = "libimgret.so.0"
_HERE = os.path.dirname(os.path.abspath(__file__))


class LibraryNotFoundError(ImportError):
    """libimgret cannot be found or loaded; the message says where it was looked for."""


def _candidates() -> Iterator[str]:
    """Names for the dynamic loader, best first."""
    yield os.path.join(_HERE, "_lib", _SONAME)  # the wheel's own copy
    source = os.path.normpath(os.path.join(_HERE, "..", "..", ".."))
    if os.path.isfile(os.path.join(source, "include", "imgret", "imgret.h")):
        yield os.path.join(source, "build", _SONAME)  # development: what was just built
    yield _SONAME
    # The places of `make install` that the loader may not have heard of yet.
    for folder in ("/usr/local/lib", "/usr/local/lib64"):
        yield os.path.join(folder, _SONAME)


def _load() -> ctypes.CDLL:
    named = os.environ.get("IMGRET_LIBRARY")
    if named:
        try:
            return ctypes.CDLL(named)
        except OSError as error:
            raise LibraryNotFoundError(f"IMGRET_LIBRARY={named}: {error}") from None
    tried: List[str] = []
    for name in _candidates():
        if os.sep in name and not os.path.exists(name):
            tried.append(f"{name}: no such file")
            continue
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            tried.append(str(error))
    from ctypes.util import find_library  # costs five milliseconds, and then may start a compiler

    found = find_library("imgret")
    if found:
        return ctypes.CDLL(found)
    raise LibraryNotFoundError(
        "libimgret is not installed; set IMGRET_LIBRARY to its path, or run `make install`. "
        "Tried: " + "; ".join(tried)
    )


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    try:
        _abi.declare(library)
    except AttributeError as error:
        raise LibraryNotFoundError(f"{library._name} is too old for this imgret: {error}") from None
    return library


def _folder_of(library: ctypes.CDLL) -> Optional[str]:
    """The folder that the library was loaded from, when it was loaded by its path."""
    name = library._name
    return os.path.dirname(os.path.abspath(name)) if os.sep in name else None


def plugin_path(wanted: Optional[bytes]) -> Optional[bytes]:
    """`wanted`, then IMGRET_PLUGIN_PATH, then the plugins beside the library: the library itself
    knows only where `make install` put them."""
    parts = [wanted] if wanted else []
    if _folder is not None:
        places = [os.path.join(_folder, *rest) for rest in (("imgret",), ("lib", "imgret"))]
        beside = [place for place in places if os.path.isdir(place)]
        if beside:
            parts += [os.fsencode(part) for part in [os.environ.get("IMGRET_PLUGIN_PATH")] if part]
            parts += [os.fsencode(place) for place in beside]
    return b":".join(parts) or None


lib = _declare(_load())
_folder = _folder_of(lib)

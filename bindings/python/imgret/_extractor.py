"""Extraction alone: pictures in, feature vectors out, no database."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any, Iterable, List, Optional, Tuple, Union

from . import _abi
from ._arrays import float_rows
from ._calls import Handle, close_what_is_left, patiently
from ._database import Folders, c_folders, c_limits, c_path
from ._errors import error_of
from ._inputs import prepare
from ._library import lib, plugin_path as with_own_plugins
from ._types import ExtractorInfo, Limits, info_of

if TYPE_CHECKING:
    from ._arrays import FloatArray
    from ._inputs import Picture


def _open(model: bytes, options: _abi.ExtractorOptions) -> Handle:
    out = ctypes.c_void_p()
    error = _abi.Error(size=ctypes.sizeof(_abi.Error))
    status = lib.imgret_extractor_open(out, model, options, error)
    if status:
        raise error_of(status, error.message)
    assert out.value is not None
    return Handle(out.value, lib.imgret_extractor_close)


class Extractor:
    """A model that turns pictures into vectors. Any number of threads may use it at once.

    model: "classic", or a file of weights, as in imgret.open. It belongs to its process: used in a
    child of fork() it raises ForkedError.
    """

    def __init__(
        self,
        model: Union[str, "os.PathLike[str]"],
        *,
        threads: int = 0,
        plugin_path: Folders = None,
        limits: Optional[Limits] = None,
    ) -> None:
        close_what_is_left()
        options = _abi.ExtractorOptions(
            size=ctypes.sizeof(_abi.ExtractorOptions),
            threads=threads,
            plugin_path=with_own_plugins(c_folders(plugin_path)),
            limits=c_limits(limits),
        )
        raw = c_path(model)
        self._handle = patiently(lambda: _open(raw, options), lambda: False, abandon=True)
        row = _abi.ExtractorInfo(size=ctypes.sizeof(_abi.ExtractorInfo))
        self._handle.call(lambda it, error: lib.imgret_extractor_get_info(it, row, error))
        self._info = info_of(row)

    @property
    def info(self) -> ExtractorInfo:
        """Its dimension, the picture size it sees, its identity."""
        return self._info

    def extract(self, pictures: Iterable[Picture]) -> FloatArray:
        """A matrix, one row of unit length a picture: numpy float32 of shape (n, dimension).

        Without numpy a list of array.array. The first picture that cannot be read is an exception;
        see try_extract.
        """
        return self._extract(pictures, None)

    def try_extract(self, pictures: Iterable[Picture]) -> Tuple[FloatArray, List[int]]:
        """The matrix and a status code for each picture; a bad one has a code and a row of zeros."""
        prepared = list(pictures)
        statuses = (ctypes.c_int32 * len(prepared))()
        return self._extract(prepared, statuses), list(statuses)

    def _extract(self, pictures: Iterable[Picture], statuses: Any) -> FloatArray:
        if isinstance(pictures, (str, bytes, os.PathLike)):
            raise TypeError("extract takes a list of pictures; one alone: extract([picture])")
        prepared = [prepare(picture) for picture in pictures]
        count, dimension = len(prepared), self._info.dimension
        inputs = (_abi.Input * count)(*prepared)
        floats = (ctypes.c_float * (count * dimension))()
        handle = self._handle

        def run() -> Any:
            if count:
                handle.call(
                    lambda it, error: lib.imgret_extract(
                        it, inputs, count, floats, count * dimension, statuses, error
                    )
                )
            del prepared[:]  # until here what the inputs point into had to live
            return float_rows(floats, count, dimension)

        rows: FloatArray = patiently(run, lambda: False, abandon=True)
        return rows

    @property
    def closed(self) -> bool:
        return self._handle.closed

    def close(self) -> None:
        """Awaits the calls that other threads have running, and closes."""
        self._handle.close()

    def __enter__(self) -> Extractor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<imgret.Extractor {self._info.identity!r}>"

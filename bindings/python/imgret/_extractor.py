"""Extraction alone: pictures in, feature vectors out, no database."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterable, List, Optional, Tuple, Union

from . import _abi
from ._arrays import float_rows
from ._calls import Handle, close_what_is_left, patiently
from ._errors import error_of
from ._inputs import inputs_of, prepare
from ._library import lib, plugin_path as with_own_plugins
from ._types import ExtractorInfo, Limits, info_of, text_of
from ._values import Folders, c_folders, c_limits, c_or_none, c_path

if TYPE_CHECKING:
    from ._arrays import FloatArray
    from ._inputs import Picture


@dataclass(frozen=True)
class Extraction:
    """What Extractor.classify found, an entry or row a picture: vectors of unit length, the head's
    logits before any softmax, the class of the largest with its softmax, 0 to 1, and the status."""

    vectors: FloatArray
    logits: FloatArray
    labels: List[int]
    label_scores: List[float]
    statuses: List[int]


def _no_array(pictures: Any) -> Any:
    """A list of pictures also from an array of them."""
    return list(pictures) if hasattr(pictures, "__array_interface__") else pictures


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
        instances: int = 0,
        batch_max: int = 0,
        batch_delay_us: Optional[int] = None,
        queue_max: int = 0,
    ) -> None:
        close_what_is_left()
        options = _abi.ExtractorOptions(
            size=ctypes.sizeof(_abi.ExtractorOptions),
            threads=threads,
            plugin_path=with_own_plugins(c_folders(plugin_path)),
            limits=c_limits(limits),
            instances=instances,
            batch_max=batch_max,
            batch_delay_us=c_or_none(batch_delay_us, _abi.NO_WAIT),
            queue_max=queue_max,
        )
        raw = c_path(model)
        self._handle = patiently(lambda: _open(raw, options), abandon=True)
        self._info = self._get_info()

    def _get_info(self) -> ExtractorInfo:
        row = _abi.ExtractorInfo(size=ctypes.sizeof(_abi.ExtractorInfo))
        self._handle.call(lambda it, error: lib.imgret_extractor_get_info(it, row, error))
        return info_of(row)

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

        rows: FloatArray = patiently(run, abandon=True)
        return rows

    def classify(self, pictures: Iterable[Picture], *, prepared: bool = False) -> Extraction:
        """Vectors, and what the model's classification head says of each picture. A picture that
        cannot be read has a code in `statuses` and zeros everywhere else. InvalidArgumentError
        when the model has no head.

        `prepared`: pixels of just the size that the model sees, which go to it as they are.
        """
        inputs, count, kept = inputs_of(_no_array(pictures), prepare)
        info = self._info
        vectors = (ctypes.c_float * (count * info.dimension))()
        logits = (ctypes.c_float * (count * info.class_count))()
        labels, scores = (ctypes.c_uint32 * count)(), (ctypes.c_float * count)()
        statuses = (ctypes.c_int32 * count)()
        wanted = _abi.Extraction(
            ctypes.sizeof(_abi.Extraction),
            _abi.EXTRACT_PREPARED if prepared else 0,
            vectors,
            len(vectors),
            logits,
            len(logits),
            labels,
            scores,
            statuses,
        )
        handle = self._handle

        def run() -> Extraction:
            handle.call(
                lambda it, error: lib.imgret_extract_with(it, inputs, count, wanted, error)
            )
            del kept[:]
            return Extraction(
                float_rows(vectors, count, info.dimension),
                float_rows(logits, count, info.class_count),
                list(labels),
                list(scores),
                list(statuses),
            )

        return patiently(run, abandon=True)

    def label(self, index: int) -> str:
        """The name of class `index`. NotFoundError when the specification has no "labels=FILE"."""
        name = ctypes.create_string_buffer(1025)
        self._handle.call(
            lambda it, error: lib.imgret_extractor_get_label(it, index, name, len(name), error)
        )
        return text_of(name.value)

    def replace(self, model: Union[str, "os.PathLike[str]"]) -> None:
        """Goes over to `model`, whose vectors have the same dimension, with the options of this
        one; calls that run meanwhile end on the old model."""
        raw, handle = c_path(model), self._handle
        patiently(
            lambda: handle.call(lambda it, error: lib.imgret_extractor_replace(it, raw, error)),
            abandon=False,
        )
        self._info = self._get_info()

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

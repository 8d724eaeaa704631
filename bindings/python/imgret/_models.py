"""What is done with models and vectors outside of any database: inspection, principal components."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any, Iterable, Optional, Union

from . import _abi
from ._arrays import numpy_or_none
from ._calls import patiently
from ._errors import error_of
from ._inputs import prepare_vector
from ._library import lib, plugin_path as with_own_plugins
from ._types import ModelReport, model_report_of
from ._values import AnyPath, Folders, c_folders, c_path, c_text

if TYPE_CHECKING:
    from ._inputs import HasArrayInterface, Vector


def inspect_model(
    model: Union[str, "os.PathLike[str]"], *, plugin_path: Folders = None
) -> ModelReport:
    """Looks into a file of weights; one that cannot be used is described, too: `status` and
    `reason` say why."""
    raw, plugins = c_path(model), with_own_plugins(c_folders(plugin_path))

    def work() -> ModelReport:
        out = ctypes.c_void_p()
        error = _abi.Error(size=ctypes.sizeof(_abi.Error))
        status = lib.imgret_inspect_model(out, raw, plugins, error)
        if status:
            raise error_of(status, error.message)
        try:
            return model_report_of(lib.imgret_inspection_report(out).contents)
        finally:
            lib.imgret_inspection_free(out)

    return patiently(work, abandon=True)


def _matrix(vectors: Any) -> Any:
    """(address, rows, columns, what keeps them) of a matrix of float32."""
    numpy = numpy_or_none()
    if numpy is not None:
        rows = numpy.ascontiguousarray(vectors, numpy.float32)
        if rows.ndim != 2:
            raise TypeError(f"a matrix of vectors has two dimensions, not {rows.ndim}")
        return rows.__array_interface__["data"][0], rows.shape[0], rows.shape[1], rows
    prepared = [prepare_vector(vector) for vector in vectors]
    dimension = prepared[0].dimension if prepared else 0
    if any(each.dimension != dimension for each in prepared):
        raise ValueError("the vectors are of different lengths")
    kept = ctypes.create_string_buffer(
        b"".join(ctypes.string_at(each.vector, dimension * 4) for each in prepared)
    )
    return ctypes.addressof(kept), len(prepared), dimension, kept


def pca_train(
    path: AnyPath,
    vectors: Union[HasArrayInterface, Iterable[Vector]],
    *,
    dimension: int = 0,
    whiten: bool = False,
    identity: Optional[str] = None,
) -> float:
    """Learns the principal components of `vectors` (a matrix, one a row) and writes them to the
    file `path`, for a model specification such as "vit.safetensors;pca=FILE".

    dimension: components to keep, 128 by default. whiten: each divided by its standard deviation.
    identity: ExtractorInfo.identity of what made the vectors; the file then fits no other. Returns
    the share of the variance that the components hold, 0 to 1.
    """
    address, count, columns, kept = _matrix(vectors)
    options = _abi.PcaOptions(
        ctypes.sizeof(_abi.PcaOptions),
        _abi.PCA_WHITEN if whiten else 0,
        dimension,
        0,
        c_text(identity, "an identity"),
    )
    raw, share = c_path(path), ctypes.c_double()

    def work() -> float:
        error = _abi.Error(size=ctypes.sizeof(_abi.Error))
        floats = ctypes.cast(address, ctypes.POINTER(ctypes.c_float))
        status = lib.imgret_pca_train(raw, floats, count, columns, options, share, error)
        if status:
            raise error_of(status, error.message)
        return share.value if kept is not None else 0.0  # until here the matrix had to live

    return patiently(work, abandon=False)

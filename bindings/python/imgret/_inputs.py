"""Turns what Python programs have (paths, bytes, files, PIL, numpy) into an imgret_input."""

from __future__ import annotations

import ctypes
import os
import sys
from array import array
from collections.abc import Sequence as AnySequence
from typing import TYPE_CHECKING, Any, Callable, List, Protocol, Sequence, Tuple, Union

from . import _abi
from ._arrays import numpy_or_none


class Readable(Protocol):
    """A binary file object."""

    def read(self) -> bytes: ...


class HasArrayInterface(Protocol):
    """A numpy array, or what looks like one."""

    @property
    def __array_interface__(self) -> Any: ...


if TYPE_CHECKING:
    import PIL.Image

    Path = Union[str, os.PathLike[str], os.PathLike[bytes]]
    Buffer = Union[bytes, bytearray, memoryview]
    Picture = Union[Path, Buffer, Readable, PIL.Image.Image, HasArrayInterface]
    Vector = Union[Sequence[float], "array[float]", memoryview, HasArrayInterface]


class Prepared(_abi.Input):
    """An imgret_input and what it points into: `keeper` lives as long as the struct."""

    keeper: object


_SIZE = ctypes.sizeof(_abi.Input)
_FLOAT32 = "<f4" if sys.byteorder == "little" else ">f4"
_WANTED = (
    "a path, bytes, a binary file object, a PIL image, an array of pixels (height x width, or "
    "x 3 or x 4, uint8) or a vector of numbers"
)


def _keep(prepared: Prepared, keeper: object) -> Prepared:
    prepared.keeper = keeper
    return prepared


def prepare_id(id: int) -> Prepared:
    return Prepared(size=_SIZE, kind=_abi.INPUT_ID, id=id)


def _address_of(buffer: Any) -> Tuple[int, object]:
    """Address of a contiguous buffer and its keeper; copies only what is read-only and no bytes."""
    if not isinstance(buffer, bytes):
        view = memoryview(buffer).cast("B")
        if not view.nbytes:
            return 0, None
        if not view.readonly:
            held = (ctypes.c_char * view.nbytes).from_buffer(view)
            return ctypes.addressof(held), held
        buffer = view.tobytes()
    return ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0, buffer


def _bytes(buffer: Any) -> Prepared:
    address, keeper = _address_of(buffer)
    size = len(buffer) if isinstance(buffer, bytes) else memoryview(buffer).nbytes
    return _keep(Prepared(size=_SIZE, kind=_abi.INPUT_BYTES, data=address, data_bytes=size), keeper)


def _file(path: Any) -> Prepared:
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise ValueError("a path cannot hold a NUL")
    return Prepared(size=_SIZE, kind=_abi.INPUT_FILE, path=raw)


def _pil(image: Any) -> Prepared:
    """Pixels of a PIL image, turned upright as its EXIF data says, as the library does for files."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image) or image
    if upright.mode not in ("RGB", "RGBA", "L"):
        transparent = "A" in upright.getbands() or "transparency" in upright.info
        upright = upright.convert("RGBA" if transparent else "RGB")
    formats = {
        "RGB": _abi.PIXELS_RGB8,
        "RGBA": _abi.PIXELS_RGBA8,
        "L": _abi.PIXELS_GRAY8,
    }
    data = upright.tobytes()
    address, keeper = _address_of(data)
    return _keep(
        Prepared(
            size=_SIZE,
            kind=_abi.INPUT_PIXELS,
            data=address,
            data_bytes=len(data),
            width=upright.width,
            height=upright.height,
            pixel_format=formats[upright.mode],
        ),
        keeper,
    )


def _pixels(values: Any, interface: Any) -> Prepared:
    shape = interface["shape"]
    channels = shape[2] if len(shape) == 3 else 1
    formats = {1: _abi.PIXELS_GRAY8, 3: _abi.PIXELS_RGB8, 4: _abi.PIXELS_RGBA8}
    if channels not in formats:
        raise TypeError(f"pixels have 1, 3 or 4 channels, not {channels}")
    height, width = shape[:2]
    row_bytes = width * channels
    strides = interface.get("strides")
    if strides is not None:
        packed = (channels, 1) if len(shape) == 3 else (1,)
        if tuple(strides[1:]) == packed and strides[0] >= row_bytes:
            row_bytes = strides[0]  # a cut-out of a larger picture needs no copy
        else:
            values = numpy_or_none().ascontiguousarray(values)  # type: ignore[union-attr]
            interface = values.__array_interface__
    data_bytes = (height - 1) * row_bytes + width * channels if height and width else 0
    return _keep(
        Prepared(
            size=_SIZE,
            kind=_abi.INPUT_PIXELS,
            data=interface["data"][0],
            data_bytes=data_bytes,
            row_bytes=row_bytes,
            width=width,
            height=height,
            pixel_format=formats[channels],
        ),
        values,
    )


def _floats(address: int, count: int, keeper: object) -> Prepared:
    prepared = Prepared(size=_SIZE, kind=_abi.INPUT_VECTOR, dimension=count, vector=address)
    prepared.keeper = keeper
    return prepared


def _array_vector(values: Any, interface: Any) -> Prepared:
    """A vector with numpy's interface: as it is when it holds packed float32, else a copy."""
    if len(interface["shape"]) != 1:
        raise TypeError(f"a vector has one dimension, not the shape {interface['shape']}")
    if interface["typestr"] != _FLOAT32 or interface.get("strides") is not None:
        numpy = numpy_or_none()
        if numpy is None:
            raise TypeError("numpy is needed to convert this array to float32")
        values = numpy.ascontiguousarray(values, numpy.float32)
        interface = values.__array_interface__
    return _floats(interface["data"][0], interface["shape"][0], values)


def prepare_vector(values: Any) -> Prepared:
    """A feature vector: float32 memory is used in place, other numbers are converted."""
    if isinstance(values, (str, bytes, bytearray)):
        raise TypeError(f"a vector of numbers is wanted, not {type(values).__name__}")
    interface = getattr(values, "__array_interface__", None)
    if interface is not None:
        return _array_vector(values, interface)
    if hasattr(values, "__array__") and numpy_or_none() is not None:  # a torch tensor
        return prepare_vector(numpy_or_none().asarray(values))  # type: ignore[union-attr]
    if not (isinstance(values, array) and values.typecode == "f"):
        values = array("f", values)
    address, count = values.buffer_info()
    return _floats(address, count, values)


def _memory(values: memoryview) -> Prepared:
    if values.format in ("B", "b", "c"):
        return _bytes(values if values.c_contiguous else values.tobytes())
    return prepare_vector(values)


def _from_array(values: Any, interface: Any) -> Prepared:
    shape = interface["shape"]
    if interface["typestr"] != "|u1":
        return _array_vector(values, interface)
    if len(shape) not in (2, 3):
        raise TypeError("pixels are height x width, or x 3 or x 4; encoded bytes: tobytes()")
    return _pixels(values, interface)


def prepare(what: Any) -> Prepared:
    """Whatever it is that a caller has. TypeError: nothing that can be searched."""
    if isinstance(what, (str, os.PathLike)):
        return _file(what)
    if isinstance(what, (bytes, bytearray)):
        return _bytes(what)
    pil = sys.modules.get("PIL.Image")
    if pil is not None and isinstance(what, pil.Image):
        return _pil(what)
    interface = getattr(what, "__array_interface__", None)
    if interface is not None:
        return _from_array(what, interface)
    if isinstance(what, memoryview):
        return _memory(what)
    if hasattr(what, "read"):
        data = what.read()
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError("the file object must be opened in binary mode")
        return _bytes(data)
    if hasattr(what, "__array__") and numpy_or_none() is not None:
        return prepare(numpy_or_none().asarray(what))  # type: ignore[union-attr]
    if isinstance(what, (array, AnySequence)):
        return prepare_vector(what)
    raise TypeError(f"{type(what).__name__} is none of: {_WANTED}")


def _matrix_inputs(matrix: Any, numpy: Any) -> Tuple[Any, int, List[object]]:
    """An array of inputs over the rows of a matrix: no work in Python for each of them."""
    rows = numpy.ascontiguousarray(matrix, numpy.float32)
    count, dimension = rows.shape
    fields = ("size", "kind", "dimension", "vector")
    layout = numpy.dtype(
        {
            "names": fields,
            "formats": ["u4", "u4", "u4", "u8"],
            "offsets": [getattr(_abi.Input, name).offset for name in fields],
            "itemsize": _SIZE,
        }
    )
    inputs = numpy.zeros(count, layout)
    inputs["size"] = _SIZE
    inputs["kind"] = _abi.INPUT_VECTOR
    inputs["dimension"] = dimension
    address = rows.__array_interface__["data"][0]
    inputs["vector"] = address + numpy.arange(count, dtype=numpy.uint64) * (dimension * 4)
    pointer = ctypes.cast(inputs.__array_interface__["data"][0], ctypes.POINTER(_abi.Input))
    return pointer, count, [inputs, rows]


def inputs_of(
    what: Any, prepare_one: Callable[[Any], Prepared]
) -> Tuple[Any, int, List[object]]:
    """Many inputs as a C array, its length, and what must live as long as it is used."""
    if isinstance(what, (str, bytes, os.PathLike)):
        raise TypeError("a list of what to look for is wanted; one alone: query")
    interface = getattr(what, "__array_interface__", None)
    numpy = numpy_or_none() if interface is not None or hasattr(what, "__array__") else None
    if numpy is not None:
        matrix = numpy.asarray(what)
        if matrix.ndim != 2:
            raise TypeError(f"a matrix of vectors has two dimensions, not {matrix.ndim}")
        return _matrix_inputs(matrix, numpy)
    prepared = [prepare_one(each) for each in what]
    return (_abi.Input * len(prepared))(*prepared), len(prepared), list(prepared)

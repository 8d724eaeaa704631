"""Reading and writing safetensors files with numpy alone."""

import json
import struct

import numpy

DTYPES = {"F32": numpy.float32, "F16": numpy.float16, "F64": numpy.float64, "U8": numpy.uint8,
          "I64": numpy.int64}


def load(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = data[8 + length + begin:8 + length + end]
        if entry["dtype"] == "BF16":
            bits = numpy.frombuffer(raw, numpy.uint16).astype(numpy.uint32) << 16
            values = bits.view(numpy.float32)
        else:
            values = numpy.frombuffer(raw, DTYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def save(path, tensors, metadata=None):
    header, parts, at = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    names = {numpy.dtype(kind): name for name, kind in DTYPES.items()}
    for name, values in tensors.items():
        raw = numpy.ascontiguousarray(values).tobytes()
        header[name] = {"dtype": names[values.dtype], "shape": list(values.shape),
                        "data_offsets": [at, at + len(raw)]}
        parts.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))

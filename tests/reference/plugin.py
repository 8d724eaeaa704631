"""A backend plugin through ctypes: the host's side of include/imgret/backend.h."""

import ctypes
import hashlib
from ctypes import POINTER, c_char_p, c_float, c_int32, c_uint8, c_uint32, c_void_p

import numpy


class Error(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("code", c_int32), ("message", ctypes.c_char * 504)]


class Info(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("dimension", c_uint32), ("class_count", c_uint32),
                ("input_width", c_uint32), ("input_height", c_uint32), ("batch_max", c_uint32),
                ("resize", c_uint32), ("resize_px", c_uint32), ("filter", c_uint32),
                ("reserved_zero", c_uint32), ("architecture", c_char_p), ("identity", c_char_p)]


class Batch(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("count", c_uint32), ("pixels", c_void_p),
                ("embeddings", c_void_p), ("logits", c_void_p)]


LOG = ctypes.CFUNCTYPE(None, c_int32, c_char_p)
SHA256 = ctypes.CFUNCTYPE(c_int32, c_char_p, c_void_p, POINTER(Error))


class Host(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("abi", c_uint32), ("log", LOG), ("file_sha256", SHA256)]


class Backend(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("abi", c_uint32), ("name", c_char_p), ("version", c_char_p),
                ("extensions", c_char_p),
                ("load", ctypes.CFUNCTYPE(c_int32, POINTER(c_void_p), c_char_p, c_char_p, c_uint32,
                                          POINTER(Error))),
                ("describe", ctypes.CFUNCTYPE(c_int32, c_void_p, POINTER(Info), POINTER(Error))),
                ("run", ctypes.CFUNCTYPE(c_int32, c_void_p, POINTER(Batch), POINTER(Error))),
                ("unload", ctypes.CFUNCTYPE(None, c_void_p))]


@SHA256
def _sha256(path, out, _error):
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest().encode()
    ctypes.memmove(out, digest + b"\0", 65)
    return 0


@LOG
def _log(_level, _message):
    pass


class Failure(Exception):
    pass


def _checked(status, error):
    if status:
        raise Failure("%d: %s" % (status, error.message.decode()))


class Plugin:
    def __init__(self, path):
        library = ctypes.CDLL(path, mode=ctypes.RTLD_LOCAL)
        library.imgret_backend_entry.restype = POINTER(Backend)
        self.host = Host(ctypes.sizeof(Host), 1, _log, _sha256)
        self.table = library.imgret_backend_entry(ctypes.byref(self.host), None).contents

    def load(self, path, options="", threads=1):
        return Model(self.table, path, options, threads)


class Model:
    def __init__(self, table, path, options, threads):
        self.table, self.handle = table, c_void_p()
        error = Error(ctypes.sizeof(Error))
        _checked(table.load(ctypes.byref(self.handle), path.encode(), options.encode(), threads,
                            ctypes.byref(error)), error)
        self.info = Info(ctypes.sizeof(Info))
        _checked(table.describe(self.handle, ctypes.byref(self.info), ctypes.byref(error)), error)

    def run(self, pixels):
        """`pixels` count x side x side x 3, uint8. Embeddings, and logits or None."""
        pixels = numpy.ascontiguousarray(pixels, numpy.uint8)
        side = self.info.input_width
        assert pixels.shape[1:] == (side, side, 3)
        embeddings = numpy.empty((len(pixels), self.info.dimension), numpy.float32)
        logits = numpy.empty((len(pixels), self.info.class_count), numpy.float32)
        batch = Batch(ctypes.sizeof(Batch), len(pixels), pixels.ctypes.data,
                      embeddings.ctypes.data, logits.ctypes.data if logits.size else None)
        error = Error(ctypes.sizeof(Error))
        _checked(self.table.run(self.handle, ctypes.byref(batch), ctypes.byref(error)), error)
        return embeddings, logits if logits.size else None

    def unload(self):
        self.table.unload(self.handle)
        self.handle = c_void_p()

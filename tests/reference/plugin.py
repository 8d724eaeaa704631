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
                ("reserved_zero", c_uint32), ("architecture", c_char_p), ("identity", c_char_p),
                ("anchor_count", c_uint32), ("box_class_count", c_uint32),
                ("box_coding", c_uint32), ("stride_count", c_uint32), ("strides", c_uint32 * 8),
                ("letterbox_place", c_uint32), ("pad_rgb", c_uint32), ("class_names", c_char_p)]


class Batch(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("count", c_uint32), ("pixels", c_void_p),
                ("embeddings", c_void_p), ("logits", c_void_p)]


class DetectBatch(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("count", c_uint32), ("pixels", c_void_p),
                ("detections", c_void_p)]


class Inspection(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("status", c_int32)] + \
        [(name, c_char_p) for name in
         ("reason", "family", "naming", "architecture", "identity", "missing", "left_over",
          "misshapen", "class_names", "notes")] + \
        [(name, ctypes.c_uint64) for name in ("parameter_count", "tensor_bytes")] + \
        [(name, c_uint32) for name in
         ("tensor_count", "missing_count", "left_over_count", "misshapen_count", "dimension",
          "class_count", "input_width", "input_height", "anchor_count", "box_class_count")]


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
                ("unload", ctypes.CFUNCTYPE(None, c_void_p)),
                ("detect", ctypes.CFUNCTYPE(c_int32, c_void_p, POINTER(DetectBatch),
                                            POINTER(Error))),
                ("inspect", ctypes.CFUNCTYPE(c_int32, POINTER(POINTER(Inspection)), c_char_p,
                                             c_char_p, POINTER(Error))),
                ("end_inspection", ctypes.CFUNCTYPE(None, POINTER(Inspection)))]


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

    def inspect(self, path, options=""):
        """All fields by name; texts decoded, lists of names split."""
        error, found = Error(ctypes.sizeof(Error)), POINTER(Inspection)()
        _checked(self.table.inspect(ctypes.byref(found), path.encode(), options.encode(),
                                    ctypes.byref(error)), error)
        fields = {name: getattr(found.contents, name) for name, _ in Inspection._fields_}
        self.table.end_inspection(found)
        for name, value in fields.items():
            if isinstance(value, bytes):
                fields[name] = value.decode()
        for name in ("missing", "left_over", "misshapen", "notes"):
            fields[name] = fields[name].splitlines()
        return fields


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

    def detect(self, pixels):
        """`pixels` as for run. Detections, count x anchors x (5 + classes)."""
        pixels = numpy.ascontiguousarray(pixels, numpy.uint8)
        detections = numpy.empty((len(pixels), self.info.anchor_count,
                                  5 + self.info.box_class_count), numpy.float32)
        batch = DetectBatch(ctypes.sizeof(DetectBatch), len(pixels), pixels.ctypes.data,
                            detections.ctypes.data)
        error = Error(ctypes.sizeof(Error))
        _checked(self.table.detect(self.handle, ctypes.byref(batch), ctypes.byref(error)), error)
        return detections

    def unload(self):
        self.table.unload(self.handle)
        self.handle = c_void_p()

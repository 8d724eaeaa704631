"""The C contract as ctypes sees it: constants, structs and functions of imgret/imgret.h.

Names, order and types are those of the header without their prefix; tests/python/test_header.py
compares them with it. Structs are size-first: a newer library may know more fields at the end.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Dict, List, Tuple

OK = 0
INVALID_ARGUMENT = -1
NO_MEMORY = -2
IO = -3
NOT_FOUND = -4
CORRUPT = -5
BUSY = -6
FULL = -7
LIMIT = -8
UNSUPPORTED = -9
BAD_IMAGE = -10
BAD_MODEL = -11
MISMATCH = -12
READ_ONLY = -13
INTERRUPTED = -14
VERSION_TOO_NEW = -15
FORKED = -16
EXISTS = -17
INTERNAL = -18

LOG_ERROR = 1
LOG_WARNING = 2
LOG_INFO = 3
LOG_DEBUG = 4

INPUT_FILE = 1
INPUT_BYTES = 2
INPUT_PIXELS = 3
INPUT_VECTOR = 4
INPUT_ID = 5

PIXELS_RGB8 = 0
PIXELS_RGBA8 = 1
PIXELS_GRAY8 = 2
PIXELS_BGR8 = 3

OPEN_READ_ONLY = 1
OPEN_EXISTING = 2
OPEN_NEW = 4

METRIC_COSINE = 1
METRIC_INNER_PRODUCT = 2
METRIC_L2 = 3

VECTOR_F16 = 1
VECTOR_F32 = 2

NO_WAIT = 0xFFFFFFFF

STORED = 1
REPLACED = 2
UNCHANGED = 3
FAILED = 4
KNOWN_BAD = 5
SKIPPED = 6
MOVED = 7
REMOVED = 8

INGEST_NO_RECURSION = 1
INGEST_RETRY_FAILED = 2
INGEST_SYNC = 4
INGEST_FORCE = 8

QUERY_MIN_SCORE = 1
QUERY_INCLUDE_SELF = 2

OPTIMIZE_FORCE = 1

STATE_STORED = 1
STATE_FAILED = 2


class Error(Structure):
    _fields_ = [("size", c_uint32), ("code", c_int32), ("message", c_char * 504)]


class Input(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("kind", c_uint32),
        ("path", c_char_p),
        ("data", c_void_p),
        ("data_bytes", c_uint64),
        ("row_bytes", c_uint64),
        ("width", c_uint32),
        ("height", c_uint32),
        ("pixel_format", c_uint32),
        ("dimension", c_uint32),
        # The header says const float *; an address is what an array has, without a cast.
        ("vector", c_void_p),
        ("id", c_int64),
    ]


class Limits(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("dimension_max", c_uint32),
        ("file_bytes_max", c_uint64),
        ("pixel_count_max", c_uint64),
    ]


class OpenOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("model", c_char_p),
        ("plugin_path", c_char_p),
        ("limits", POINTER(Limits)),
        ("metric", c_uint32),
        ("vector_type", c_uint32),
        ("threads", c_uint32),
        ("busy_timeout_ms", c_uint32),
        ("index_ram_bytes", c_uint64),
    ]


class Stats(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("dimension", c_uint32),
        ("metric", c_uint32),
        ("vector_type", c_uint32),
        ("image_count", c_uint64),
        ("failed_count", c_uint64),
        ("vector_count", c_uint64),
        ("delta_ram_bytes", c_uint64),
        ("catalog_bytes", c_uint64),
        ("query_count", c_uint64),
        ("query_us_total", c_uint64),
        ("scanned_count", c_uint64),
        ("model", c_char_p),
        ("model_identity", c_char_p),
        ("kernels", c_char_p),
        ("delta_vector_count", c_uint64),
        ("segment_count", c_uint64),
        ("segment_vector_count", c_uint64),
        ("segment_bytes", c_uint64),
        ("segment_ram_bytes", c_uint64),
        ("disk_read_count", c_uint64),
    ]


class AddOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags_zero", c_uint32),
        ("uri", c_char_p),
        ("metadata", c_char_p),
    ]


class AddResult(Structure):
    _fields_ = [("size", c_uint32), ("outcome", c_int32), ("id", c_int64)]


class IngestItem(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("outcome", c_int32),
        ("id", c_int64),
        ("uri", c_char_p),
        ("code", c_int32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("reserved_zero", c_uint32),
        ("format", c_char_p),
        ("message", c_char_p),
    ]


class IngestProgress(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("listing_done", c_uint32),
        ("file_count", c_uint64),
        ("done_count", c_uint64),
        ("stored_count", c_uint64),
        ("replaced_count", c_uint64),
        ("unchanged_count", c_uint64),
        ("failed_count", c_uint64),
        ("known_bad_count", c_uint64),
        ("skipped_count", c_uint64),
        ("bytes_read", c_uint64),
        ("elapsed_us", c_uint64),
        ("moved_count", c_uint64),
        ("removed_count", c_uint64),
    ]


log_fn = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)
ingest_item_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(IngestItem))
ingest_progress_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(IngestProgress))
check_fn = CFUNCTYPE(c_int32, c_void_p, c_char_p)
optimize_fn = CFUNCTYPE(c_int32, c_void_p, c_double)


class IngestOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("paths", POINTER(c_char_p)),
        ("path_count", c_uint64),
        ("on_item", ingest_item_fn),
        ("on_progress", ingest_progress_fn),
        ("user", c_void_p),
        ("commit_count", c_uint32),
        ("commit_ms", c_uint32),
    ]


class QueryOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("min_score", c_double),
        ("k", c_uint32),
        ("effort", c_uint32),
    ]


class Hit(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("reserved_zero", c_uint32),
        ("id", c_int64),
        ("score", c_double),
        ("uri", c_char_p),
        ("metadata", c_char_p),
    ]


class Record(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("state", c_int32),
        ("id", c_int64),
        ("uri", c_char_p),
        ("metadata", c_char_p),
        ("format", c_char_p),
        ("failure", c_char_p),
        ("failure_code", c_int32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("reserved_zero", c_uint32),
        ("file_bytes", c_uint64),
        ("modified_ns", c_int64),
        ("added_ms", c_int64),
        ("content_hash", c_uint8 * 16),
    ]


class ListOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("state", c_int32),
        ("after_id", c_int64),
        ("uri", c_char_p),
        ("limit", c_uint64),
    ]


class OptimizeOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("memory_bytes_max", c_uint64),
        ("on_progress", optimize_fn),
        ("user", c_void_p),
    ]


class ExtractorOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("threads", c_uint32),
        ("plugin_path", c_char_p),
        ("limits", POINTER(Limits)),
    ]


class ExtractorInfo(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("dimension", c_uint32),
        ("input_width", c_uint32),
        ("input_height", c_uint32),
        ("batch_max", c_uint32),
        ("reserved_zero", c_uint32),
        ("backend", c_char_p),
        ("architecture", c_char_p),
        ("identity", c_char_p),
    ]


_out = POINTER(c_void_p)
_error = POINTER(Error)

# Name without "imgret_": result, arguments. Opaque handles are c_void_p.
FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    "status_name": (c_char_p, [c_int32]),
    "version": (c_uint32, []),
    "version_string": (c_char_p, []),
    "set_log": (None, [log_fn, c_void_p, c_int32]),
    "open": (c_int32, [_out, c_char_p, POINTER(OpenOptions), _error]),
    "close": (None, [c_void_p]),
    "interrupt": (None, [c_void_p]),
    "get_stats": (c_int32, [c_void_p, POINTER(Stats), _error]),
    "add": (
        c_int32,
        [c_void_p, POINTER(Input), POINTER(AddOptions), POINTER(AddResult), _error],
    ),
    "ingest": (c_int32, [c_void_p, POINTER(IngestOptions), POINTER(IngestProgress), _error]),
    "remove": (c_int32, [c_void_p, c_int64, _error]),
    "set_metadata": (c_int32, [c_void_p, c_int64, c_char_p, _error]),
    "query": (c_int32, [_out, c_void_p, POINTER(Input), POINTER(QueryOptions), _error]),
    "results_count": (c_uint64, [c_void_p]),
    "results_at": (POINTER(Hit), [c_void_p, c_uint64]),
    "results_free": (None, [c_void_p]),
    "list": (c_int32, [_out, c_void_p, POINTER(ListOptions), _error]),
    "get": (c_int32, [_out, c_void_p, c_int64, _error]),
    "records_count": (c_uint64, [c_void_p]),
    "records_at": (POINTER(Record), [c_void_p, c_uint64]),
    "records_free": (None, [c_void_p]),
    "get_vector": (c_int32, [c_void_p, c_int64, POINTER(c_float), c_uint32, _error]),
    "check": (c_int32, [c_void_p, check_fn, c_void_p, POINTER(c_uint64), _error]),
    "optimize": (c_int32, [c_void_p, POINTER(OptimizeOptions), _error]),
    "extractor_open": (c_int32, [_out, c_char_p, POINTER(ExtractorOptions), _error]),
    "extractor_close": (None, [c_void_p]),
    "extractor_get_info": (c_int32, [c_void_p, POINTER(ExtractorInfo), _error]),
    "extract": (
        c_int32,
        [
            c_void_p,
            POINTER(Input),
            c_uint32,
            POINTER(c_float),
            c_uint64,
            POINTER(c_int32),
            _error,
        ],
    ),
}


def declare(library: ctypes.CDLL) -> None:
    """Gives every function of `library` its types. AttributeError: it lacks one of them."""
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, "imgret_" + name)
        function.restype = result
        function.argtypes = arguments

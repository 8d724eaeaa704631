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
OPEN_MAINTAIN = 8

METRIC_COSINE = 1
METRIC_INNER_PRODUCT = 2
METRIC_L2 = 3

VECTOR_F16 = 1
VECTOR_F32 = 2

NO_WAIT = 0xFFFFFFFF
NO_CACHE = 0xFFFFFFFFFFFFFFFF

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

PARAM_NULL = 0
PARAM_INTEGER = 1
PARAM_REAL = 2
PARAM_TEXT = 3

QUERY_MIN_SCORE = 1
QUERY_INCLUDE_SELF = 2
QUERY_ALLOW_PARTIAL = 4

COMBINE_MEAN = 0
COMBINE_BEST = 1

QUERY_ESTIMATED = 8
QUERY_IDS_ONLY = 16
QUERY_GROUP = 0x100
QUERY_MAIN_OBJECT = 0x200

SEARCH_WHOLE = 0
SEARCH_OBJECTS = 1
SEARCH_BOTH = 2

RERANK_COLOR = 1
RERANK_GEOMETRY = 2

QUERY_PARTIAL = 1
QUERY_HAS_ESTIMATES = 2

LABEL_ASSIGN = 1

LIKENESS_SIMILAR = 1
LIKENESS_NEAR = 2
LIKENESS_SAME = 3

CALIBRATE_NO_COPIES = 1

DUPLICATE_IDENTICAL = 1
DUPLICATE_NEAR = 2
DUPLICATE_SIMILAR = 3

KEEP_RESOLUTION = 1
KEEP_COLOR = 2
KEEP_FORMAT = 3
KEEP_BYTES = 4
KEEP_DATE = 5
KEEP_FIRST = 6

TURN_MIRRORED = 4

HASH_UNKNOWN = 0xFFFFFFFF

DUPLICATES_TURNED = 1

VERDICT_NONE = 0
VERDICT_DIFFERENT = 1

OPTIMIZE_FORCE = 1

INDEX_COUNT_MAX = 16

STATE_STORED = 1
STATE_FAILED = 2

COLOR_BLACK = 0
COLOR_GREY = 1
COLOR_WHITE = 2
COLOR_RED = 3
COLOR_ORANGE = 4
COLOR_YELLOW = 5
COLOR_GREEN = 6
COLOR_BLUE = 7
COLOR_PURPLE = 8
COLOR_PINK = 9
COLOR_BROWN = 10
COLOR_COUNT = 11

SWATCH_MAX = 5

EXTRACT_PREPARED = 1

REEMBED_DROP_MISSING = 1

PCA_WHITEN = 1


class Error(Structure):
    _fields_ = [("size", c_uint32), ("code", c_int32), ("message", c_char * 504)]


log_fn = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)


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
        ("instances", c_uint32),
        ("batch_max", c_uint32),
        ("batch_delay_us", c_uint32),
        ("queue_max", c_uint32),
        ("feature_cache_bytes", c_uint64),
        ("regions", c_char_p),
        ("decode_isolation", c_char_p),
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
        ("batch_count", c_uint64),
        ("batch_image_count", c_uint64),
        ("feature_cache_hits", c_uint64),
        ("feature_cache_misses", c_uint64),
        ("feature_cache_bytes", c_uint64),
        ("partial_count", c_uint64),
        ("disk_read_bytes", c_uint64),
        ("disk_wait_us_total", c_uint64),
        ("cache_hit_count", c_uint64),
        ("hop_count", c_uint64),
        ("sign_distance_count", c_uint64),
        ("code_distance_count", c_uint64),
        ("exact_distance_count", c_uint64),
        ("code_ram_bytes", c_uint64),
        ("graph_ram_bytes", c_uint64),
        ("id_ram_bytes", c_uint64),
        ("check_ram_bytes", c_uint64),
        ("other_ram_bytes", c_uint64),
        ("graph_disk_bytes", c_uint64),
        ("io_kind", c_char_p),
        ("io_reason", c_char_p),
        ("regions", c_char_p),
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


ingest_item_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(IngestItem))

ingest_progress_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(IngestProgress))


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


class Param(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("kind", c_uint32),
        ("name", c_char_p),
        ("text", c_char_p),
        ("integer", c_int64),
        ("real", c_double),
    ]


class Term(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("reserved_zero", c_uint32),
        ("input", POINTER(Input)),
        ("weight", c_double),
    ]


class ColorTerm(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("red", c_uint8),
        ("green", c_uint8),
        ("blue", c_uint8),
        ("reserved_zero", c_uint8),
        ("weight", c_double),
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
        ("label", c_char_p),
        ("label_score", c_double),
        ("region", c_uint32),
        ("box_x", c_uint32),
        ("box_y", c_uint32),
        ("box_width", c_uint32),
        ("box_height", c_uint32),
        ("region_reserved_zero", c_uint32),
        ("region_score", c_double),
        ("region_label", c_char_p),
    ]


rerank_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(Hit), c_uint64, POINTER(c_double))


class Box(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("x", c_int32),
        ("y", c_int32),
        ("width", c_uint32),
        ("height", c_uint32),
    ]


class QueryOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("min_score", c_double),
        ("k", c_uint32),
        ("effort", c_uint32),
        ("where", c_char_p),
        ("params", POINTER(Param)),
        ("param_count", c_uint32),
        ("where_ms_max", c_uint32),
        ("deadline_ms", c_uint32),
        ("target_recall", c_float),
        ("terms", POINTER(Term)),
        ("term_count", c_uint32),
        ("combine", c_uint32),
        ("colors", POINTER(ColorTerm)),
        ("color_count", c_uint32),
        ("candidate_count", c_uint32),
        ("color_weight", c_double),
        ("exclude_ids", POINTER(c_int64)),
        ("exclude_count", c_uint64),
        ("cursor", c_char_p),
        ("diversity", c_double),
        ("rerank", rerank_fn),
        ("rerank_user", c_void_p),
        ("box", POINTER(Box)),
        ("search", c_uint32),
        ("region", c_uint32),
        ("min_likeness", c_uint32),
        ("rerank_by", c_uint32),
        ("rerank_weight", c_double),
    ]


class QueryStats(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("elapsed_us", c_uint64),
        ("wait_us", c_uint64),
        ("reads", c_uint64),
        ("read_bytes", c_uint64),
        ("cache_hits", c_uint64),
        ("hops", c_uint64),
        ("sign_distances", c_uint64),
        ("code_distances", c_uint64),
        ("exact_distances", c_uint64),
        ("scanned", c_uint64),
        ("reranks", c_uint64),
        ("effort", c_uint32),
        ("expected_recall", c_float),
    ]


class CountOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("state", c_int32),
        ("where", c_char_p),
        ("params", POINTER(Param)),
        ("param_count", c_uint32),
        ("where_ms_max", c_uint32),
    ]


class LabelItem(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("reserved_zero", c_uint32),
        ("id", c_int64),
        ("confidence", c_double),
        ("uri", c_char_p),
        ("label_before", c_char_p),
    ]


label_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(LabelItem))


class LabelOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("label", c_char_p),
        ("examples", POINTER(Input)),
        ("example_count", c_uint64),
        ("confidence_min", c_double),
        ("where", c_char_p),
        ("params", POINTER(Param)),
        ("param_count", c_uint32),
        ("where_ms_max", c_uint32),
        ("on_item", label_fn),
        ("user", c_void_p),
    ]


class LabelReport(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("reserved_zero", c_uint32),
        ("example_count", c_uint64),
        ("counter_count", c_uint64),
        ("examined_count", c_uint64),
        ("fitting_count", c_uint64),
        ("assigned_count", c_uint64),
    ]


class CalibrateOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("sample_count", c_uint32),
        ("copy_max", c_uint32),
    ]


class Calibration(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("copy_count", c_uint32),
        ("same_score", c_double),
        ("near_score", c_double),
        ("similar_score", c_double),
        ("random_median", c_double),
        ("random_high", c_double),
        ("nearest_median", c_double),
        ("image_count", c_uint64),
        ("pair_count", c_uint64),
        ("hash_pair_count", c_uint32),
        ("reserved_zero", c_uint32),
    ]


class Duplicate(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("kind", c_uint32),
        ("id", c_int64),
        ("uri", c_char_p),
        ("format", c_char_p),
        ("width", c_uint32),
        ("height", c_uint32),
        ("file_bytes", c_uint64),
        ("modified_ns", c_int64),
        ("score", c_double),
        ("hash_bits", c_uint32),
        ("turn", c_uint32),
    ]


class DuplicateGroup(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("kind", c_uint32),
        ("count", c_uint64),
        ("members", POINTER(Duplicate)),
        ("keep_reason", c_uint32),
        ("reserved_zero", c_uint32),
    ]


duplicates_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(DuplicateGroup))


class DuplicatesOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("kind_max", c_uint32),
        ("reserved_zero", c_uint32),
        ("similar_score", c_double),
        ("where", c_char_p),
        ("params", POINTER(Param)),
        ("param_count", c_uint32),
        ("where_ms_max", c_uint32),
    ]


class DuplicatesReport(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("reserved_zero", c_uint32),
        ("image_count", c_uint64),
        ("group_count", c_uint64),
        ("duplicate_count", c_uint64),
        ("duplicate_bytes", c_uint64),
    ]


optimize_fn = CFUNCTYPE(c_int32, c_void_p, c_double)


class OptimizeOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("memory_bytes_max", c_uint64),
        ("on_progress", optimize_fn),
        ("user", c_void_p),
    ]


class Swatch(Structure):
    _fields_ = [
        ("red", c_uint8),
        ("green", c_uint8),
        ("blue", c_uint8),
        ("color", c_uint8),
        ("share", c_float),
    ]


class Attributes(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("orientation", c_uint32),
        ("brightness", c_double),
        ("contrast", c_double),
        ("saturation", c_double),
        ("warmth", c_double),
        ("sharpness", c_double),
        ("perceptual_hash", c_uint64),
        ("color_shares", c_float * COLOR_COUNT),
        ("swatch_count", c_uint32),
        ("swatches", Swatch * SWATCH_MAX),
        ("latitude", c_double),
        ("longitude", c_double),
        ("taken_at", c_char_p),
        ("camera_make", c_char_p),
        ("camera_model", c_char_p),
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
        ("attributes", POINTER(Attributes)),
        ("label", c_char_p),
        ("label_score", c_double),
    ]


class ListOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("state", c_int32),
        ("after_id", c_int64),
        ("uri", c_char_p),
        ("limit", c_uint64),
        ("where", c_char_p),
        ("params", POINTER(Param)),
        ("param_count", c_uint32),
        ("where_ms_max", c_uint32),
    ]


class Region(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("ordinal", c_uint32),
        ("x", c_uint32),
        ("y", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("score", c_double),
        ("label", c_char_p),
    ]


check_fn = CFUNCTYPE(c_int32, c_void_p, c_char_p)


class RepairOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags_zero", c_uint32),
        ("on_item", ingest_item_fn),
        ("user", c_void_p),
        ("memory_bytes_max", c_uint64),
    ]


class RepairReport(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("segments_rebuilt", c_uint32),
        ("vectors_kept", c_uint64),
        ("images_extracted", c_uint64),
        ("images_lost", c_uint64),
    ]


class SalvageOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("busy_timeout_ms", c_uint32),
        ("on_loss", check_fn),
        ("user", c_void_p),
    ]


class SalvageReport(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("salvaged", c_uint32),
        ("image_count", c_uint64),
        ("images_without_record", c_uint64),
        ("images_lost", c_uint64),
        ("loss_count", c_uint64),
        ("original", c_char * 64),
    ]


backup_progress_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)


class BackupOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags_zero", c_uint32),
        ("on_progress", backup_progress_fn),
        ("user", c_void_p),
    ]


transfer_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)


class TransferOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags_zero", c_uint32),
        ("on_progress", transfer_fn),
        ("user", c_void_p),
    ]


class ExtractorOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("threads", c_uint32),
        ("plugin_path", c_char_p),
        ("limits", POINTER(Limits)),
        ("instances", c_uint32),
        ("batch_max", c_uint32),
        ("batch_delay_us", c_uint32),
        ("queue_max", c_uint32),
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
        ("instances", c_uint32),
        ("class_count", c_uint32),
    ]


class Extraction(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("vectors", POINTER(c_float)),
        ("vector_floats", c_uint64),
        ("logits", POINTER(c_float)),
        ("logit_floats", c_uint64),
        ("labels", POINTER(c_uint32)),
        ("label_scores", POINTER(c_float)),
        ("statuses", POINTER(c_int32)),
    ]


class ModelReport(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("status", c_int32),
        ("reason", c_char_p),
        ("backend", c_char_p),
        ("backend_version", c_char_p),
        ("family", c_char_p),
        ("naming", c_char_p),
        ("architecture", c_char_p),
        ("identity", c_char_p),
        ("missing", c_char_p),
        ("left_over", c_char_p),
        ("misshapen", c_char_p),
        ("class_names", c_char_p),
        ("notes", c_char_p),
        ("parameter_count", c_uint64),
        ("tensor_bytes", c_uint64),
        ("tensor_count", c_uint32),
        ("missing_count", c_uint32),
        ("left_over_count", c_uint32),
        ("misshapen_count", c_uint32),
        ("dimension", c_uint32),
        ("class_count", c_uint32),
        ("input_width", c_uint32),
        ("input_height", c_uint32),
        ("anchor_count", c_uint32),
        ("box_class_count", c_uint32),
    ]


class ReembedOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("model", c_char_p),
        ("on_item", ingest_item_fn),
        ("on_progress", transfer_fn),
        ("user", c_void_p),
        ("memory_bytes_max", c_uint64),
    ]


class ReembedReport(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("reserved_zero", c_uint32),
        ("embedded_count", c_uint64),
        ("resumed_count", c_uint64),
        ("missing_count", c_uint64),
    ]


class PcaOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("dimension", c_uint32),
        ("reserved_zero", c_uint32),
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
    "set_stop": (POINTER(c_uint32), [POINTER(c_uint32)]),
    "get_stats": (c_int32, [c_void_p, POINTER(Stats), _error]),
    "add": (c_int32, [c_void_p, POINTER(Input), POINTER(AddOptions), POINTER(AddResult), _error]),
    "ingest": (c_int32, [c_void_p, POINTER(IngestOptions), POINTER(IngestProgress), _error]),
    "remove": (c_int32, [c_void_p, c_int64, _error]),
    "set_metadata": (c_int32, [c_void_p, c_int64, c_char_p, _error]),
    "set_label": (c_int32, [c_void_p, c_int64, c_char_p, c_double, _error]),
    "begin": (c_int32, [c_void_p, _error]),
    "commit": (c_int32, [c_void_p, _error]),
    "rollback": (c_int32, [c_void_p, _error]),
    "parse_colors": (c_int32, [POINTER(ColorTerm), c_uint32, POINTER(c_uint32), c_char_p, _error]),
    "query": (c_int32, [_out, c_void_p, POINTER(Input), POINTER(QueryOptions), _error]),
    "query_batch": (
        c_int32,
        [_out, c_void_p, POINTER(Input), c_uint64, POINTER(QueryOptions), _error],
    ),
    "results_count": (c_uint64, [c_void_p]),
    "results_at": (POINTER(Hit), [c_void_p, c_uint64]),
    "results_stats": (POINTER(QueryStats), [c_void_p]),
    "results_cursor": (c_char_p, [c_void_p]),
    "results_free": (None, [c_void_p]),
    "count": (c_int32, [POINTER(c_uint64), c_void_p, POINTER(CountOptions), _error]),
    "label_examples": (c_int32, [c_void_p, POINTER(LabelOptions), POINTER(LabelReport), _error]),
    "calibrate": (c_int32, [c_void_p, POINTER(CalibrateOptions), POINTER(Calibration), _error]),
    "get_calibration": (c_int32, [c_void_p, POINTER(Calibration), _error]),
    "duplicates": (
        c_int32,
        [
            c_void_p,
            POINTER(DuplicatesOptions),
            duplicates_fn,
            c_void_p,
            POINTER(DuplicatesReport),
            _error,
        ],
    ),
    "set_verdict": (c_int32, [c_void_p, c_int64, c_int64, c_int32, _error]),
    "optimize": (c_int32, [c_void_p, POINTER(OptimizeOptions), _error]),
    "create_index": (c_int32, [c_void_p, c_char_p, _error]),
    "drop_index": (c_int32, [c_void_p, c_char_p, _error]),
    "list_indexes": (c_int32, [_out, c_void_p, _error]),
    "indexes_count": (c_uint64, [c_void_p]),
    "indexes_at": (c_char_p, [c_void_p, c_uint64]),
    "indexes_free": (None, [c_void_p]),
    "color_name": (c_char_p, [c_uint32]),
    "list": (c_int32, [_out, c_void_p, POINTER(ListOptions), _error]),
    "get": (c_int32, [_out, c_void_p, c_int64, _error]),
    "records_count": (c_uint64, [c_void_p]),
    "records_at": (POINTER(Record), [c_void_p, c_uint64]),
    "records_free": (None, [c_void_p]),
    "get_vector": (c_int32, [c_void_p, c_int64, POINTER(c_float), c_uint32, _error]),
    "get_regions": (c_int32, [_out, c_void_p, c_int64, _error]),
    "regions_count": (c_uint64, [c_void_p]),
    "regions_at": (POINTER(Region), [c_void_p, c_uint64]),
    "regions_free": (None, [c_void_p]),
    "check": (c_int32, [c_void_p, check_fn, c_void_p, POINTER(c_uint64), _error]),
    "salvage": (c_int32, [c_char_p, POINTER(SalvageOptions), POINTER(SalvageReport), _error]),
    "repair": (c_int32, [c_void_p, POINTER(RepairOptions), POINTER(RepairReport), _error]),
    "backup": (c_int32, [c_void_p, c_char_p, POINTER(BackupOptions), _error]),
    "export": (c_int32, [c_void_p, c_char_p, POINTER(TransferOptions), _error]),
    "import": (c_int32, [c_char_p, c_char_p, POINTER(TransferOptions), _error]),
    "extractor_open": (c_int32, [_out, c_char_p, POINTER(ExtractorOptions), _error]),
    "extractor_close": (None, [c_void_p]),
    "extractor_get_info": (c_int32, [c_void_p, POINTER(ExtractorInfo), _error]),
    "extract": (
        c_int32,
        [c_void_p, POINTER(Input), c_uint32, POINTER(c_float), c_uint64, POINTER(c_int32), _error],
    ),
    "extract_with": (c_int32, [c_void_p, POINTER(Input), c_uint32, POINTER(Extraction), _error]),
    "extractor_get_label": (c_int32, [c_void_p, c_uint32, c_char_p, c_uint32, _error]),
    "load_model": (c_int32, [c_void_p, c_char_p, _error]),
    "unload_model": (c_int32, [c_void_p, _error]),
    "extractor_replace": (c_int32, [c_void_p, c_char_p, _error]),
    "inspect_model": (c_int32, [_out, c_char_p, c_char_p, _error]),
    "inspection_report": (POINTER(ModelReport), [c_void_p]),
    "inspection_free": (None, [c_void_p]),
    "reembed": (c_int32, [c_void_p, POINTER(ReembedOptions), POINTER(ReembedReport), _error]),
    "pca_train": (
        c_int32,
        [
            c_char_p,
            POINTER(c_float),
            c_uint64,
            c_uint32,
            POINTER(PcaOptions),
            POINTER(c_double),
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

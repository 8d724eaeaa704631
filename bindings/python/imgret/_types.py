"""What calls give back: plain dataclasses, and how they are made from the C structs."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Dict, Optional

from . import _abi

if TYPE_CHECKING:
    from ctypes import Structure

Metadata = Dict[str, Any]

OUTCOMES = {
    _abi.STORED: "stored",
    _abi.REPLACED: "replaced",
    _abi.UNCHANGED: "unchanged",
    _abi.FAILED: "failed",
    _abi.KNOWN_BAD: "known_bad",
    _abi.SKIPPED: "skipped",
    _abi.MOVED: "moved",
    _abi.REMOVED: "removed",
}
STATES = {_abi.STATE_STORED: "stored", _abi.STATE_FAILED: "failed"}
METRICS = {
    _abi.METRIC_COSINE: "cosine",
    _abi.METRIC_INNER_PRODUCT: "ip",
    _abi.METRIC_L2: "l2",
}
VECTOR_TYPES = {_abi.VECTOR_F16: "f16", _abi.VECTOR_F32: "f32"}


def word_of(words: Dict[int, str], number: int) -> str:
    """The word for a number; the number itself when a newer library knows more."""
    return words.get(number) or str(number)


def number_of(words: Dict[int, str], word: Optional[str], what: str) -> int:
    """The number for a word, 0 (the library's default) for None."""
    if word is None:
        return 0
    for number, name in words.items():
        if name == word:
            return number
    raise ValueError(f"{what} must be one of {', '.join(words.values())}, not {word!r}")


def text_of(raw: bytes) -> str:
    """Names are bytes: what is no UTF-8 becomes surrogates, which os.fsencode turns back."""
    return raw.decode("utf-8", "surrogateescape")


def metadata_of(raw: Optional[bytes]) -> Optional[Metadata]:
    if raw is None:
        return None
    value: Metadata = json.loads(raw)
    return value


@dataclass(frozen=True)
class Hit:
    """One result of a query: `score` is higher for what is more alike, its scale the metric's."""

    id: int
    score: float
    uri: Optional[str]
    metadata: Optional[Metadata]
    width: int
    height: int


@dataclass(frozen=True)
class Added:
    """What became of an added picture; `outcome` is "stored", "replaced" or "unchanged"."""

    id: int
    outcome: str


@dataclass(frozen=True)
class Record:
    """One image as the catalogue has it; `state` is "stored" or "failed"."""

    id: int
    state: str
    uri: Optional[str]
    metadata: Optional[Metadata]
    format: str
    failure: str
    failure_code: int
    width: int
    height: int
    file_bytes: int
    modified_ns: int
    added_ms: int
    content_hash: str


@dataclass(frozen=True)
class IngestItem:
    """One file of an ingest, durable when it is seen. `outcome` is "stored", "replaced",
    "unchanged", "failed", "known_bad" or "skipped"; `message` the reason of the last three."""

    uri: str
    outcome: str
    id: int
    code: int
    message: str
    format: str
    width: int
    height: int


@dataclass(frozen=True)
class IngestProgress:
    """Counts of an ingest; `file_count` is final once `listing_done`."""

    listing_done: bool = False
    file_count: int = 0
    done_count: int = 0
    stored_count: int = 0
    replaced_count: int = 0
    unchanged_count: int = 0
    failed_count: int = 0
    known_bad_count: int = 0
    skipped_count: int = 0
    bytes_read: int = 0
    elapsed_us: int = 0
    moved_count: int = 0
    removed_count: int = 0


@dataclass(frozen=True)
class Stats:
    """What a database and this handle hold."""

    dimension: int
    metric: str
    vector_type: str
    image_count: int
    failed_count: int
    vector_count: int
    delta_ram_bytes: int
    catalog_bytes: int
    query_count: int
    query_us_total: int
    scanned_count: int
    model: str
    model_identity: str
    kernels: str
    delta_vector_count: int
    segment_count: int
    segment_vector_count: int
    segment_bytes: int
    segment_ram_bytes: int
    disk_read_count: int


@dataclass(frozen=True)
class ExtractorInfo:
    """What an extractor is; equal `identity` means equal vectors."""

    dimension: int
    input_width: int
    input_height: int
    batch_max: int
    backend: str
    architecture: str
    identity: str


@dataclass(frozen=True)
class Limits:
    """What a picture may cost, checked before memory is taken for it; 0 is the default."""

    dimension_max: int = 0
    file_bytes_max: int = 0
    pixel_count_max: int = 0


def _plain(struct: Structure, kind: Any) -> Dict[str, Any]:
    """The fields that dataclass `kind` shares with a C struct, text decoded."""
    values = {}
    for field in fields(kind):
        value = getattr(struct, field.name)
        values[field.name] = text_of(value) if isinstance(value, bytes) else value
    return values


def record_of(row: _abi.Record) -> Record:
    values = _plain(row, Record)
    values["state"] = word_of(STATES, row.state)
    values["metadata"] = metadata_of(row.metadata)
    values["content_hash"] = bytes(row.content_hash).hex()
    return Record(**values)


def item_of(row: _abi.IngestItem) -> IngestItem:
    values = _plain(row, IngestItem)
    values["outcome"] = word_of(OUTCOMES, row.outcome)
    return IngestItem(**values)


def progress_of(row: _abi.IngestProgress) -> IngestProgress:
    values = _plain(row, IngestProgress)
    values["listing_done"] = bool(row.listing_done)
    return IngestProgress(**values)


def stats_of(row: _abi.Stats) -> Stats:
    values = _plain(row, Stats)
    values["metric"] = word_of(METRICS, row.metric)
    values["vector_type"] = word_of(VECTOR_TYPES, row.vector_type)
    return Stats(**values)


def info_of(row: _abi.ExtractorInfo) -> ExtractorInfo:
    return ExtractorInfo(**_plain(row, ExtractorInfo))

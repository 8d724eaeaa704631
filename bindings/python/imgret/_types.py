"""What calls give back: plain dataclasses, and how they are made from the C structs."""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

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
COMBINATIONS = {_abi.COMBINE_MEAN: "mean", _abi.COMBINE_BEST: "best"}
SEARCHES = {
    _abi.SEARCH_WHOLE: "whole",
    _abi.SEARCH_OBJECTS: "objects",
    _abi.SEARCH_BOTH: "both",
}
LIKENESSES = {
    _abi.LIKENESS_SIMILAR: "similar",
    _abi.LIKENESS_NEAR: "near",
    _abi.LIKENESS_SAME: "same",
}
RERANKS = {_abi.RERANK_COLOR: "color", _abi.RERANK_GEOMETRY: "geometry"}
DUPLICATES = {
    _abi.DUPLICATE_IDENTICAL: "identical",
    _abi.DUPLICATE_NEAR: "near",
    _abi.DUPLICATE_SIMILAR: "similar",
}
KEEPS = {
    _abi.KEEP_RESOLUTION: "resolution",
    _abi.KEEP_COLOR: "color",
    _abi.KEEP_FORMAT: "format",
    _abi.KEEP_BYTES: "bytes",
    _abi.KEEP_DATE: "date",
    _abi.KEEP_FIRST: "first",
}
# imgret_color_name, without a call for each.
COLORS = tuple("black grey white red orange yellow green blue purple pink brown".split())


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
class Box:
    """A rectangle in pixels of an upright picture."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Hit:
    """One result of a query: `score` is higher for what is more alike, its scale the metric's.

    `region` is 0 for the whole picture, else the ordinal of the object that was found, `box` where
    it is; `region_score` and `region_label` are its detector's.
    """

    id: int
    score: float
    uri: Optional[str]
    metadata: Optional[Metadata]
    width: int
    height: int
    label: Optional[str]
    label_score: float
    region: int
    box: Box
    region_score: float
    region_label: Optional[str]


@dataclass(frozen=True)
class QueryStats:
    """What one query did. `partial`: it was stopped before its end and may lack better results;
    `estimates`: scores of some results are estimates."""

    partial: bool
    estimates: bool
    elapsed_us: int
    wait_us: int
    reads: int
    read_bytes: int
    cache_hits: int
    hops: int
    sign_distances: int
    code_distances: int
    exact_distances: int
    scanned: int
    reranks: int
    effort: int
    expected_recall: float


@dataclass(frozen=True)
class Swatch:
    """A dominant colour of a picture, sRGB; `color` is its name, `share` of the area, 0 to 1."""

    red: int
    green: int
    blue: int
    color: str
    share: float


@dataclass(frozen=True)
class Attributes:
    """What a picture looks like, and what its camera wrote: see docs/attributes.md.

    `orientation` is EXIF's, 0 when the file says nothing; `color_shares` adds up to 1.
    """

    orientation: int
    brightness: float
    contrast: float
    saturation: float
    warmth: float
    sharpness: float
    perceptual_hash: int
    color_shares: Dict[str, float]
    swatches: Tuple[Swatch, ...]
    latitude: Optional[float]
    longitude: Optional[float]
    taken_at: Optional[str]
    camera_make: Optional[str]
    camera_model: Optional[str]


@dataclass(frozen=True)
class Region:
    """A region of an image: all of it (ordinal 0), or an object, best score first."""

    ordinal: int
    x: int
    y: int
    width: int
    height: int
    score: float
    label: Optional[str]


@dataclass(frozen=True)
class Duplicate:
    """One picture of a group: what it is of the group's first, "identical", "near" or "similar" (""
    for the first), the cosine of their vectors, the bits in which their perceptual hashes differ
    (None: unknown), the quarters that it is turned, and whether it is mirrored after that."""

    id: int
    kind: str
    uri: Optional[str]
    format: str
    width: int
    height: int
    file_bytes: int
    modified_ns: int
    score: float
    hash_bits: Optional[int]
    quarters: int
    mirrored: bool


@dataclass(frozen=True)
class DuplicateGroup:
    """Pictures that show the same: the first is the one to keep, and `keep_reason` says why:
    "resolution", "color", "format", "bytes", "date" or "first"."""

    kind: str
    keep_reason: str
    members: Tuple[Duplicate, ...]


@dataclass(frozen=True)
class Calibration:
    """What scores mean in a collection under its model: from same_score on pictures are as alike as one
    and its copy encoded anew, from near_score on as one and its copy cut a little, from
    similar_score on as few pictures at random; the rest is what that was measured from."""

    same_score: float
    near_score: float
    similar_score: float
    random_median: float
    random_high: float
    nearest_median: float
    image_count: int
    pair_count: int
    copy_count: int
    hash_pair_count: int


@dataclass(frozen=True)
class DuplicatesReport:
    """What Database.duplicates compared and found; the pictures to keep are not counted."""

    image_count: int
    group_count: int
    duplicate_count: int
    duplicate_bytes: int


@dataclass(frozen=True)
class LabelItem:
    """A picture that a label fits, with the confidence, 0 to 1, and the label that it has."""

    id: int
    confidence: float
    uri: Optional[str]
    label_before: Optional[str]


@dataclass(frozen=True)
class LabelReport:
    """What Database.label_examples did: examples of this label, stored ones included; what it was
    told from; pictures looked at, fitting, and labelled."""

    example_count: int
    counter_count: int
    examined_count: int
    fitting_count: int
    assigned_count: int


@dataclass(frozen=True)
class RepairReport:
    """What Database.repair did; `images_lost` are now in state "failed", with a reason."""

    segments_rebuilt: int
    vectors_kept: int
    images_extracted: int
    images_lost: int


@dataclass(frozen=True)
class SalvageReport:
    """What salvage did: images with a vector afterwards, how many of these lack their record
    (metadata, label, attributes, perhaps the uri), and those whose vectors are lost. `original` names
    the damaged file in the database's folder, "" when nothing was damaged."""

    salvaged: bool
    image_count: int
    images_without_record: int
    images_lost: int
    original: str
    losses: List[str]


@dataclass(frozen=True)
class ReembedReport:
    """What Database.reembed did: pictures extracted by this call and by one before it that was
    stopped, and those that cannot be had."""

    embedded_count: int
    resumed_count: int
    missing_count: int


@dataclass(frozen=True)
class ModelReport:
    """What a file of weights is. `status` is 0 when it can be loaded, else the error's code, with
    its message in `reason`; what a backend cannot tell is empty or 0."""

    status: int
    reason: str
    backend: str
    backend_version: str
    family: str
    naming: str
    architecture: str
    identity: str
    missing: List[str]
    left_over: List[str]
    misshapen: List[str]
    class_names: List[str]
    notes: List[str]
    parameter_count: int
    tensor_bytes: int
    tensor_count: int
    missing_count: int
    left_over_count: int
    misshapen_count: int
    dimension: int
    class_count: int
    input_width: int
    input_height: int
    anchor_count: int
    box_class_count: int


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
    label: Optional[str]
    label_score: float
    attributes: Optional[Attributes]


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
    batch_count: int
    batch_image_count: int
    feature_cache_hits: int
    feature_cache_misses: int
    feature_cache_bytes: int
    partial_count: int
    disk_read_bytes: int
    disk_wait_us_total: int
    cache_hit_count: int
    hop_count: int
    sign_distance_count: int
    code_distance_count: int
    exact_distance_count: int
    code_ram_bytes: int
    graph_ram_bytes: int
    id_ram_bytes: int
    check_ram_bytes: int
    other_ram_bytes: int
    graph_disk_bytes: int
    io_kind: str
    io_reason: str
    regions: str


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
    instances: int
    class_count: int


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


def color_word(color: int) -> str:
    """The name of a colour; the number itself when a newer library knows more."""
    return COLORS[color] if color < len(COLORS) else str(color)


def _attributes_of(row: _abi.Attributes) -> Attributes:
    values = _plain(row, Attributes)
    values["color_shares"] = dict(zip(COLORS, row.color_shares))
    values["swatches"] = tuple(
        Swatch(each.red, each.green, each.blue, color_word(each.color), each.share)
        for each in row.swatches[: row.swatch_count]
    )
    for key in ("latitude", "longitude"):
        if values[key] != values[key]:  # NaN: the picture does not say
            values[key] = None
    return Attributes(**values)


def region_of(row: _abi.Region) -> Region:
    return Region(**_plain(row, Region))


def query_stats_of(row: _abi.QueryStats) -> QueryStats:
    values = {field.name: getattr(row, field.name, None) for field in fields(QueryStats)}
    values["partial"] = bool(row.flags & _abi.QUERY_PARTIAL)
    values["estimates"] = bool(row.flags & _abi.QUERY_HAS_ESTIMATES)
    return QueryStats(**values)  # type: ignore[arg-type]


def repair_report_of(row: _abi.RepairReport) -> RepairReport:
    return RepairReport(**_plain(row, RepairReport))


def salvage_report_of(row: _abi.SalvageReport, losses: List[str]) -> SalvageReport:
    return SalvageReport(
        salvaged=bool(row.salvaged),
        image_count=row.image_count,
        images_without_record=row.images_without_record,
        images_lost=row.images_lost,
        original=text_of(row.original),
        losses=losses,
    )


def _duplicate_of(row: _abi.Duplicate) -> Duplicate:
    return Duplicate(
        id=row.id,
        kind=word_of(DUPLICATES, row.kind) if row.kind else "",
        uri=None if row.uri is None else text_of(row.uri),
        format=text_of(row.format or b""),
        width=row.width,
        height=row.height,
        file_bytes=row.file_bytes,
        modified_ns=row.modified_ns,
        score=row.score,
        hash_bits=None if row.hash_bits == _abi.HASH_UNKNOWN else row.hash_bits,
        quarters=row.turn & 3,
        mirrored=bool(row.turn & _abi.TURN_MIRRORED),
    )


def duplicate_group_of(row: _abi.DuplicateGroup) -> DuplicateGroup:
    """The members stand as far apart as the library says."""
    first = ctypes.addressof(row.members.contents)
    stride = row.members.contents.size
    members = (_abi.Duplicate.from_address(first + i * stride) for i in range(row.count))
    return DuplicateGroup(
        word_of(DUPLICATES, row.kind),
        word_of(KEEPS, row.keep_reason),
        tuple(map(_duplicate_of, members)),
    )


def calibration_of(row: _abi.Calibration) -> Calibration:
    return Calibration(**_plain(row, Calibration))


def duplicates_report_of(row: _abi.DuplicatesReport) -> DuplicatesReport:
    return DuplicatesReport(**_plain(row, DuplicatesReport))


def label_item_of(row: _abi.LabelItem) -> LabelItem:
    return LabelItem(**_plain(row, LabelItem))


def label_report_of(row: _abi.LabelReport) -> LabelReport:
    return LabelReport(**_plain(row, LabelReport))


def reembed_report_of(row: _abi.ReembedReport) -> ReembedReport:
    return ReembedReport(**_plain(row, ReembedReport))


def model_report_of(row: _abi.ModelReport) -> ModelReport:
    values = _plain(row, ModelReport)
    for key in ("missing", "left_over", "misshapen", "class_names", "notes"):
        values[key] = values[key].splitlines()
    return ModelReport(**values)


def record_of(row: _abi.Record) -> Record:
    values = _plain(row, Record)
    values["attributes"] = _attributes_of(row.attributes.contents) if row.attributes else None
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

"""imgret: image search as a library. Put pictures in, ask for those that look like this one.

    import imgret

    with imgret.open("photos.imgret") as db:
        db.ingest("Pictures", progress=True).finish()
        for hit in db.query("cat.jpg", k=5):
            print(hit.score, hit.uri)
"""

from __future__ import annotations

from ._beside import watch_torch as _watch_torch
from ._database import Database, open
from ._errors import (
    BadImageError,
    BadModelError,
    BusyError,
    CorruptError,
    ExistsError,
    ForkedError,
    FullError,
    ImgretError,
    InternalError,
    InterruptedError,
    InvalidArgumentError,
    IoError,
    LimitError,
    MismatchError,
    NoMemoryError,
    NotFoundError,
    ReadOnlyError,
    UnsupportedError,
    VersionTooNewError,
)
from ._extractor import Extraction, Extractor
from ._ingest import Ingest
from ._library import LibraryNotFoundError, lib as _lib
from ._log import set_log
from ._models import inspect_model, pca_train
from ._query import parse_colors
from ._results import Batch, Results
from ._types import (
    COLORS,
    Added,
    Attributes,
    Box,
    Calibration,
    Duplicate,
    DuplicateGroup,
    DuplicatesReport,
    ExtractorInfo,
    Hit,
    IngestItem,
    IngestProgress,
    LabelItem,
    LabelReport,
    Limits,
    ModelReport,
    QueryStats,
    Record,
    ReembedReport,
    Region,
    RepairReport,
    SalvageReport,
    Stats,
    Swatch,
)
from ._upkeep import import_folder, salvage
from ._version import __version__

__all__ = [
    "Added",
    "Attributes",
    "BadImageError",
    "BadModelError",
    "Batch",
    "Box",
    "BusyError",
    "COLORS",
    "Calibration",
    "CorruptError",
    "Database",
    "Duplicate",
    "DuplicateGroup",
    "DuplicatesReport",
    "ExistsError",
    "Extraction",
    "Extractor",
    "ExtractorInfo",
    "ForkedError",
    "FullError",
    "Hit",
    "ImgretError",
    "Ingest",
    "IngestItem",
    "IngestProgress",
    "InternalError",
    "InterruptedError",
    "InvalidArgumentError",
    "IoError",
    "LabelItem",
    "LabelReport",
    "LibraryNotFoundError",
    "LimitError",
    "Limits",
    "MismatchError",
    "ModelReport",
    "NoMemoryError",
    "NotFoundError",
    "QueryStats",
    "ReadOnlyError",
    "Record",
    "ReembedReport",
    "Region",
    "RepairReport",
    "SalvageReport",
    "Results",
    "Stats",
    "Swatch",
    "UnsupportedError",
    "VersionTooNewError",
    "__version__",
    "import_folder",
    "inspect_model",
    "open",
    "parse_colors",
    "pca_train",
    "set_log",
    "version",
]


def version() -> str:
    """The version of the library that is loaded; `__version__` is that of this package."""
    text: bytes = _lib.imgret_version_string()
    return text.decode()


_watch_torch()

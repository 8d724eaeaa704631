"""imgret: image search as a library. Put pictures in, ask for those that look like this one.

    import imgret

    with imgret.open("photos.imgret") as db:
        db.ingest("Pictures", progress=True).finish()
        for hit in db.query("cat.jpg", k=5):
            print(hit.score, hit.uri)
"""

from __future__ import annotations

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
from ._extractor import Extractor
from ._ingest import Ingest
from ._library import LibraryNotFoundError, lib as _lib
from ._log import set_log
from ._results import Results
from ._types import (
    Added,
    ExtractorInfo,
    Hit,
    IngestItem,
    IngestProgress,
    Limits,
    Record,
    Stats,
)
from ._version import __version__

__all__ = [
    "Added",
    "BadImageError",
    "BadModelError",
    "BusyError",
    "CorruptError",
    "Database",
    "ExistsError",
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
    "LibraryNotFoundError",
    "LimitError",
    "Limits",
    "MismatchError",
    "NoMemoryError",
    "NotFoundError",
    "ReadOnlyError",
    "Record",
    "Results",
    "Stats",
    "UnsupportedError",
    "VersionTooNewError",
    "__version__",
    "open",
    "set_log",
    "version",
]


def version() -> str:
    """The version of the library that is loaded; `__version__` is that of this package."""
    text: bytes = _lib.imgret_version_string()
    return text.decode()

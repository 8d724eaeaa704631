"""libimgret in the harness of ann-benchmarks: copy this folder to ann_benchmarks/algorithms/imgret,
with a tarball of `make dist` for its Dockerfile.

The class has the harness's interface: fit, set_query_arguments, query, batch_query,
get_batch_results, get_additional. It also works without the harness.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any, Dict, List

import imgret

try:
    from ..base.module import BaseANN
except ImportError:  # outside of the harness

    class BaseANN:  # type: ignore[no-redef]
        """What the harness would give."""


_COMMIT = 1000  # rows a transaction
METRICS = {"angular": "cosine", "euclidean": "l2"}


class Imgret(BaseANN):  # type: ignore[misc]
    """One index. `parameters`: index_ram_bytes (0: as much as it wants), segment (False: compare
    every vector) and vector_type ("f16" or "f32")."""

    def __init__(self, metric: str, parameters: Dict[str, Any]) -> None:
        self._metric = METRICS[metric]
        self._parameters = parameters
        self._effort = 0
        self._folder = tempfile.mkdtemp(prefix="imgret-ann-")
        self._reads_before = 0
        self._batch: List[Any] = []
        self.name = f"imgret({parameters})"

    def fit(self, X: Any) -> None:
        """Adds the rows of X; the id of row i is i + 1."""
        path = os.path.join(self._folder, "index.imgret")
        options = dict(
            metric=self._metric,
            vector_type=self._parameters.get("vector_type"),
            index_ram_bytes=self._parameters.get("index_ram_bytes", 0),
        )
        self._db = imgret.open(path, f"vectors:{len(X[0])}", **options)
        for first in range(0, len(X), _COMMIT):
            with self._db.transaction():
                for row in X[first : first + _COMMIT]:
                    self._db.add_vector(row)
        if self._parameters.get("segment", True):
            self._db.optimize(force=True)

    def set_query_arguments(self, effort: int) -> None:
        """Candidates that a search keeps: more recall, fewer queries a second."""
        self._effort = effort
        self._reads_before = self._db.stats().disk_read_count
        self.name = f"imgret({self._parameters}, effort={effort})"

    def query(self, v: Any, n: int) -> Any:
        """The rows of the n nearest."""
        return self._rows(self._db.query(v, k=n, effort=self._effort, ids_only=True).ids)

    @staticmethod
    def _rows(ids: Any) -> Any:
        """The rows that images were made from."""
        return ids - 1 if hasattr(ids, "dtype") else [id - 1 for id in ids]

    def batch_query(self, X: Any, n: int) -> None:
        """All rows of X at once, on all threads of the database."""
        batch = self._db.query_batch(X, k=n, effort=self._effort, ids_only=True)
        self._batch = [self._rows(each.ids) for each in batch]

    def get_batch_results(self) -> List[Any]:
        """What batch_query found."""
        return self._batch

    def get_additional(self) -> Dict[str, Any]:
        """Further numbers of the run since set_query_arguments."""
        stats = self._db.stats()
        return {
            "disk_reads": stats.disk_read_count - self._reads_before,
            "segment_ram_bytes": stats.segment_ram_bytes,
            "segment_bytes": stats.segment_bytes,
        }

    def done(self) -> None:
        """Closes and removes the index."""
        self._db.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __str__(self) -> str:
        return self.name

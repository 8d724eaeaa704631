"""Measures what the binding costs: the time of an import, and of a query over that of C.

The time of C is that of the bare imgret_query and imgret_results_free, called through ctypes with
everything prepared, less what a ctypes call with the same arguments costs that returns at once
(imgret_query with k too large). Medians, in microseconds.
"""

from __future__ import annotations

import argparse
import ctypes
import random
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from typing import Any, Callable, Dict, List

import imgret
from imgret import _abi, _inputs
from imgret._library import lib


def median_us(function: Callable[[], object], count: int) -> float:
    """The median time of a call."""
    clock = time.perf_counter_ns
    times: List[int] = []
    for _ in range(count):
        began = clock()
        function()
        times.append(clock() - began)
    return statistics.median(times) / 1000


def import_ms() -> float:
    """The median of ten imports, each in a process of its own."""
    code = "import time; t = time.perf_counter(); import imgret; print(time.perf_counter() - t)"
    outs = [subprocess.check_output([sys.executable, "-c", code]) for _ in range(10)]
    return statistics.median(float(out) for out in outs) * 1000


def bare_query(db: imgret.Database, vector: array[float], k: int) -> Callable[[], object]:
    """What a C program does for each query, with its structs made beforehand."""
    input = _inputs.prepare_vector(vector)
    options = _abi.QueryOptions(ctypes.sizeof(_abi.QueryOptions), 0, 0.0, k)
    out = ctypes.c_void_p()
    refs = (ctypes.byref(out), db._open_handle().pin(), ctypes.byref(input), ctypes.byref(options))
    query, free = lib.imgret_query, lib.imgret_results_free

    def call() -> None:
        query(*refs, None)
        free(out)

    return call


def ids_and_scores(db: imgret.Database, vector: Any) -> object:
    """A query whose results are taken as arrays."""
    hits = db.query(vector)
    return hits.ids, hits.scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="vectors in the database")
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--queries", type=int, default=3000)
    options = parser.parse_args()

    print(f"import imgret: {import_ms():.1f} ms")
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        db = imgret.open(folder + "/bench.imgret", f"vectors:{options.dimension}", threads=1)
        for number in range(options.count):
            db.add_vector([chance.gauss(0, 1) for _ in range(options.dimension)], uri=str(number))
        vector = array("f", (chance.gauss(0, 1) for _ in range(options.dimension)))
        kinds: Dict[str, Any] = {"array.array": vector, "list": list(vector)}
        try:
            import numpy

            kinds["numpy"] = numpy.array(vector, numpy.float32)
        except ImportError:
            print("numpy is not installed")

        refused = bare_query(db, vector, 0xFFFFFFFF)
        call_us = median_us(refused, options.queries)
        c_us = median_us(bare_query(db, vector, 10), options.queries) - call_us
        print(f"C: {c_us:.1f} us a query of {options.count} vectors, k = 10")
        for kind, query in kinds.items():
            for what, function in (
                ("results", lambda: db.query(query)),
                ("ids and scores", lambda: ids_and_scores(db, query)),
                ("list of hits", lambda: list(db.query(query))),
            ):
                us = median_us(function, options.queries) - c_us
                print(f"{kind}, {what}: {us:.1f} us over C")
        db._open_handle().unpin()
        db._open_handle().unpin()
        db.close()


if __name__ == "__main__":
    main()

"""Measures what the binding costs: the time of an import, and of a query over that of C.

The time of C is that of the bare imgret_query and imgret_results_free, called through ctypes with
everything prepared, less what a ctypes call with the same arguments costs that returns at once
(imgret_query with k too large). The ways to ask are measured in turns, so that a busy machine
treats them alike. Medians, in microseconds; --json FILE writes them down.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from typing import Any, Callable, Dict, List, Mapping

import imgret
from imgret import _abi, _inputs
from imgret._library import lib


def medians_us(count: int, functions: Mapping[str, Callable[[], object]]) -> Dict[str, float]:
    """The median time of each function, called in turns."""
    clock = time.perf_counter_ns
    times: Dict[str, List[int]] = {name: [] for name in functions}
    for _ in range(count):
        for name, function in functions.items():
            began = clock()
            function()
            times[name].append(clock() - began)
    return {name: statistics.median(each) / 1000 for name, each in times.items()}


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


def bare_batch(db: imgret.Database, rows: Any, count: int, k: int) -> Callable[[], object]:
    """A batch as a C program asks it, with everything made beforehand."""
    inputs, _, kept = _inputs.inputs_of(rows, _inputs.prepare_vector)
    options = _abi.QueryOptions(ctypes.sizeof(_abi.QueryOptions), 0, 0.0, k)
    out = (ctypes.c_void_p * count)()
    pointer = db._open_handle().pin()
    db._open_handle().unpin()

    def call() -> None:
        if not kept or lib.imgret_query_batch(out, pointer, inputs, count, options, None):
            raise RuntimeError("the batch failed")
        for results in out:
            lib.imgret_results_free(results)

    return call


def ids_and_scores(db: imgret.Database, vector: Any) -> object:
    """A query whose results are taken as arrays."""
    hits = db.query(vector)
    return hits.ids, hits.scores


def asking(db: imgret.Database, vector: array[float]) -> Dict[str, Callable[[], object]]:
    """All ways to ask, by name."""
    kinds: Dict[str, Any] = {"array.array": vector, "list": list(vector)}
    try:
        import numpy

        kinds["numpy"] = numpy.array(vector, numpy.float32)
    except ImportError:
        print("numpy is not installed")
    ways: Dict[str, Callable[[], object]] = {
        "C and a call": bare_query(db, vector, 10),
        "a call": bare_query(db, vector, 0xFFFFFFFF),
    }
    for kind, query in kinds.items():
        ways[kind + ", results"] = lambda query=query: db.query(query)  # type: ignore[misc]
        ways[kind + ", ids and scores"] = (
            lambda query=query: ids_and_scores(db, query)  # type: ignore[misc]
        )
        ways[kind + ", list of hits"] = lambda query=query: list(db.query(query))  # type: ignore[misc]
    return ways


def batches(db: imgret.Database, dimension: int, count: int, rounds: int) -> Dict[str, float]:
    """Microseconds a query of a batch, in C and here."""
    chance = random.Random(2)
    rows: Any = [
        array("f", (chance.gauss(0, 1) for _ in range(dimension))) for _ in range(count)
    ]
    try:
        import numpy

        rows = numpy.array(rows, numpy.float32)
    except ImportError:
        pass
    ways: Dict[str, Callable[[], object]] = {
        "C batch": bare_batch(db, rows, count, 10),
        "query_batch": lambda: db.query_batch(rows),
        "query_batch and the ids of each": lambda: [each.ids for each in db.query_batch(rows)],
    }
    if not isinstance(rows, list):
        ways["query_batch and arrays()"] = lambda: db.query_batch(rows).arrays()
    return {name: us / count for name, us in medians_us(rounds, ways).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="vectors in the database")
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--queries", type=int, default=3000)
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args()

    figures: Dict[str, float] = {"import_ms": import_ms()}
    print(f"import imgret: {figures['import_ms']:.1f} ms")
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        db = imgret.open(folder + "/bench.imgret", f"vectors:{options.dimension}", threads=1)
        with db.transaction():
            for number in range(options.count):
                row = array("f", (chance.gauss(0, 1) for _ in range(options.dimension)))
                db.add_vector(row, uri=str(number))
        vector = array("f", (chance.gauss(0, 1) for _ in range(options.dimension)))
        times = medians_us(options.queries, asking(db, vector))
        c_us = times.pop("C and a call") - times.pop("a call")
        figures["c_query_us"] = c_us
        print(f"C: {c_us:.1f} us a query of {options.count} vectors, k = 10")
        for name, us in times.items():
            figures[f"over C, {name}, us"] = us - c_us
            print(f"{name}: {us - c_us:.1f} us over C")
        for name, us in batches(db, options.dimension, 256, 1 + options.queries // 100).items():
            figures[f"{name}, us a query"] = us
            print(f"{name} of 256: {us:.1f} us a query")
        db._open_handle().unpin()
        db._open_handle().unpin()
        db.close()
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()

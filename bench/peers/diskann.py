#!/usr/bin/env python3
"""diskann.py: DiskANN, measured as `imgret-bench ann` measures libimgret, on the same queries.

Run by `imgret-bench peers` where diskannpy is installed (pip install diskannpy). The effort is
DiskANN's search list L: chosen on the queries of even number, told of the others. diskannpy tells
no reads: reads_per_query is the bytes that the operating system counts, by those of a sector group.
"""
import argparse
import gzip
import json
import math
import os
import platform
import resource
import shutil
import statistics
import struct
import sys
import tempfile
import time

import numpy as np

SECTOR_BYTES = 4096
EFFORT_MAX = 4096


def read_vectors(path, count_max):
    """Rows as float32, of the formats that have a head of their own."""
    opened = gzip.open if path.endswith(".gz") else open
    name = path[:-3] if path.endswith(".gz") else path
    if name.endswith(".npy"):
        rows = np.load(path)
    elif name.endswith((".fvecs", ".bvecs")):
        raw = np.fromfile(path, dtype=np.uint8)
        dimension = int(raw[:4].view(np.int32)[0])
        kind = np.float32 if name.endswith(".fvecs") else np.uint8
        row_bytes = 4 + dimension * np.dtype(kind).itemsize
        rows = np.ascontiguousarray(raw.reshape(-1, row_bytes)[:, 4:]).view(kind)
    else:
        with opened(path, "rb") as file:
            if name.endswith("-ubyte"):
                _, count, height, width = struct.unpack(">4I", file.read(16))
                dimension, kind = height * width, np.uint8
            else:
                count, dimension = struct.unpack("<2I", file.read(8))
                kind = {"fbin": np.float32, "u8bin": np.uint8, "i8bin": np.int8}[name.split(".")[-1]]
            if count_max:
                count = min(count, count_max)
            data = file.read(count * dimension * np.dtype(kind).itemsize)
            rows = np.frombuffer(data, dtype=kind).reshape(count, dimension)
    if count_max:
        rows = rows[:count_max]
    return np.ascontiguousarray(rows, dtype=np.float32)


def read_truth(path):
    """Ids and, where the file tells them, distances."""
    if path.endswith(".ivecs"):
        raw = np.fromfile(path, dtype=np.int32)
        return raw.reshape(-1, raw[0] + 1)[:, 1:].astype(np.int64), None
    raw = np.fromfile(path, dtype=np.uint32)
    count, depth = int(raw[0]), int(raw[1])
    cells = count * depth
    ids = raw[2:2 + cells].reshape(count, depth).astype(np.int64)
    distances = raw[2 + cells:2 + 2 * cells].view(np.float32)
    return ids, distances.reshape(count, depth) if len(distances) == cells else None


def compute_truth(base, queries, depth, inner):
    """Exact neighbours, in blocks."""
    ids = np.empty((len(queries), depth), dtype=np.int64)
    squares = (base.astype(np.float64) ** 2).sum(1)
    for at in range(0, len(queries), 64):
        block = queries[at:at + 64]
        scores = -(block @ base.T) if inner else squares[None] - 2.0 * (block @ base.T)
        near = np.argpartition(scores, depth - 1, axis=1)[:, :depth]
        order = np.argsort(np.take_along_axis(scores, near, 1), axis=1)
        ids[at:at + 64] = np.take_along_axis(near, order, 1)
    return ids, None


def recall_of(found, truth, k):
    """As bench_truth_hits: what is as near as the k-th counts as well as it."""
    ids, distances = truth
    hits = 0
    for row, right in enumerate(ids):
        listed = k
        if distances is not None:
            limit = distances[row, k - 1] + abs(distances[row, k - 1]) * 1e-6
            listed = max(k, int(np.searchsorted(distances[row], limit, side="right")))
        hits += min(k, len(np.intersect1d(found[row, :k], right[:listed])))
    return hits / (len(ids) * k)


def device_bytes():
    """Bytes that this process had from devices; NaN where nobody tells."""
    try:
        with open("/proc/self/io", encoding="ascii") as file:
            return float(dict(line.split(": ") for line in file)["read_bytes"])
    except (OSError, KeyError):
        return math.nan


def run_apart(work):
    """Calls work() in a child process and returns its peak resident bytes; 0 when it failed."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            work()
            sys.stdout.flush()
            os._exit(0)
        except BaseException as failure:  # the child must never go on as its parent
            print(f"diskann: {failure}", file=sys.stderr, flush=True)
            os._exit(1)
    _, status, use = os.wait4(child, 0)
    return use.ru_maxrss * 1024 if status == 0 else 0


def tree_bytes(folder):
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))


class Quiet:
    """DiskANN talks on stdout: that goes to a file meanwhile."""

    def __enter__(self):
        sys.stdout.flush()
        self.kept = os.dup(1)
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.close(sink)

    def __exit__(self, *_):
        sys.stdout.flush()
        os.dup2(self.kept, 1)
        os.close(self.kept)


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("--base", "--queries"):
        parser.add_argument(name, required=True)
    parser.add_argument("--truth")
    parser.add_argument("--metric", default="l2", choices=["l2", "cosine", "ip"])
    parser.add_argument("--name")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--recall", default="0.9,0.95,0.99,0.999")
    parser.add_argument("--efforts", default="")
    for name, value in (("--k", 10), ("--runs", 3), ("--count", 0), ("--queries-max", 0),
                        ("--build-threads", len(os.sched_getaffinity(0))),
                        ("--diskann-degree", 64), ("--diskann-complexity", 100),
                        ("--beam-width", 4), ("--pq-bytes", 0), ("--cached-nodes", 0)):
        parser.add_argument(name, type=int, default=value)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", help="folder where the index stays, and is used from")
    for name in ("--engines", "--degree", "--ef-construction"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    return parser.parse_args()


def normalised(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)


def build(options, folder, notes):
    import diskannpy
    base = read_vectors(options.base, options.count)
    if options.metric == "cosine":
        base = normalised(base).astype(np.float32)
    pq_bytes = options.pq_bytes or min(512, max(1, base.shape[1] // 4))
    began, processor = time.perf_counter(), time.process_time()
    with Quiet():
        diskannpy.build_disk_index(
            data=base, distance_metric="mips" if options.metric == "ip" else "l2",
            index_directory=folder, complexity=options.diskann_complexity,
            graph_degree=options.diskann_degree,
            search_memory_maximum=pq_bytes * len(base) / 2**30, build_memory_maximum=16.0,
            num_threads=options.build_threads, pq_disk_bytes=0, vector_dtype=np.float32)
    with open(notes, "w", encoding="utf-8") as file:
        json.dump({"build_s": time.perf_counter() - began,
                   "build_cpu_s": time.process_time() - processor,
                   "count": len(base), "dimension": base.shape[1], "pq_bytes": pq_bytes,
                   "file_bytes": tree_bytes(folder)}, file)


class Search:
    """An index in a folder, asked with as many threads as were said."""

    def __init__(self, options, folder, threads):
        import diskannpy
        self.options, self.threads = options, threads
        with Quiet():
            self.index = diskannpy.StaticDiskIndex(
                index_directory=folder, num_threads=threads,
                num_nodes_to_cache=options.cached_nodes,
                distance_metric="mips" if options.metric == "ip" else "l2",
                vector_dtype=np.float32, dimensions=read_vectors(options.queries, 1).shape[1])

    def together(self, queries, effort):
        answer = self.index.batch_search(queries, self.options.k, max(effort, self.options.k),
                                         num_threads=self.threads,
                                         beam_width=self.options.beam_width)
        return np.asarray(answer.identifiers).astype(np.int64)

    def latencies(self, queries, effort):
        times = []
        for query in queries:
            began = time.perf_counter()
            self.index.search(query, self.options.k, max(effort, self.options.k),
                              beam_width=self.options.beam_width)
            times.append((time.perf_counter() - began) * 1e6)
        return times


def find_effort(recall_at, wanted, least):
    low = high = least
    while recall_at(high) < wanted:
        if high == EFFORT_MAX:
            return high
        low, high = high, min(2 * high, EFFORT_MAX)
    while high - low > 1 and high - low > low // 16:
        middle = (low + high) // 2
        if recall_at(middle) < wanted:
            low = middle
        else:
            high = middle
    return high


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} CPUs"


def describe(options, notes):
    return {
        "engine": "diskann", "set": options.name or set_name(options.base),
        "index": f"R={options.diskann_degree} L={options.diskann_complexity} "
                 f"W={options.beam_width} PQ={notes['pq_bytes']} cache={options.cached_nodes}",
        "metric": options.metric, "scores": "exact", "mode": "batch", "k": options.k,
        "machine": machine(), **{name: notes[name] for name in (
            "count", "dimension", "build_s", "build_cpu_s", "build_rss_bytes", "file_bytes")},
        "ram_bytes": notes["count"] * notes["pq_bytes"]}


def set_name(path):
    name = os.path.basename(path)
    folder = os.path.basename(os.path.dirname(path))
    return folder if name.startswith("base.") and folder else name


def measure(options, folder, notes, threads):
    queries = read_vectors(options.queries, options.queries_max)
    if options.metric == "cosine":
        queries = normalised(queries).astype(np.float32)
    if options.truth:
        ids, distances = read_truth(options.truth)
    else:
        ids, distances = np.load(os.path.join(options.scratch, "truth.npy")), None
    halves = [(queries[first::2], (ids[first:len(queries):2], None if distances is None else
                                   distances[first:len(queries):2])) for first in (0, 1)]
    search = Search(options, folder, threads)
    (tuning, tuning_truth), (testing, testing_truth) = halves
    known = {}

    def recall_at(effort):
        if effort not in known:
            known[effort] = recall_of(search.together(tuning, effort), tuning_truth, options.k)
        return known[effort]

    wanted = [(find_effort(recall_at, float(text), options.k), float(text))
              for text in options.recall.split(",") if text and not options.efforts]
    wanted += [(int(text), None) for text in options.efforts.split(",") if text]
    for effort, target in wanted:
        point = describe(options, notes) | {
            "threads": threads, "query_count": len(testing), "effort": effort,
            "target_recall": target, "recall_tuned": recall_at(effort)}
        point |= measure_point(search, options, testing, testing_truth, effort, notes)
        print(json.dumps({name: None if isinstance(value, float) and math.isnan(value) else value
                          for name, value in point.items()}) if options.json else
              f"diskann L={effort} threads={threads} recall={point['recall']:.4f} "
              f"qps={point['qps']:.0f} reads={point['reads_per_query']:.1f} "
              f"p50={point['p50_us']:.0f} us p99={point['p99_us']:.0f} us "
              f"build={point['build_s']:.0f} s", flush=True)
    with Quiet():  # its end is told, too
        del search


def measure_point(search, options, queries, truth, effort, notes):
    search.together(queries, effort)
    rates, device, processor = [], device_bytes(), time.process_time()
    for _ in range(options.runs):
        began = time.perf_counter()
        found = search.together(queries, effort)
        rates.append(len(queries) / (time.perf_counter() - began))
    asked = len(queries) * options.runs
    read = (device_bytes() - device) / asked
    processor = (time.process_time() - processor) * 1e6 / asked
    times = sorted(search.latencies(queries, effort))
    # A read of DiskANN takes the sectors that one node lies in.
    node_bytes = 4 * (notes["dimension"] + 1 + options.diskann_degree)
    read_bytes = SECTOR_BYTES * max(1, math.ceil(node_bytes / SECTOR_BYTES))
    return {"recall": recall_of(found, truth, options.k), "qps": statistics.median(rates),
            "cpu_us": processor, "device_bytes_per_query": read,
            "bytes_per_query": read, "reads_per_query": read / read_bytes,
            "mean_us": statistics.fmean(times), "p50_us": times[len(times) // 2],
            "p95_us": times[len(times) * 95 // 100], "p99_us": times[len(times) * 99 // 100],
            "rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "load": os.getloadavg()[0]}


def write_truth(options, scratch):
    base = read_vectors(options.base, options.count)
    queries = read_vectors(options.queries, options.queries_max)
    if options.metric == "cosine":
        base, queries = normalised(base), normalised(queries)
    ids, _ = compute_truth(base, queries, options.k, options.metric == "ip")
    np.save(os.path.join(scratch, "truth.npy"), ids)


def prepare(options, folder, path):
    """What the build told, of the index that is there or of a new one; None when it failed."""
    if not os.access(path, os.R_OK):
        peak_bytes = run_apart(lambda: build(options, folder, path))
        if not peak_bytes:
            return None
        with open(path, encoding="utf-8") as file:
            notes = json.load(file) | {"build_rss_bytes": peak_bytes}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(notes, file)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    options = arguments()
    scratch = tempfile.mkdtemp(prefix="imgret-bench-")
    options.scratch = scratch
    home = os.path.join(options.keep, f"diskann-{options.diskann_degree}") if options.keep else scratch
    folder, notes_path = os.path.join(home, "index"), os.path.join(home, "notes.json")
    os.makedirs(folder, exist_ok=True)
    try:
        if not options.truth and not run_apart(lambda: write_truth(options, scratch)):
            return 1
        notes = prepare(options, folder, notes_path)
        if not notes:
            return 1
        return 0 if all([run_apart(lambda: measure(options, folder, notes, int(threads))) > 0
                         for threads in options.threads.split(",")]) else 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

"""The module for ann-benchmarks: the harness's calls, and where a checkout of it is named, the harness."""

import importlib.util
import os
import random
import shutil
import subprocess
import sys
import unittest

from common import PACKAGE, Case, needs_numpy

EXAMPLE = os.path.join(PACKAGE, "examples", "ann_benchmarks")

# Run inside a copy of the harness: its own reading of config.yml, its own runner, its own sums.
HARNESS = """
import h5py, numpy, os, sys
from ann_benchmarks.definitions import get_definitions
from ann_benchmarks.runner import run
from ann_benchmarks.results import load_all_results

metric, seed = sys.argv[1], numpy.random.default_rng(7)
name = "drawn-16-" + metric
train, test = (seed.standard_normal((n, 16)).astype("f") for n in (2000, 50))
if metric == "angular":
    far = 1 - (test / numpy.linalg.norm(test, axis=1, keepdims=True)) @ (
        train / numpy.linalg.norm(train, axis=1, keepdims=True)).T
else:
    far = numpy.linalg.norm(test[:, None] - train[None], axis=2)
order = numpy.argsort(far, axis=1)[:, :10]
os.makedirs("data", exist_ok=True)
with h5py.File("data/" + name + ".hdf5", "w") as file:
    file.attrs.update(type="dense", distance=metric, dimension=16, point_type="float")
    file["train"], file["test"], file["neighbors"] = train, test, order
    file["distances"] = numpy.take_along_axis(far, order, axis=1)

(definition,) = [each for each in get_definitions(16, "float", metric, 10) if each.algorithm == "imgret"]
recalls = {}
for batch in (False, True):
    run(definition, name, 10, 1, batch)
    for properties, results in load_all_results(name, 10, batch):
        found = numpy.array(results["neighbors"])
        recalls[batch, properties["name"]] = numpy.mean(
            [len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), order.tolist())])
        assert properties["build_time"] > 0 and properties["segment_bytes"] > 0, dict(properties)
print("groups", len(recalls), "of", 2 * len(definition.query_argument_groups))
print("best", max(recalls.values()))
"""


class AnnBenchmarksTest(Case):
    def module(self):
        spec = importlib.util.spec_from_file_location(
            "ann_module", os.path.join(EXAMPLE, "module.py")
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def compare(self, metric, rows, nearest, of_row):
        algorithm = self.module().Imgret(metric, {"vector_type": "f32"})
        self.addCleanup(algorithm.done)
        algorithm.fit(rows)
        algorithm.set_query_arguments(300)
        queries = rows[:20]
        self.assertEqual([int(i) for i in algorithm.query(rows[5], 10)], nearest(of_row(rows[5]))[:10])
        algorithm.batch_query(queries, 10)
        found = algorithm.get_batch_results()
        self.assertEqual(len(found), 20)
        for query, ids in zip(queries, found):
            self.assertEqual(len(ids), len(set(ids)))
            self.assertEqual([int(i) for i in ids], nearest(of_row(query))[:10])
        additional = algorithm.get_additional()
        self.assertGreater(additional["segment_bytes"], 0)
        for name, value in additional.items():
            self.assertIsInstance(value, int, name)  # what HDF5 attributes take
        self.assertIn("effort=300", str(algorithm))
        folder = algorithm._folder
        algorithm.done()
        self.assertFalse(os.path.exists(folder))

    def test_its_calls_in_its_order(self):
        """Lists of numbers, against what comparing all finds."""
        chance = random.Random(7)
        rows = [[chance.gauss(0, 1) for _ in range(8)] for _ in range(300)]

        def nearest(query):
            return sorted(range(300), key=lambda i: sum((a - b) ** 2 for a, b in zip(rows[i], query)))

        self.compare("euclidean", rows, nearest, list)

    @needs_numpy
    def test_its_arrays(self):
        """numpy arrays as the harness gives them, of the other metric."""
        import numpy

        rows = numpy.random.default_rng(7).standard_normal((300, 8)).astype("f")
        unit = rows / numpy.linalg.norm(rows, axis=1, keepdims=True)

        def nearest(query):
            return numpy.argsort(-(unit @ query), kind="stable").tolist()

        self.compare("angular", rows, nearest, lambda row: row / numpy.linalg.norm(row))

    def test_in_the_harness(self):
        """IMGRET_ANN_BENCHMARKS: a checkout of github.com/erikbern/ann-benchmarks."""
        checkout = os.environ.get("IMGRET_ANN_BENCHMARKS")
        if not checkout:
            self.skipTest("IMGRET_ANN_BENCHMARKS names no checkout of ann-benchmarks")
        for module in ("numpy", "h5py", "yaml", "psutil", "docker", "colors", "sklearn"):
            if importlib.util.find_spec(module) is None:
                self.skipTest(f"the harness needs {module}, which this Python has not")
        place = self.place("harness")
        shutil.copytree(
            os.path.join(checkout, "ann_benchmarks"), os.path.join(place, "ann_benchmarks")
        )
        shutil.copytree(EXAMPLE, os.path.join(place, "ann_benchmarks", "algorithms", "imgret"))
        for metric in ("euclidean", "angular"):
            with self.subTest(metric):
                done = subprocess.run(
                    [sys.executable, "-c", HARNESS, metric],
                    cwd=place,
                    env=dict(os.environ, PYTHONPATH=os.pathsep.join((place, PACKAGE))),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    universal_newlines=True,
                    timeout=250,
                )
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertIn("groups 14 of 14", done.stdout)
                self.assertGreaterEqual(float(done.stdout.split()[-1]), 0.99)


if __name__ == "__main__":
    unittest.main()

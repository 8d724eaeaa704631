"""Databases of vectors and pictures: what goes in comes out, errors are the right ones."""

import gc
import os
import unittest
import warnings
from array import array

from common import Case, imgret, needs_numpy, numpy, picture


class LifeTest(Case):
    def test_open_close(self):
        with imgret.open(self.place("a.imgret")) as db:
            self.assertFalse(db.closed)
            self.assertIn("a.imgret", repr(db))
        self.assertTrue(db.closed)
        db.close()
        with self.assertRaises(ValueError):
            db.stats()
        with self.assertRaises(ValueError):
            db.query([1.0])

    def test_paths_of_every_kind(self):
        import pathlib

        odd = b"gr\xfc\xdf \xff.imgret"
        for path in (
            os.fsencode(self.folder) + b"/" + odd,
            os.path.join(self.folder, os.fsdecode(odd)),
            pathlib.Path(self.folder) / os.fsdecode(odd),
        ):
            with imgret.open(path, "vectors:2") as db:
                db.add_vector([1, 2])
        self.assertIn(odd, os.listdir(os.fsencode(self.folder)))
        with self.assertRaises(ValueError):
            imgret.open("a\0b")

    def test_ways_to_open(self):
        path = self.place("a.imgret")
        with self.assertRaises(imgret.NotFoundError):
            imgret.open(path, existing=True)
        with self.assertRaises(imgret.NotFoundError):
            imgret.open(path, read_only=True)
        imgret.open(path, "vectors:2", new=True, metric="l2", vector_type="f32").close()
        with self.assertRaises(imgret.ExistsError):
            imgret.open(path, new=True)
        with imgret.open(path, read_only=True) as db:
            self.assertEqual((db.stats().metric, db.stats().vector_type), ("l2", "f32"))
            with self.assertRaises(imgret.ReadOnlyError):
                db.add_vector([1, 2])
        with self.assertRaises(imgret.MismatchError) as caught:
            imgret.open(path, "classic")
        self.assertEqual(caught.exception.code, -12)
        self.assertEqual(caught.exception.name, "IMGRET_MISMATCH")
        with self.assertRaises(ValueError):
            imgret.open(path, metric="l3")
        with self.assertRaises(imgret.NotFoundError):
            imgret.open(self.place("missing", "b.imgret"))

    def test_a_file_is_no_database(self):
        path = self.write("file", b"hello")
        with self.assertRaises(imgret.ImgretError) as caught:
            imgret.open(path)
        self.assertIn("file", str(caught.exception))

    def test_forgotten_database_is_closed_with_a_warning(self):
        db = imgret.open(self.place("a.imgret"), "vectors:2")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del db
            gc.collect()
        self.assertEqual([each.category for each in caught], [ResourceWarning])
        imgret.open(self.place("a.imgret")).close()

    def test_errors_travel(self):
        import pickle

        error = imgret.NotFoundError("no such thing")
        self.assertIsInstance(error, LookupError)
        self.assertEqual((error.code, error.name), (-4, "IMGRET_NOT_FOUND"))
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(again), str(again), again.code), (type(error), str(error), -4))
        from imgret import _errors

        unknown = _errors.error_of(-4711, b"new \xff")
        self.assertEqual((type(unknown), unknown.code), (imgret.ImgretError, -4711))
        self.assertEqual(unknown.name, "IMGRET_UNKNOWN")

    def test_versions(self):
        self.assertEqual(imgret.version(), imgret.__version__)


class VectorTest(Case):
    def test_add_and_query(self):
        db = self.vectors()
        first = db.add_vector([3, 1, 0, 0], uri="a", metadata={"label": "Käse", "n": [1, None]})
        self.assertEqual(first, imgret.Added(first.id, "stored"))
        self.assertEqual(db.add_vector([3, 1, 0, 0], uri="a").outcome, "unchanged")
        self.assertEqual(db.add_vector([0, 1, 0, 0], uri="a").outcome, "replaced")
        second = db.add_vector((1, 0, 0, 0))
        hits = db.query([0, 2, 0, 0])
        self.assertEqual([hit.id for hit in hits], [first.id, second.id])
        self.assertAlmostEqual(hits[0].score, 1)
        self.assertAlmostEqual(hits[1].score, 0)
        self.assertEqual(hits[0].uri, "a")
        self.assertEqual(hits[0].metadata, {"label": "Käse", "n": [1, None]})
        self.assertEqual((hits[1].uri, hits[1].metadata), (None, None))

    def test_query_options(self):
        db = self.vectors(20)
        self.assertEqual(len(db.query([0, 1, 0, 0])), 10)
        self.assertEqual(len(db.query([0, 1, 0, 0], k=3)), 3)
        self.assertEqual(len(db.query([0, 1, 0, 0], k=1000)), 20)
        self.assertEqual([hit.uri for hit in db.query([0, 1, 0, 0], min_score=0.99)], ["v0"])
        self.assertNotIn(4, db.query(id=4).ids)
        self.assertEqual(db.query(id=4, include_self=True)[0].id, 4)
        for wrong in ({}, {"what": [1, 2, 3, 4], "id": 1}):
            with self.assertRaises(TypeError):
                db.query(**wrong)
        with self.assertRaises(ValueError):
            db.query([0, 1, 0, 0], k=0)
        with self.assertRaises(imgret.InvalidArgumentError):
            db.query([1, 2, 3])
        with self.assertRaises(ValueError):
            db.query([1, 2, 3, float("nan")])
        with self.assertRaises(imgret.NotFoundError):
            db.query(id=4711)

    def test_results_are_a_sequence(self):
        db = self.vectors(5)
        hits = db.query([0, 1, 0, 0], k=5)
        db.close()
        everything = list(hits)
        self.assertEqual(len(everything), len(hits))
        self.assertEqual([hits[i] for i in range(5)], everything)
        self.assertEqual((hits[-1], hits[1:3], hits[::-1]), (everything[4], everything[1:3], everything[::-1]))
        for index in (5, -6):
            with self.assertRaises(IndexError):
                hits[index]
        self.assertIn(everything[2], hits)
        self.assertEqual(list(hits.ids), [hit.id for hit in everything])
        self.assertEqual(list(hits.scores), [hit.score for hit in everything])
        self.assertEqual(list(reversed(hits)), everything[::-1])

    def test_no_results(self):
        hits = self.vectors().query([0, 1, 0, 0])
        self.assertEqual((len(hits), list(hits), hits[:], list(hits.ids), list(hits.scores)), (0, [], [], [], []))

    @needs_numpy
    def test_arrays_are_views_that_live_on(self):
        db = self.vectors(50)
        hits = db.query([0, 1, 0, 0], k=50)
        ids, scores = hits.ids, hits.scores
        self.assertEqual((ids.dtype, scores.dtype), (numpy.int64, numpy.float64))
        self.assertGreaterEqual(ids.strides[0], 48)  # in place: the results' own memory
        self.assertFalse(ids.flags.writeable)
        wanted = [hit.id for hit in hits]
        db.close()
        del hits, db
        gc.collect()
        for _ in range(100):
            numpy.ones(50 * 48, numpy.uint8)
        self.assertEqual(ids.tolist(), wanted)
        self.assertEqual(scores.tolist(), sorted(scores.tolist(), reverse=True))

    def test_hits_of_a_newer_library(self):
        """Longer hits: the stride is what the library says."""
        import ctypes

        from imgret import _abi, _results

        class Longer(ctypes.Structure):
            _fields_ = _abi.Hit._fields_ + [("more", ctypes.c_uint64 * 3)]

        size = ctypes.sizeof(Longer)
        rows = (Longer * 3)(*(Longer(size, 1, 2, 0, i, i / 2, b"u%d" % i, None) for i in range(3)))
        hits = _results.Results.__new__(_results.Results)
        hits._pointer = None
        hits._looked = _results._Hits(3, ctypes.addressof(rows))
        self.assertEqual(hits._hits.stride, size)
        self.assertEqual([hit.uri for hit in hits], ["u0", "u1", "u2"])
        self.assertEqual((list(hits.ids), list(hits.scores)), ([0, 1, 2], [0.0, 0.5, 1.0]))

    def test_vectors_of_every_kind(self):
        db = self.vectors(vector_type="f32")
        values = [1.5, -2.0, 0.25, 4.0]
        floats = array("f", values)
        for vector in (values, tuple(values), floats, array("d", values), memoryview(floats)):
            with self.subTest(type(vector)):
                id = db.add_vector(vector).id
                self.assertEqual(list(db.get_vector(id)), values)
                self.assertAlmostEqual(db.query(vector, k=1)[0].score, 1)
        for wrong in ("abcd", b"abcd", 5, None, [1, "x", 2, 3]):
            with self.subTest(repr(wrong)):
                with self.assertRaises(TypeError):
                    db.add_vector(wrong)

    @needs_numpy
    def test_numpy_vectors(self):
        db = self.vectors(vector_type="f32")
        values = numpy.array([1.5, -2.0, 0.25, 4.0])
        wide = numpy.zeros((4, 4), numpy.float32)
        wide[:, 2] = values
        for vector in (
            values,
            values.astype(numpy.float32),
            values.astype(numpy.float16),
            values.astype(">f4"),
            wide[:, 2],
            numpy.array([1, 2, 3, 4]),
        ):
            with self.subTest(f"{vector.dtype} {vector.strides}"):
                id = db.add_vector(vector).id
                got = db.get_vector(id)
                self.assertEqual(got.dtype, numpy.float32)
                self.assertEqual(got.tolist(), vector.tolist())
                self.assertEqual(db.add(vector).outcome, "stored")
        with self.assertRaises(TypeError):
            db.add_vector(wide)

    def test_metadata(self):
        db = self.vectors(1)
        db.set_metadata(1, {"a": {"b": "ü\n\"'"}, "c": 1.5, "d": True})
        self.assertEqual(db.get(1).metadata, {"a": {"b": "ü\n\"'"}, "c": 1.5, "d": True})
        db.set_metadata(1, None)
        self.assertIsNone(db.get(1).metadata)
        with self.assertRaises(imgret.NotFoundError):
            db.set_metadata(2, {})
        with self.assertRaises(ValueError):
            db.set_metadata(1, {"a": float("nan")})
        with self.assertRaises(TypeError):
            db.set_metadata(1, {"a": object()})
        with self.assertRaises(imgret.LimitError):
            db.set_metadata(1, {"a": "x" * (2 << 20)})

    def test_names_that_are_no_utf8(self):
        db = self.vectors()
        name = "ü \udcff"
        id = db.add_vector([1, 0, 0, 0], uri=name).id
        self.assertEqual(db.get(id).uri, name)
        self.assertEqual([record.id for record in db.list(uri=name)], [id])
        self.assertEqual(db.query(id=id, include_self=True)[0].uri, name)

    def test_remove(self):
        db = self.vectors(3)
        db.remove(2)
        self.assertEqual(sorted(db.query([0, 1, 0, 0]).ids), [1, 3])
        for wrong in (2, 99):
            with self.assertRaises(imgret.NotFoundError):
                db.remove(wrong)
        with self.assertRaises(imgret.NotFoundError):
            db.get(2)
        with self.assertRaises(imgret.NotFoundError):
            db.get_vector(2)

    def test_indexes(self):
        with imgret.open(self.place("i.imgret"), model="vectors:4") as db:
            for i in range(20):
                db.add([1.0, i, 0, 0], metadata={"camera": f"X{i % 4}"})
            db.create_index("metadata ->> 'camera'")
            db.create_index("width")
            self.assertEqual(db.indexes(), ["meta->>'camera'", "width"])
            self.assertEqual(db.count(where="meta->>'camera' = :c", params={"c": "X1"}), 5)
            with self.assertRaises(imgret.ExistsError):
                db.create_index("width")
            with self.assertRaises(imgret.InvalidArgumentError):
                db.create_index("random()")
            db.drop_index("width")
            with self.assertRaises(imgret.NotFoundError):
                db.drop_index("width")
            self.assertEqual(db.indexes(), ["meta->>'camera'"])

    def test_list_pages(self):
        db = self.vectors(25)
        for size in (1, 5, 7, 25, 1000):
            self.assertEqual([r.id for r in db.list(page_size=size)], list(range(1, 26)))
        self.assertEqual([r.id for r in db.list(after_id=20)], [21, 22, 23, 24, 25])
        self.assertEqual(list(db.list(state="failed")), [])
        with self.assertRaises(ValueError):
            db.list(state="lost")
        with self.assertRaises(ValueError):
            db.list(page_size=0)
        record = next(db.list())
        self.assertEqual((record.uri, record.metadata, record.format), ("v0", {"i": 0}, "vector"))
        self.assertEqual(record, db.get(record.id))
        self.assertEqual(len(record.content_hash), 32)

    def test_stats_and_check(self):
        db = self.vectors(3)
        db.query([0, 1, 0, 0])
        stats = db.stats()
        self.assertEqual((stats.dimension, stats.metric, stats.model), (4, "cosine", "vectors:4"))
        self.assertEqual((stats.image_count, stats.vector_count, stats.query_count), (3, 3, 1))
        self.assertTrue(stats.kernels)
        self.assertEqual(db.check(), [])

    def test_optimize(self):
        db = self.vectors(300, metric="l2")
        query = [200.25, 1, 0, 0]  # no two are equally far
        wanted = db.query(query).ids
        seen = []
        db.optimize(force=True, progress=seen.append)
        stats = db.stats()
        self.assertEqual((stats.segment_vector_count, stats.delta_vector_count), (300, 0))
        self.assertEqual(sorted(seen), seen)
        self.assertTrue(seen and 0 <= seen[0] and seen[-1] <= 1)
        self.assertEqual(list(db.query(query, effort=300).ids), list(wanted))
        self.assertEqual(len(db.query(query)), 10)
        self.assertEqual(db.check(), [])
        db.close()
        with self.assertRaises(imgret.LimitError):
            imgret.open(db.path, index_ram_bytes=1)
        with imgret.open(db.path, index_ram_bytes=1 << 20) as small:
            self.assertEqual(list(small.query(query, effort=300).ids), list(wanted))

    def test_optimize_is_stopped_by_an_exception(self):
        db = self.vectors(300)

        def stop(done):
            raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError):
            db.optimize(force=True, progress=stop)
        self.assertEqual((db.stats().segment_count, len(db.query([1, 1, 0, 0]))), (0, 10))

    def test_check_finds_damage(self):
        import sqlite3

        db = self.vectors(3)
        db.close()
        damage = sqlite3.connect(self.place("vectors.imgret", "catalog.db"))
        tables = damage.execute(
            "SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p "
            "WHERE m.type = 'table' AND upper(p.type) = 'BLOB' AND p.name LIKE '%vector%'"
        ).fetchall()
        self.assertTrue(tables)
        for table, column in tables:
            damage.execute(f"UPDATE {table} SET {column} = zeroblob(1) WHERE rowid = 1")
        damage.commit()
        damage.close()
        try:
            db = imgret.open(self.place("vectors.imgret"))
        except imgret.CorruptError as error:
            self.assertIn("vectors.imgret", str(error))
            return
        with db:
            self.assertTrue(db.check())


class LogTest(Case):
    def setUp(self):
        super().setUp()
        self.addCleanup(imgret.set_log, None)

    def test_function(self):
        folder = os.environ.get("IMGRET_TEST_PLUGINS", "")
        if not os.path.exists(os.path.join(folder, "imgret_fake.so")):
            self.skipTest("IMGRET_TEST_PLUGINS has no fake backend, which logs")
        seen = []
        imgret.set_log(lambda level, message: seen.append((level, message)), "info")
        imgret.Extractor("fake", plugin_path=folder).close()
        self.assertTrue([m for m in seen if m[0] == "info"], seen)
        imgret.set_log(None)
        seen.clear()
        imgret.Extractor("fake", plugin_path=folder).close()
        self.assertEqual(seen, [])

    def test_logger_gets_levels(self):
        import logging

        from imgret import _log

        logger = logging.getLogger("imgret.test")
        with self.assertLogs(logger, "DEBUG") as caught:
            imgret.set_log(logger, "debug")
            for level in (1, 2, 3, 4):
                _log._deliver(None, level, b"100% \xff")
        self.assertEqual(
            [record.levelname for record in caught.records], ["ERROR", "WARNING", "INFO", "DEBUG"]
        )
        self.assertEqual(caught.records[0].getMessage(), "100% \udcff")

    def test_levels_are_checked(self):
        with self.assertRaises(ValueError):
            imgret.set_log(print, "loud")

    def test_database_dropped_in_a_log_function_is_closed_later(self):
        from imgret import _calls, _log

        box = [imgret.open(self.place("a.imgret"), "vectors:2")]

        def drop(level, message):
            box.clear()

        imgret.set_log(drop)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _log._deliver(None, 1, b"x")
        self.assertEqual(len(_calls._left_to_close), 1)
        imgret.open(self.place("b.imgret"), "vectors:2").close()
        self.assertEqual(_calls._left_to_close, [])


class ExtractorTest(Case):
    def test_extract(self):
        path = self.write("a.png", picture(1))
        with imgret.Extractor("classic", threads=1) as extractor:
            info = extractor.info
            self.assertEqual(info.backend, "classic")
            rows = extractor.extract([path, picture(1), picture(2)])
            self.assertEqual(len(rows), 3)
            self.assertEqual(len(rows[0]), info.dimension)
            self.assertEqual(list(rows[0]), list(rows[1]))
            self.assertNotEqual(list(rows[0]), list(rows[2]))
            self.assertAlmostEqual(sum(float(x) ** 2 for x in rows[2]), 1, places=4)
            self.assertEqual(len(extractor.extract([])), 0)
            with self.assertRaises(imgret.BadImageError):
                extractor.extract([path, b"no picture"])
            rows, statuses = extractor.try_extract([b"no picture", path])
            self.assertEqual((statuses, set(rows[0])), ([-10, 0], {0.0}))
            with self.assertRaises(TypeError):
                extractor.extract(path)
        with self.assertRaises(ValueError):
            extractor.extract([path])

    def test_same_vectors_as_a_database(self):
        with imgret.open(self.place("a.imgret"), vector_type="f32") as db:
            id = db.add(picture(3)).id
            with imgret.Extractor("classic") as extractor:
                wanted = extractor.extract([picture(3)])[0]
            self.assertEqual(list(db.get_vector(id)), list(wanted))

    def test_errors(self):
        with self.assertRaises(imgret.NotFoundError):
            imgret.Extractor(self.place("missing.safetensors"))
        with self.assertRaises(imgret.InvalidArgumentError):
            imgret.Extractor("vectors:4")

    def test_limits(self):
        with imgret.Extractor("classic", limits=imgret.Limits(dimension_max=40)) as extractor:
            with self.assertRaises(imgret.LimitError):
                extractor.extract([picture(1)])


if __name__ == "__main__":
    unittest.main()

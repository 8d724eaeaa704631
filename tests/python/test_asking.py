"""What a query may be told, many queries at once, and what looks after a database."""

import gc
import os
import shutil
import threading
import unittest

from common import Case, imgret, needs_numpy, numpy, picture, pixels, png


def plain(red, green, blue, width=48, height=32):
    """A picture of one colour."""
    return png(width, height, bytes((red, green, blue)) * (width * height))


class FilterTest(Case):
    def test_where_with_parameters(self):
        db = self.vectors(20)
        where = "meta->>'i' >= :low AND meta->>'i' < :high"
        hits = db.query([0, 1, 0, 0], where=where, params={"low": 5, "high": 9})
        self.assertEqual(sorted(hit.metadata["i"] for hit in hits), [5, 6, 7, 8])
        got = [r.uri for r in db.list(where="uri = :name", params={"name": "v3"})]
        self.assertEqual(got, ["v3"])
        self.assertEqual(db.count(), 20)
        self.assertEqual(db.count(where="meta->>'i' > :x", params={"x": 16.5}), 3)
        self.assertEqual(db.count(where=":x IS NULL AND id = 1", params={"x": None}), 1)
        self.assertEqual(db.count(state="failed"), 0)
        hostile = "v1' OR '1' = '1"
        self.assertEqual(db.count(where="uri = :name", params={"name": hostile}), 0)

    def test_wrong_filters(self):
        db = self.vectors(2)
        with self.assertRaises(imgret.InvalidArgumentError):
            db.query([0, 1, 0, 0], where="nonsense(")
        with self.assertRaises(imgret.InvalidArgumentError):
            db.count(where="id = :a", params={"b": 1})
        with self.assertRaises(imgret.InvalidArgumentError):
            db.count(where="id = (SELECT 1)")
        for wrong in ("id\0", {"params": {"a": 1 << 63}}, {"params": {"a": "\0"}}):
            with self.assertRaises(ValueError):
                db.count(**(wrong if isinstance(wrong, dict) else {"where": wrong}))
        with self.assertRaises(TypeError):
            db.count(where="id = :a", params={"a": b"bytes"})

    def test_labels(self):
        db = self.vectors(3)
        db.set_label(2, "Käse", 0.75)
        self.assertEqual((db.get(2).label, db.get(2).label_score), ("Käse", 0.75))
        (hit,) = db.query([0, 1, 0, 0], where="label = :label", params={"label": "Käse"})
        self.assertEqual((hit.id, hit.label, hit.label_score), (2, "Käse", 0.75))
        db.set_label(2, None)
        self.assertIsNone(db.get(2).label)
        with self.assertRaises(imgret.InvalidArgumentError):
            db.set_label(2, "x", 2)
        with self.assertRaises(imgret.NotFoundError):
            db.set_label(99, "x")


    def test_labels_from_examples(self):
        db = self.vectors()
        for i in range(60):
            side = [10, 0.1 * i, 1, 0] if i % 2 else [0.1 * i, 10, 0, 1]
            db.add_vector(side, uri=str(i))
        seen = []
        found = db.label_examples("odd", [2, 4, [10, 1, 1, 0]], on_item=seen.append)
        self.assertEqual((found.fitting_count, found.assigned_count), (len(seen), 0))
        self.assertTrue(seen and all(int(item.uri) % 2 for item in seen))
        self.assertEqual(db.count(where="label = 'odd'"), 0)
        report = db.label_examples("odd", [2, 4], assign=True, where="id < :n", params={"n": 30})
        self.assertGreater(report.assigned_count, 0)
        self.assertEqual(db.get(2).label_score, 1)
        self.assertEqual(db.count(where="label = 'odd' AND id >= 30"), 0)
        with self.assertRaises(imgret.InvalidArgumentError):
            db.label_examples("odd", [])
        with self.assertRaises(ZeroDivisionError):
            db.label_examples("odd", [2], on_item=lambda item: 1 / 0)


class QueryTest(Case):
    def test_terms(self):
        db = self.vectors(vector_type="f32")
        for name, vector in (("x", [1, 0, 0, 0]), ("y", [0, 1, 0, 0]), ("xy", [1, 1, 0, 0])):
            db.add_vector(vector, uri=name)
        hits = db.query([1, 0, 0, 0], terms=[([0, 1, 0, 0], 1)], k=1)
        self.assertEqual(hits[0].uri, "xy")
        self.assertEqual(db.query(terms=[(3, 1), ([0, 1, 0, 0], -1)], k=1)[0].uri, "x")
        best = db.query(terms=[([1, 0, 0, 0], 1), ([0, 1, 0, 0], 1)], combine="best", k=2)
        self.assertEqual(sorted(hit.uri for hit in best), ["x", "y"])
        with self.assertRaises(ValueError):
            db.query([1, 0, 0, 0], combine="worst")
        with self.assertRaises(TypeError):
            db.query()

    def test_pages_and_what_is_left_out(self):
        db = self.vectors(23)
        seen, cursor = [], None
        while True:
            page = db.query([0, 1, 0, 0], k=5, cursor=cursor)
            seen += list(page.ids)
            cursor = page.cursor
            if cursor is None:
                break
        self.assertEqual(sorted(seen), list(range(1, 24)))
        left = db.query([0, 1, 0, 0], k=30, exclude_ids={1, 2, 3, 4711})
        self.assertEqual(sorted(left.ids), list(range(4, 24)))
        with self.assertRaises(imgret.InvalidArgumentError):
            db.query([0, 1, 0, 0], cursor="nonsense")

    def test_what_it_took(self):
        db = self.vectors(30)
        hits = db.query([0, 1, 0, 0])
        self.assertEqual((hits.stats.exact_distances, hits.partial), (30, False))
        self.assertEqual((hits.stats.reads, hits.stats.effort), (0, 0))
        hits = db.query([0, 1, 0, 0], estimated=True)
        self.assertEqual((len(hits), hits.stats.estimates), (10, False))  # nothing is in a segment
        bare = db.query([0, 1, 0, 0], ids_only=True)
        self.assertEqual([(hit.id, hit.score) for hit in bare], [(hit.id, hit.score) for hit in hits])
        self.assertEqual(len(db.query([0, 1, 0, 0], target_recall=0.9, deadline_seconds=60)), 10)
        with self.assertRaises(imgret.InvalidArgumentError):
            db.query([0, 1, 0, 0], target_recall=0.9, effort=5)

    def test_rerank(self):
        db = self.vectors(12)
        asked = []

        def by_number(hits):
            asked.extend(hits)
            return [hit.metadata["i"] for hit in hits]

        hits = db.query([0, 1, 0, 0], k=3, rerank=by_number)
        self.assertEqual([hit.uri for hit in hits], ["v11", "v10", "v9"])
        self.assertEqual(hits[0].score, 11)
        self.assertIsNone(hits.cursor)
        self.assertEqual(len(asked), 12)
        for wrong, kind in ((lambda hits: [1], ValueError), (lambda hits: 1 / 0, ZeroDivisionError)):
            with self.assertRaises(kind):
                db.query([0, 1, 0, 0], rerank=wrong)

    def test_diversity(self):
        db = self.vectors(8)
        hits = db.query([0, 1, 0, 0], k=4, diversity=0.5)
        self.assertEqual((len(hits), hits[0].uri), (4, "v0"))

    def test_colors(self):
        db = self.database()
        for name, rgb in (("red", (200, 20, 20)), ("green", (20, 160, 40)), ("blue", (20, 30, 200))):
            db.add(plain(*rgb), uri=name)
        for colors in ("red", [(200, 20, 20)], ["#c81414"], [("red", 2)], [((200, 20, 20), 0.5)]):
            with self.subTest(colors):
                self.assertEqual(db.query(colors=colors)[0].uri, "red")
        self.assertEqual(len(db.query(plain(20, 160, 40), colors="blue", color_weight=0.9)), 3)
        with self.assertRaises(imgret.InvalidArgumentError):
            db.query(colors="plaid")
        with self.assertRaises(ValueError):
            db.query(colors=[(1, 2, 256)])
        got = imgret.parse_colors("#c32:2,white")
        self.assertEqual(got, [((204, 51, 34), 2.0), ((255, 255, 255), 1.0)])

    def test_attributes(self):
        db = self.database()
        attributes = db.get(db.add(plain(200, 20, 20)).id).attributes
        self.assertGreater(attributes.color_shares["red"], 0.9)
        self.assertAlmostEqual(sum(attributes.color_shares.values()), 1, places=4)
        self.assertEqual(attributes.swatches[0].color, "red")
        self.assertIsNone(attributes.latitude)
        self.assertIsNone(attributes.taken_at)
        self.assertIsNone(self.vectors(1).get(1).attributes)

    def test_regions(self):
        db = self.database(regions="grid=2x1")
        self.assertEqual(db.stats().regions, "grid=2x1")
        left, right = pixels(1, 40, 40), pixels(9, 40, 40)
        rows = [(left[y * 120 : y * 120 + 120] + right[y * 120 : y * 120 + 120]) for y in range(40)]
        both = db.add(png(80, 40, b"".join(rows)), uri="both").id
        db.add(picture(3), uri="other")
        regions = db.get_regions(both)
        self.assertEqual([each.ordinal for each in regions], [0, 1, 2])
        self.assertEqual((regions[2].x, regions[2].width), (40, 40))
        hit = db.query(png(40, 40, right), search="objects", k=1)[0]
        self.assertEqual((hit.uri, hit.region, hit.box), ("both", 2, imgret.Box(40, 0, 40, 40)))
        hit = db.query(png(80, 40, b"".join(rows)), box=(40, 0, 40, 40), search="objects", k=1)[0]
        self.assertEqual((hit.uri, hit.region), ("both", 2))
        grouped = db.query(png(40, 40, left), search="both", group=True, k=10)
        self.assertEqual(sorted(grouped.ids), sorted(set(grouped.ids)))
        self.assertEqual(db.query(id=both, region=1, search="objects", include_self=True)[0].region, 1)
        self.assertGreater(len(db.query(id=both, main_object=True, search="objects")), 0)
        with self.assertRaises(imgret.NotFoundError):
            db.get_regions(99)
        with self.assertRaises(ValueError):
            db.query(id=both, search="parts")


class BatchTest(Case):
    def test_lists(self):
        db = self.vectors(20)
        queries = [[0, 1, 0, 0], (3, 1, 0, 0), 7]
        batch = db.query_batch(queries, k=4)
        self.assertEqual(len(batch), 3)
        one_by_one = [db.query([0, 1, 0, 0], k=4), db.query([3, 1, 0, 0], k=4), db.query(id=7, k=4)]
        self.assertEqual([list(each) for each in batch], [list(each) for each in one_by_one])
        self.assertEqual(len(db.query_batch([])), 0)
        with self.assertRaises(imgret.InvalidArgumentError) as caught:
            db.query_batch([[0, 1, 0, 0], [1, 2]])
        self.assertIn("input 1: ", str(caught.exception))
        with self.assertRaises(TypeError):
            db.query_batch("cat.jpg")

    def test_pictures(self):
        db = self.database()
        for number in range(4):
            db.add(picture(number), uri=str(number))
        batch = db.query_batch([picture(2), self.write("3.png", picture(3))], k=1)
        self.assertEqual([each[0].uri for each in batch], ["2", "3"])

    @needs_numpy
    def test_matrices(self):
        db = self.vectors(50, vector_type="f32")
        rows = numpy.array([[i / 2, 1, 0, 0] for i in range(40)])
        wanted = [list(db.query(row, k=3).ids) for row in rows]
        for matrix in (rows, rows.astype(numpy.float32), numpy.asfortranarray(rows), rows[:, :]):
            batch = db.query_batch(matrix, k=3)
            self.assertEqual([list(each.ids) for each in batch], wanted)
        first = batch[0].ids
        ids, scores = batch.arrays()
        del batch
        gc.collect()
        self.assertEqual(first.tolist(), wanted[0])  # a view keeps its results
        self.assertEqual((ids.tolist(), scores.shape), (wanted, (40, 3)))
        ids, scores = db.query_batch(rows[:2], k=60).arrays()
        self.assertTrue((ids[:, 50:] == -1).all() and numpy.isnan(scores[:, 50:]).all())
        self.assertEqual(len(db.query_batch(numpy.zeros((0, 4)))), 0)
        with self.assertRaises(TypeError):
            db.query_batch(numpy.zeros(4))
        filtered = db.query_batch(rows[:3], where="meta->>'i' < :n", params={"n": 2})
        self.assertEqual([len(each) for each in filtered], [2, 2, 2])


class TransactionTest(Case):
    def test_all_or_nothing(self):
        db = self.vectors(1)
        with db.transaction():
            id = db.add_vector([5, 1, 0, 0], uri="new").id
            db.set_metadata(1, {"seen": True})
            db.set_label(1, "one")
            self.assertEqual(db.stats().image_count, 1)
        self.assertEqual((db.get(id).uri, db.get(1).label), ("new", "one"))
        with self.assertRaises(ZeroDivisionError):
            with db.transaction():
                db.remove(id)
                raise ZeroDivisionError
        self.assertEqual(db.get(id).uri, "new")

    def test_misuse(self):
        db = self.vectors(1)
        for call in (db.commit, db.rollback):
            with self.assertRaises(imgret.InvalidArgumentError):
                call()
        with db.transaction():
            with self.assertRaises(imgret.InvalidArgumentError):
                db.begin()
            with self.assertRaises(imgret.InvalidArgumentError):
                db.ingest(self.folder).finish()
            db.remove(1)
        self.assertEqual(db.count(), 0)
        with db.transaction():
            db.add_vector([1, 1, 0, 0])
        self.assertEqual(db.count(), 1)

    def test_closed_within(self):
        db = self.vectors(1)
        with self.assertRaises(ValueError):
            with db.transaction():
                db.remove(1)
                db.close()
        with imgret.open(db.path) as again:
            self.assertEqual(again.count(), 1)

    def test_threads_have_their_own(self):
        db = self.vectors()

        def work(number):
            with db.transaction():
                for i in range(20):
                    db.add_vector([number, i, 1, 0])
                if number % 2:
                    raise KeyError

        def quietly(number):
            try:
                work(number)
            except KeyError:
                pass

        threads = [threading.Thread(target=quietly, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(db.count(), 40)
        left = [t for t in threading.enumerate() if t.name == "imgret" and not t.daemon]
        self.assertEqual(left, [])


class UpkeepTest(Case):
    def test_backup(self):
        db = self.vectors(30)
        seen = []
        db.backup(self.place("copy.imgret"), progress=lambda done, total: seen.append((done, total)))
        self.assertTrue(seen and seen[-1][0] == seen[-1][1])
        with imgret.open(self.place("copy.imgret"), existing=True) as copy:
            self.assertEqual(copy.count(), 30)
        with self.assertRaises(imgret.ExistsError):
            db.backup(self.place("copy.imgret"))
        with self.assertRaises(ZeroDivisionError):
            db.backup(self.place("other.imgret"), progress=lambda done, total: 1 / 0)
        self.assertFalse(os.path.exists(self.place("other.imgret")))

    def test_export_and_import(self):
        db = self.vectors(10)
        seen = []
        db.export(self.place("out"), progress=lambda done, total: seen.append((done, total)))
        self.assertEqual(seen[-1], (10, 10))
        imgret.import_folder(self.place("new.imgret"), self.place("out"), progress=lambda *_: None)
        with imgret.open(self.place("new.imgret"), existing=True) as again:
            self.assertEqual(list(again.list()), list(db.list()))
        with self.assertRaises(imgret.ExistsError):
            imgret.import_folder(self.place("new.imgret"), self.place("out"))
        with self.assertRaises(imgret.NotFoundError):
            imgret.import_folder(self.place("b.imgret"), self.place("nowhere"))

    def test_salvage(self):
        self.vectors(300).close()
        path = self.place("vectors.imgret")
        self.assertFalse(imgret.salvage(path, busy_seconds=1).salvaged)
        with open(os.path.join(path, "catalog.db"), "r+b") as file:
            file.seek(8192 * 3)  # where the table of images begins
            file.write(bytes(8192))
        report = imgret.salvage(path)
        self.assertTrue(report.salvaged and report.losses)
        self.assertEqual((report.image_count, report.images_lost), (300, 0))
        self.assertTrue(os.path.exists(os.path.join(path, report.original)))
        with imgret.open(path, existing=True) as db:
            self.assertEqual(db.check(), [])
        with self.assertRaises(imgret.NotFoundError):
            imgret.salvage(self.place("nowhere"))

    def test_repair(self):
        db = self.vectors(300)
        db.optimize(force=True)
        self.assertEqual(db.repair(), imgret.RepairReport(0, 0, 0, 0))
        db.close()
        folder = self.place("vectors.imgret", "segments")
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        db = imgret.open(self.place("vectors.imgret"))
        self.addCleanup(db.close)
        items = []
        report = db.repair(on_item=items.append)
        self.assertEqual((report.images_lost, len(items)), (300, 300))
        self.assertEqual(items[0].outcome, "failed")
        self.assertEqual(db.count(state="failed"), 300)

    def test_models(self):
        db = self.database()
        db.add(picture(1))
        db.unload_model()
        db.load_model()
        self.assertGreater(db.query(picture(1), k=1)[0].score, 0.99)
        db.load_model("classic")
        with self.assertRaises(imgret.NotFoundError):
            db.load_model("torch:" + self.place("nowhere.safetensors"))
        with self.assertRaises(imgret.InvalidArgumentError):
            self.vectors().load_model()
        with self.assertRaises(imgret.NotFoundError):
            imgret.inspect_model(self.place("nowhere.safetensors"))
        with imgret.Extractor("classic", instances=1, batch_delay_us=0) as extractor:
            self.assertEqual((extractor.info.instances, extractor.info.class_count), (1, 0))
            extractor.replace("classic")
            self.assertEqual(len(extractor.extract([picture(1)])), 1)
            with self.assertRaises(imgret.InvalidArgumentError):
                extractor.classify([picture(1)])
            with self.assertRaises(imgret.NotFoundError):
                extractor.label(0)

    def test_classify(self):
        folder = os.environ.get("IMGRET_TEST_PLUGINS", "")
        if not os.path.exists(os.path.join(folder, "imgret_fake.so")):
            self.skipTest("IMGRET_TEST_PLUGINS has no fake backend")
        # A plugin of its own: what it logs when it is loaded belongs to another test.
        shutil.copy(os.path.join(folder, "imgret_fake.so"), self.folder)
        names = self.write("names", "ant\nbée\ncow\n".encode())
        model = "fake;act=head;labels=" + names
        with imgret.Extractor(model, plugin_path=self.folder) as extractor:
            self.assertEqual(extractor.info.class_count, 3)
            got = extractor.classify([picture(1), b"no picture"])
            self.assertEqual((got.statuses, len(got.labels)), ([0, -10], 2))
            self.assertEqual((len(got.logits), len(got.logits[0])), (2, 3))
            self.assertEqual(max(range(3), key=lambda i: got.logits[0][i]), got.labels[0])
            self.assertEqual(extractor.label(1), "bée")
            with self.assertRaises(imgret.NotFoundError):
                extractor.label(3)
        report = imgret.inspect_model("fake", plugin_path=self.folder)
        self.assertEqual((report.status, report.backend), (0, "fake"), report)
        report = imgret.inspect_model("fake;act=lacks", plugin_path=self.folder)
        self.assertEqual((report.status, report.missing), (-11, ["head.weight", "head.bias"]))

    @needs_numpy
    def test_principal_components(self):
        chance = numpy.random.default_rng(3)
        rows = chance.normal(size=(200, 8)) * [9, 8, 1, 1, 1, 1, 1, 1]
        path = self.place("components.pca")
        try:
            share = imgret.pca_train(path, rows, dimension=2)
        except imgret.UnsupportedError as error:
            self.skipTest(str(error))
        self.assertTrue(0.9 < share < 1)
        self.assertTrue(os.path.getsize(path) > 0)
        self.assertEqual(imgret.pca_train(path, rows.tolist(), dimension=2), share)
        with self.assertRaises(imgret.InvalidArgumentError):
            imgret.pca_train(path, rows[:2], dimension=2)
        with self.assertRaises(TypeError):
            imgret.pca_train(path, rows[0])

    def test_calibrate(self):
        db = self.vectors(30)
        with self.assertRaises(imgret.NotFoundError):
            db.calibration()
        with self.assertRaises(imgret.NotFoundError):
            db.query([0, 1, 0, 0], min_likeness="near")
        found = db.calibrate(copies=False)
        self.assertEqual(db.calibration(), found)
        self.assertTrue(found.same_score >= found.near_score >= found.similar_score)
        self.assertEqual((found.image_count, found.copy_count), (30, 0))
        near = db.query([0, 1, 0, 0], k=30, min_likeness="near")
        same = db.query([0, 1, 0, 0], k=30, min_score=found.near_score)
        self.assertEqual([hit.id for hit in near], [hit.id for hit in same])
        with self.assertRaises(ValueError):
            db.query([0, 1, 0, 0], min_likeness="nearly")

    def test_rerank_by(self):
        db = self.database()
        for number in range(3):
            db.add(picture(number, 160, 120), uri=str(number))
        hits = db.query(picture(1, 160, 120), rerank_by="color", rerank_weight=1)
        self.assertEqual(hits[0].uri, "1")
        self.assertEqual(len(db.query(picture(1, 160, 120), rerank_by="geometry")), 3)
        with self.assertRaises(imgret.InvalidArgumentError):
            db.query(picture(1, 160, 120), rerank_by="color", rerank_weight=2)

    def test_duplicates(self):
        db = self.database()
        for number in range(3):
            db.add(picture(number, 160, 120), uri=str(number))
        db.add(picture(1, 160, 120), uri="again")
        groups = []
        report = db.duplicates(on_group=groups.append)
        self.assertEqual((report.image_count, report.group_count, report.duplicate_count), (4, 1, 1))
        (group,) = groups
        self.assertEqual((group.kind, group.keep_reason), ("identical", "first"))
        self.assertEqual([each.uri for each in group.members], ["1", "again"])
        self.assertEqual([each.kind for each in group.members], ["", "identical"])
        self.assertEqual((group.members[1].quarters, group.members[1].mirrored), (0, False))
        self.assertEqual(db.duplicates(where="uri <> :u", params={"u": "1"}).group_count, 0)
        db.set_verdict(group.members[1].id, group.members[0].id, "different")
        self.assertEqual(db.duplicates(kind="similar", turned=True).group_count, 0)
        db.set_verdict(group.members[0].id, group.members[1].id, None)
        with self.assertRaises(ZeroDivisionError):
            db.duplicates(on_group=lambda group: 1 / 0)
        with self.assertRaises(ValueError):
            db.duplicates(kind="alike")
        with self.assertRaises(imgret.NotFoundError):
            db.set_verdict(1, 99, "different")

    def test_reembed(self):
        folder = self.pictures(4)
        db = self.database()
        db.ingest(folder).finish()
        self.assertEqual(db.reembed("classic"), imgret.ReembedReport(0, 0, 0))
        items, seen = [], []
        os.unlink(os.path.join(folder, "002.png"))
        with self.assertRaises(imgret.NotFoundError):
            db.reembed("classic;grey=yes", on_item=items.append)
        self.assertEqual([os.path.basename(item.uri) for item in items], ["002.png"])
        report = db.reembed(
            "classic;grey=yes", drop_missing=True, progress=lambda *news: seen.append(news)
        )
        self.assertEqual((report.embedded_count + report.resumed_count, report.missing_count), (3, 1))
        self.assertTrue(seen)
        with self.assertRaises(imgret.MismatchError):
            db.query(picture(1))
        db.close()
        with imgret.open(db.path, maintain=True) as db:
            self.assertEqual((db.count(state="stored"), db.count(state="failed")), (3, 1))
            self.assertIn("grey", db.stats().model)

    def test_feature_cache(self):
        db = self.database(feature_cache_bytes=1 << 20)
        db.query(picture(1))
        db.query(picture(1))
        self.assertEqual(db.stats().feature_cache_hits, 1)
        db.close()
        with imgret.open(db.path, feature_cache_bytes=0) as db:
            db.query(picture(1))
            db.query(picture(1))
            self.assertEqual((db.stats().feature_cache_hits, db.stats().feature_cache_bytes), (0, 0))


if __name__ == "__main__":
    unittest.main()

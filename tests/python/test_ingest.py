"""Ingest as an iterator: items, progress, stopping, going on."""

import gc
import os
import sys
import threading
import types
import unittest
from unittest import mock

from common import Case, data, imgret, picture


class IngestTest(Case):
    def test_items(self):
        folder = self.pictures(7)
        self.write("pics/bad.png", b"\x89PNG\r\n\x1a\nbroken")
        self.write("pics/notes.txt", b"notes")
        db = self.database()
        run = db.ingest(folder)
        items = list(run)
        self.assertEqual([item.uri for item in items], [
            os.path.join(os.path.realpath(folder), name) for name in sorted(os.listdir(folder))
        ])
        outcomes = [item.outcome for item in items]
        self.assertEqual((outcomes.count("stored"), outcomes.count("failed")), (7, 1))
        bad = [item for item in items if item.outcome == "failed"][0]
        self.assertTrue(bad.message)
        self.assertLess(bad.code, 0)
        good = items[0]
        self.assertEqual((good.format, good.width, good.height), ("png", 48, 32))
        self.assertEqual(db.get(good.id).uri, good.uri)
        self.assertEqual((run.progress.stored_count, run.progress.failed_count), (7, 1))
        self.assertTrue(run.progress.listing_done)
        self.assertEqual([r.uri for r in db.list(state="failed")], [bad.uri])
        self.assertEqual(list(run), [])

    def test_finish_and_again(self):
        folder = self.pictures(5)
        db = self.database()
        self.assertEqual(db.ingest([folder]).finish().stored_count, 5)
        self.write("pics/new.png", picture(99))
        counts = db.ingest(os.fsencode(folder)).finish()
        self.assertEqual((counts.stored_count, counts.unchanged_count), (1, 5))

    def test_nothing_happens_before_the_first_item(self):
        db = self.database()
        run = db.ingest(self.pictures(2))
        self.assertEqual(db.stats().image_count, 0)
        run.close()
        self.assertEqual(list(run), [])
        self.assertEqual(db.stats().image_count, 0)

    def test_several_paths_flags_and_a_missing_one(self):
        folder = self.pictures(2)
        self.pictures(3, "pics/inner")
        db = self.database()
        self.assertEqual(db.ingest(folder, recursive=False).finish().stored_count, 2)
        run = db.ingest([self.place("missing"), os.path.join(folder, "inner")])
        seen = []
        with self.assertRaises(imgret.NotFoundError) as caught:
            for item in run:
                seen.append(item.outcome)
        self.assertIn("missing", str(caught.exception))
        self.assertEqual(seen.count("stored"), 3)
        self.assertEqual(run.progress.stored_count, 3)

    def test_leaving_the_loop_commits_what_was_seen(self):
        db = self.database()
        folder = self.pictures(60)
        for item in db.ingest(folder, commit_count=1):
            first = item
            break
        gc.collect()
        self.assertEqual(db.get(first.id).uri, first.uri)
        before = db.stats().image_count
        counts = db.ingest(folder).finish()
        self.assertEqual((counts.unchanged_count, counts.stored_count), (before, 60 - before))

    def test_stopping_a_reader_that_is_slower_than_the_queue(self):
        from imgret import _ingest

        with mock.patch.object(_ingest, "_QUEUE_MAX", 1):
            db = self.database()
            with db.ingest(self.pictures(30), commit_count=1) as run:
                next(run)
            self.assertGreater(db.stats().image_count, 0)
            self.assertEqual(db.ingest(self.place("pics")).finish().done_count, 30)

    def test_closing_the_database_ends_the_run(self):
        from imgret import _ingest

        with mock.patch.object(_ingest, "_QUEUE_MAX", 1):
            db = self.database()
            run = db.ingest(self.pictures(30), commit_count=1)
            next(run)
            db.close()
            with self.assertRaises(imgret.InterruptedError):
                list(run)

    def test_progress_function(self):
        seen = []
        threads = set()

        def show(progress):
            seen.append(progress)
            threads.add(threading.current_thread())

        self.database().ingest(self.pictures(5), progress=show).finish()
        self.assertEqual(seen[-1].done_count, 5)
        self.assertEqual(threads, {threading.current_thread()})
        counts = [progress.done_count for progress in seen]
        self.assertEqual(counts, sorted(counts))

    def test_exception_of_the_progress_function(self):
        def show(progress):
            raise ZeroDivisionError

        run = self.database().ingest(self.pictures(5), progress=show)
        with self.assertRaises(ZeroDivisionError):
            run.finish()
        self.assertEqual(list(run), [])

    def test_tqdm(self):
        bars = []

        class Bar:
            def __init__(self, **options):
                self.closed = False
                bars.append(self)

            def refresh(self):
                self.state = (self.n, self.total)

            def close(self):
                self.closed = True

        fake = types.ModuleType("tqdm.auto")
        fake.tqdm = Bar
        package = types.ModuleType("tqdm")
        package.auto = fake
        with mock.patch.dict(sys.modules, {"tqdm": package, "tqdm.auto": fake}):
            self.database().ingest(self.pictures(5), progress=True).finish()
        self.assertEqual([(bar.state, bar.closed) for bar in bars], [((5, 5), True)])

    def test_without_tqdm(self):
        with mock.patch.dict(sys.modules, {"tqdm": None, "tqdm.auto": None}):
            counts = self.database().ingest(self.pictures(2), progress=True).finish()
        self.assertEqual(counts.stored_count, 2)

    def test_real_tqdm(self):
        try:
            import tqdm  # noqa: F401
        except ImportError:
            self.skipTest("this Python has no tqdm")
        counts = self.database().ingest(self.pictures(2), progress=True).finish()
        self.assertEqual(counts.stored_count, 2)

    def test_real_folder(self):
        folder = data("rclip_e2e")
        db = self.database()
        items = list(db.ingest(folder))
        self.assertGreater(sum(item.outcome == "stored" for item in items), 5)
        self.assertEqual(db.check(), [])


if __name__ == "__main__":
    unittest.main()

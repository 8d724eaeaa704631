"""Ctrl-C, threads, fork, and torch in the same process."""

import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import unittest

from common import PACKAGE, Case, data, imgret, needs_numpy, picture, python

# Holds the writer's lock of a database: prints a line, then waits for the end of its input.
HOLD = """
import sqlite3, sys
catalog = sqlite3.connect(sys.argv[1], isolation_level=None)
catalog.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def soon(condition):
    """Waits until something is so; a test that waits a minute has failed."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it never happened")
        time.sleep(0.002)


class ProcessCase(Case):
    def hold_lock(self, db):
        """Another process holds the lock that writers need, until the function returned is called."""
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, os.path.join(db.path, "catalog.db")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.assertEqual(holder.stdout.readline(), b"held\n")

        def let_go():
            if holder.poll() is None:
                holder.stdin.close()
                holder.wait(60)
                holder.stdout.close()

        self.addCleanup(let_go)
        return let_go

    def slow(self):
        """Options of a backend that works until the gate is opened, and the gate."""
        folder = os.environ.get("IMGRET_TEST_PLUGINS", "")
        if not os.path.exists(os.path.join(folder, "imgret_slow.so")):
            self.skipTest("IMGRET_TEST_PLUGINS has no slow backend")
        gate = self.place("gate")
        self.addCleanup(self.write, "gate", b"")
        return {"model": "slow;gate=" + gate, "plugin_path": folder}, gate

    def interrupt_when(self, condition):
        """Ctrl-C, from another thread, as soon as something is so."""

        def wait():
            soon(condition)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=wait)
        thread.start()
        self.addCleanup(thread.join)


class ThreadTest(ProcessCase):
    def test_the_gil_is_free_during_a_call(self):
        """The call can only end once this thread has run while it is under way."""
        db = self.vectors(busy_seconds=60)
        let_go = self.hold_lock(db)
        outcome = queue.Queue()

        def add():
            try:
                outcome.put(db.add_vector([1, 2, 3, 4]))
            except BaseException as failure:
                outcome.put(failure)

        thread = threading.Thread(target=add)
        thread.start()
        soon(lambda: db._handle.calls)
        let_go()
        thread.join()
        self.assertEqual(outcome.get(), imgret.Added(1, "stored"))

    def test_many_threads(self):
        db = self.vectors(20)
        faults = []

        def work(number):
            try:
                for i in range(50):
                    hits = db.query([number, 1, 0, 0], k=3)
                    assert len(hits) == 3 and hits[0].score > 0.9, list(hits)
                    if i % 10 == 0:
                        id = db.add_vector([number, i, 1, 1], uri=f"{number}/{i}").id
                        assert db.get(id).uri == f"{number}/{i}"
            except BaseException as failure:
                faults.append(failure)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])
        self.assertEqual(db.stats().image_count, 20 + 8 * 5)

    def test_close_stops_and_awaits_calls_of_other_threads(self):
        db = self.vectors(busy_seconds=60)
        self.hold_lock(db)
        caught = []

        def add():
            try:
                db.add_vector([1, 2, 3, 4])
            except imgret.ImgretError as failure:
                caught.append(failure)

        thread = threading.Thread(target=add)
        thread.start()
        soon(lambda: db._handle.calls)
        db.close()
        thread.join()
        self.assertEqual([type(failure) for failure in caught], [imgret.InterruptedError])

    def test_interrupt(self):
        db = self.vectors(busy_seconds=60)
        self.hold_lock(db)

        def interrupt():
            soon(lambda: db._handle.calls)
            while db._handle.calls:
                db.interrupt()
                time.sleep(0.002)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with self.assertRaises(imgret.InterruptedError):
            db.add_vector([1, 2, 3, 4])
        thread.join()

    def test_busy(self):
        db = self.vectors(busy_seconds=0)
        self.hold_lock(db)
        with self.assertRaises(imgret.BusyError):
            db.add_vector([1, 2, 3, 4])


class CtrlCTest(ProcessCase):
    def test_in_ingest(self):
        db = self.database()
        folder = self.pictures(40)
        run = db.ingest(folder, commit_count=1)
        seen = []
        with self.assertRaises(KeyboardInterrupt):
            for item in run:
                seen.append(item)
                if len(seen) == 3:
                    os.kill(os.getpid(), signal.SIGINT)
                    time.sleep(60)
        run.close()
        self.assertGreaterEqual(db.stats().image_count, 3)
        self.assertEqual(db.ingest(folder).finish().done_count, 40)
        self.assertEqual(db.check(), [])

    def test_while_ingest_waits(self):
        options, gate = self.slow()
        db = self.database(**options)
        folder = self.pictures(3)
        self.interrupt_when(lambda: os.path.exists(gate + ".entered"))
        opener = threading.Timer(0.2, self.write, ("gate", b""))
        opener.start()  # a picture that the backend is at is finished before the run stops
        with self.assertRaises(KeyboardInterrupt):
            db.ingest(folder).finish()
        opener.join()
        self.assertEqual(db.ingest(folder).finish().done_count, 3)

    def test_in_a_query(self):
        """It does not wait for the backend: that query is left to itself, and the next one works."""
        options, gate = self.slow()
        db = self.database(**options)
        self.interrupt_when(lambda: os.path.exists(gate + ".entered"))
        with self.assertRaises(KeyboardInterrupt):
            db.query(picture(1))
        self.write("gate", b"")
        self.assertEqual(len(db.query(picture(1))), 0)
        soon(lambda: not db._handle.calls)

    def test_in_a_query_for_a_vector(self):
        from imgret import _database

        db = self.vectors(3)
        began, go = threading.Event(), threading.Event()

        def slow_query(*arguments):
            began.set()
            go.wait(60)
            return query(*arguments)

        query, db._slow = _database._imgret_query, True
        self.addCleanup(setattr, _database, "_imgret_query", query)
        _database._imgret_query = slow_query
        self.interrupt_when(began.is_set)
        with self.assertRaises(KeyboardInterrupt):
            db.query([1, 0, 0, 0])
        go.set()
        _database._imgret_query = query
        self.assertEqual(len(db.query([1, 0, 0, 0])), 3)
        soon(lambda: not db._handle.calls)
        db.query([1, 0, 0, 0])
        soon(lambda: not db.query([1, 0, 0, 0]) or not db._slow)

    def test_in_add(self):
        db = self.vectors(busy_seconds=60)
        let_go = self.hold_lock(db)
        self.interrupt_when(lambda: db._handle.calls)
        with self.assertRaises(KeyboardInterrupt):
            db.add_vector([1, 2, 3, 4])
        self.assertEqual(db._handle.calls, 0)
        let_go()
        self.assertEqual(db.stats().image_count, 0)
        self.assertEqual(db.add_vector([1, 2, 3, 4]).outcome, "stored")

    def test_calls_of_other_threads_go_on(self):
        db = self.vectors(busy_seconds=60)
        let_go = self.hold_lock(db)
        added = queue.Queue()
        thread = threading.Thread(target=lambda: added.put(db.add_vector([1, 2, 3, 4], uri="other")))
        thread.start()
        soon(lambda: db._handle.calls == 1)
        self.interrupt_when(lambda: db._handle.calls == 2)
        with self.assertRaises(KeyboardInterrupt):
            db.add_vector([4, 3, 2, 1], uri="mine")
        self.assertEqual(db._handle.calls, 1)
        let_go()
        thread.join()
        self.assertEqual(added.get().outcome, "stored")
        self.assertEqual([record.uri for record in db.list()], ["other"])

    def test_in_a_transaction(self):
        db = self.vectors()
        began = threading.Event()
        self.interrupt_when(began.is_set)
        with self.assertRaises(KeyboardInterrupt):
            with db.transaction():
                db.add_vector([1, 2, 3, 4])
                began.set()
                deadline = time.monotonic() + 60
                while time.monotonic() < deadline:
                    db.add_vector([1, 2, 3, 4], uri="again")
        self.assertEqual(db.count(), 0)
        with db.transaction():
            db.add_vector([1, 2, 3, 4])
        self.assertEqual(db.count(), 1)

    def test_just_as_the_call_ends(self):
        """A signal may come after the wait for a call has succeeded: nothing is left to wait for."""
        from imgret import _calls

        class LateLock:
            def __init__(self):
                self.lock = threading.Lock()

            def acquire(self, blocking=True, timeout=-1):
                taken = self.lock.acquire(blocking, timeout)
                if taken and timeout >= 0:
                    raise KeyboardInterrupt
                return taken

            def release(self):
                self.lock.release()

        class Job(_calls._Job):
            def __init__(self, function):
                super().__init__(function)
                self.done = LateLock()
                self.done.acquire()

        self.addCleanup(setattr, _calls, "_Job", _calls._Job)
        _calls._Job = Job
        with self.assertRaises(KeyboardInterrupt):
            _calls.patiently(lambda: None, abandon=False)

    def test_in_extraction(self):
        options, gate = self.slow()
        extractor = imgret.Extractor(options["model"], plugin_path=options["plugin_path"])
        self.interrupt_when(lambda: os.path.exists(gate + ".entered"))
        with self.assertRaises(KeyboardInterrupt):
            extractor.extract([picture(1)])
        self.write("gate", b"")
        self.assertEqual(len(extractor.extract([picture(1)])), 1)
        extractor.close()

    def test_another_handler_is_heard(self):
        heard = []
        before = signal.signal(signal.SIGUSR1, lambda *_: heard.append(True))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        options, gate = self.slow()
        db = self.database(**options)

        def work():
            soon(lambda: os.path.exists(gate + ".entered"))
            os.kill(os.getpid(), signal.SIGUSR1)
            soon(lambda: heard)
            self.write("gate", b"")

        thread = threading.Thread(target=work)
        thread.start()
        self.assertEqual(len(db.query(picture(1))), 0)
        thread.join()

    def test_a_program_ends_by_it(self):
        """The whole of it, as a user has it: Ctrl-C in a loop over an ingest, then a second run."""
        folder = self.pictures(30)
        code = (
            "import imgret, os, signal, sys\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it\n"
            "with imgret.open(sys.argv[1]) as db:\n"
            "    for n, item in enumerate(db.ingest(sys.argv[2], commit_count=1)):\n"
            "        if n == 4: os.kill(os.getpid(), signal.SIGINT)\n"
            "    print('not stopped')\n"
        )
        path = self.place("photos.imgret")
        done = subprocess.run(
            [sys.executable, "-c", code, path, folder],
            env=dict(os.environ, PYTHONPATH=PACKAGE),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=100,
        )
        self.assertEqual(done.stdout, b"")
        self.assertIn(done.returncode, (-signal.SIGINT, 1))
        self.assertIn(b"KeyboardInterrupt", done.stderr)
        self.assertNotIn(b"Exception ignored", done.stderr)
        with imgret.open(path) as db:
            self.assertGreaterEqual(db.stats().image_count, 5)
            self.assertEqual(db.ingest(folder).finish().done_count, 30)

    def test_a_program_may_end_in_the_middle(self):
        """An ingest that nobody ended: no crash and no wait at the end of the interpreter."""
        code = (
            "import imgret, sys\n"
            "db = imgret.open(sys.argv[1])\n"
            "run = db.ingest(sys.argv[2], commit_count=1)\n"
            "next(run)\n"
            "imgret.set_log(print, 'debug')\n"
            "print('end')\n"
        )
        out = python(code, self.place("a.imgret"), self.pictures(30))
        self.assertEqual(out.splitlines()[0], "end")


def in_child(db, extractor, hits, results):
    """What works after a fork and what does not."""
    for work in (
        lambda: db.query([1, 0, 0, 0]),
        lambda: db.add_vector([1, 0, 0, 0]),
        lambda: db.stats(),
        lambda: list(db.ingest(".")),
        lambda: extractor.extract([picture(1)]),
    ):
        try:
            work()
            results.put("no error")
        except imgret.ImgretError as failure:
            results.put(f"{failure.name} {failure}")
    results.put([hit.id for hit in hits])
    with imgret.open(db.path) as own:
        results.put(own.add_vector([9, 9, 0, 0]).outcome)
    db.close()


class ForkTest(ProcessCase):
    def test_multiprocessing(self):
        db = self.vectors(3)
        extractor = imgret.Extractor("classic")
        extractor.extract([picture(1)])
        hits = db.query([1, 0, 0, 0])
        context = multiprocessing.get_context("fork")
        results = context.Queue()
        child = context.Process(target=in_child, args=(db, extractor, hits, results))
        child.start()
        answers = [results.get(timeout=100) for _ in range(7)]
        child.join()
        self.assertEqual(child.exitcode, 0)
        for answer in answers[:5]:
            self.assertIn("IMGRET_FORKED", answer)
            self.assertIn("open it again", answer)
        self.assertEqual(answers[5], hits.ids.tolist())
        self.assertEqual(answers[6], "stored")
        self.assertEqual(db.stats().image_count, 4)
        self.assertEqual(len(db.query([9, 9, 0, 0])), 4)
        self.assertEqual(db.check(), [])

    def test_fork_while_calls_run(self):
        """The child gets its answer, whatever other threads were doing: no lock is waited for."""
        db = self.vectors(20)
        stop = threading.Event()

        def work():
            while not stop.is_set():
                db.query([1, 1, 0, 0])

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(20):
                child = os.fork()
                if not child:
                    try:
                        db.query([1, 0, 0, 0])
                    except imgret.ForkedError:
                        db.close()
                        os._exit(0)
                    except BaseException:
                        pass
                    os._exit(3)
                self.assertEqual(os.waitpid(child, 0)[1], 0)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def test_spawn(self):
        """A fresh process has nothing to do with the parent's handle."""
        db = self.vectors(1)
        out = python(
            "import imgret, sys\n"
            "with imgret.open(sys.argv[1]) as db: print(db.add_vector([1, 1, 1, 1]).id)",
            db.path,
        )
        self.assertEqual(out, "2\n")


class TorchTest(Case):
    CODE = """
import sys
if sys.argv[1] == "before": import torch
import imgret
weights, photo = sys.argv[2:4]
with imgret.Extractor(weights, threads=1) as extractor:
    if sys.argv[1] == "between": import torch
    first = extractor.extract([photo])
    if sys.argv[1] == "after": import torch
    torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8), torch.ones(4, 3, 3, 3))
    second = extractor.extract([photo])
assert [float(x) for x in first[0]] == [float(x) for x in second[0]]
print(extractor.info.backend, "%.4f" % sum(float(x) ** 2 for x in first[0]))
"""

    def test_with_torch_imported(self):
        try:
            import importlib.util

            if importlib.util.find_spec("torch") is None:
                self.skipTest("this Python has no torch")
        except ValueError:
            self.skipTest("this Python has no torch")
        weights = data("weights", "vit_tiny_patch16_224.fp16.safetensors")
        folder = data("images", "imagenet_sample")
        photo = os.path.join(folder, sorted(os.listdir(folder))[0])
        plugin = os.path.join(os.environ["IMGRET_LIBRARY"], "..", "lib", "imgret", "imgret_torch.so")
        if not os.path.exists(os.path.normpath(plugin)):
            self.skipTest("the torch plugin was not built")
        for order in ("before", "between", "after"):
            with self.subTest(order):
                self.assertEqual(python(self.CODE, order, weights, photo), "torch 1.0000\n")


if __name__ == "__main__":
    unittest.main()

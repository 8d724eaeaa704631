"""What the tests of the Python binding share: a scratch folder, pictures, real data."""

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGE = os.path.join(ROOT, "bindings", "python")
BUILD = os.environ.get("IMGRET_BUILD") or os.path.join(ROOT, "build")
os.environ.setdefault("IMGRET_LIBRARY", os.path.join(BUILD, "libimgret.so.0"))
sys.path.insert(0, PACKAGE)

import imgret  # noqa: E402

try:
    import numpy
except ImportError:
    numpy = None
try:
    import PIL.Image
except ImportError:
    PIL = None

needs_numpy = unittest.skipIf(numpy is None, "this Python has no numpy")
needs_pil = unittest.skipIf(PIL is None, "this Python has no Pillow")


def png(width, height, rgb):
    """A PNG of `rgb`, packed bytes."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(
        b"\0" + rgb[y * width * 3 : (y + 1) * width * 3] for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 1))
        + chunk(b"IEND", b"")
    )


def pixels(number, width=48, height=32):
    """Packed RGB of a picture that no other number has."""
    return bytes(
        (x * (number + 3) + y * (c + 1) * (number * 7 + 1) + 40 * number * c) % 256
        for y in range(height)
        for x in range(width)
        for c in range(3)
    )


def picture(number, width=48, height=32):
    return png(width, height, pixels(number, width, height))


def data(*parts):
    """A file or folder of the real data, or the test is skipped."""
    place = os.environ.get("IMGRET_TEST_DATA")
    if not place:
        raise unittest.SkipTest("IMGRET_TEST_DATA names no folder of real data")
    path = os.path.join(place, *parts)
    if not os.path.exists(path):
        raise unittest.SkipTest("IMGRET_TEST_DATA has no " + os.path.join(*parts))
    return path


def python(code, *arguments, **environment):
    """Runs a program in a Python of its own and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=dict(os.environ, PYTHONPATH=PACKAGE, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=200,
    )
    if done.returncode:
        raise AssertionError(f"exit status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


class Case(unittest.TestCase):
    """A test with a scratch folder."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="imgret-python.")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def place(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, content):
        path = self.place(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def pictures(self, count, folder="pics"):
        """A folder of `count` pictures."""
        for number in range(count):
            self.write(os.path.join(folder, f"{number:03}.png"), picture(number))
        return self.place(folder)

    def vectors(self, count=0, **options):
        """A database for vectors of four numbers, holding (i, 1, 0, 0)."""
        db = imgret.open(self.place("vectors.imgret"), "vectors:4", **options)
        self.addCleanup(db.close)
        for i in range(count):
            db.add_vector([i, 1, 0, 0], uri=f"v{i}", metadata={"i": i})
        return db

    def database(self, name="photos.imgret", **options):
        db = imgret.open(self.place(name), **options)
        self.addCleanup(db.close)
        return db

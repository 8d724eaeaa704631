"""The package as others get it: wheels, types, finding the library, examples, documents."""

import glob
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import unittest

from common import PACKAGE, ROOT, Case, picture, python, needs_pil

WITH_LIBRARY = "import imgret; print(imgret.version(), imgret._library.lib._name)"

DECODE_APART = """
import imgret, sys
with imgret.open("apart.imgret", decode_isolation="auto") as db:
    print(db.add(sys.argv[1]).outcome)
"""


def run(*command, folder=None, **environment):
    done = subprocess.run(
        command,
        cwd=folder,
        env=dict(os.environ, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=250,
    )
    if done.returncode:
        raise AssertionError(f"{command}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


class WheelTest(Case):
    def wheel(self, **environment):
        for module in ("pip", "setuptools", "wheel"):
            if importlib.util.find_spec(module) is None:
                self.skipTest(f"this Python has no {module}")
        sources = self.place("sources")
        shutil.rmtree(sources, ignore_errors=True)
        shutil.copytree(PACKAGE, sources, ignore=shutil.ignore_patterns("__pycache__", "build"))
        out = self.place("wheels")
        shutil.rmtree(out, ignore_errors=True)
        run(
            sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps",
            "--no-index", "--disable-pip-version-check", "-w", out, sources,
            **environment,
        )  # fmt: skip
        (wheel,) = glob.glob(os.path.join(out, "*.whl"))
        site = self.place("site")
        shutil.rmtree(site, ignore_errors=True)
        run(
            sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile",
            "--disable-pip-version-check", "--target", site, wheel,
        )  # fmt: skip
        return wheel, site

    def test_wheel_that_carries_the_library(self):
        library = os.environ["IMGRET_LIBRARY"]
        wheel, site = self.wheel(IMGRET_WHEEL_LIBRARY=library)
        self.assertIn("-py3-none-linux_", wheel)
        folder = os.path.join(site, "imgret", "_lib")
        self.assertTrue(os.path.isfile(os.path.join(folder, "libimgret.so.0")))
        beside = glob.glob(os.path.join(os.path.dirname(library), "lib", "imgret", "imgret_*.so"))
        carried = glob.glob(os.path.join(folder, "imgret", "*"))  # no folder where there are none
        self.assertEqual(
            sorted(map(os.path.basename, carried)), sorted(map(os.path.basename, beside))
        )
        out = run(
            sys.executable, "-c", WITH_LIBRARY, folder=self.folder, PYTHONPATH=site, IMGRET_LIBRARY=""
        )
        self.assertIn(folder, out)
        path = self.write("a.png", picture(1))
        out = run(
            sys.executable, "-c", DECODE_APART, path,
            folder=self.folder, PYTHONPATH=site, IMGRET_LIBRARY="",
        )  # fmt: skip
        self.assertEqual(out, "stored\n")
        out = run(
            sys.executable, "-c", "import imgret; print(imgret._library.plugin_path(b'mine'))",
            folder=self.folder, PYTHONPATH=site, IMGRET_LIBRARY="", IMGRET_PLUGIN_PATH="env",
        )  # fmt: skip
        wanted = b"mine:env:" + os.fsencode(folder) + b"/imgret" if beside else b"mine"
        self.assertEqual(out.strip(), repr(wanted))

    def test_wheel_without_a_library(self):
        wheel, site = self.wheel(IMGRET_WHEEL_LIBRARY="")
        self.assertIn("-py3-none-any.whl", wheel)
        self.assertFalse(os.path.exists(os.path.join(site, "imgret", "_lib")))
        self.assertTrue(os.path.exists(os.path.join(site, "imgret", "py.typed")))
        installed = os.path.dirname(os.environ["IMGRET_LIBRARY"])
        out = run(
            sys.executable, "-c", WITH_LIBRARY,
            folder=self.folder, PYTHONPATH=site, IMGRET_LIBRARY="", LD_LIBRARY_PATH=installed,
        )  # fmt: skip
        self.assertIn("libimgret.so.0", out)


class ImportTest(Case):
    def test_library_that_is_not_there(self):
        code = (
            "try: import imgret\n"
            "except ImportError as error: print(type(error).__name__, error)\n"
        )
        out = python(code, IMGRET_LIBRARY="/nowhere/libimgret.so")
        self.assertIn("LibraryNotFoundError IMGRET_LIBRARY=/nowhere/libimgret.so", out)

    def test_library_that_is_another(self):
        from ctypes.util import find_library

        name = find_library("m")
        if not name:
            self.skipTest("no other library to try")
        code = "try: import imgret\nexcept ImportError as error: print(error)\n"
        self.assertIn("is too old", python(code, IMGRET_LIBRARY=name))

    def test_import_loads_nothing_heavy(self):
        code = "import sys, imgret; print(sorted({'numpy', 'PIL', 'tqdm', 'torch', 'subprocess'} & set(sys.modules)))"
        self.assertEqual(python(code).strip(), "[]")

    def test_every_public_name_has_a_docstring(self):
        import inspect

        import imgret

        bare = []
        for name in imgret.__all__:
            thing = getattr(imgret, name)
            if inspect.isclass(thing):
                bare += [
                    f"{name}.{key}"
                    for key, value in vars(thing).items()
                    if not key.startswith("_")
                    and (inspect.isfunction(value) or isinstance(value, property))
                    and not inspect.getdoc(value)
                    and key != "closed"
                ]
            if callable(thing) and not inspect.getdoc(thing):
                bare.append(name)
        self.assertEqual(bare, [])


class TypeTest(Case):
    def mypy(self, *arguments):
        if importlib.util.find_spec("mypy") is not None:
            command = [sys.executable, "-m", "mypy"]
        elif shutil.which("mypy"):
            command = ["mypy"]
        else:
            self.skipTest("mypy is not installed")
        return run(*command, "--cache-dir", self.place("cache"), *arguments, folder=PACKAGE)

    def test_mypy_strict(self):
        examples = [os.path.join("examples", name) for name in ("grid.py", "server.py")]
        self.mypy("--strict", "imgret", *examples, "bench.py")

    def test_a_program_of_a_user(self):
        path = self.write(
            "program.py",
            b"""
import io
import pathlib
from typing import List

import imgret

with imgret.open(pathlib.Path("a"), "classic", metric="l2") as db:
    added: imgret.Added = db.add(io.BytesIO(b""), metadata={"a": 1})
    db.add_vector([1.0, 2.0])
    for item in db.ingest(["a", "b"], progress=lambda progress: progress.done_count):
        print(item.uri.upper())
    hits: List[imgret.Hit] = list(db.query("cat.jpg", k=3))
    score: float = db.query(id=3)[0].score
    problems: List[str] = db.check()
""",
        )
        self.mypy("--strict", path)
        wrong = self.write("wrong.py", b"import imgret\nimgret.open('a').query(id='b', k='3')\n")
        with self.assertRaises(AssertionError) as caught:
            self.mypy("--strict", wrong)
        self.assertIn("Found 2 errors", str(caught.exception))


class ExampleTest(Case):
    def test_grid(self):
        folder = self.pictures(6)
        page = self.place("grid.html")
        script = os.path.join(PACKAGE, "examples", "grid.py")
        query = os.path.join(folder, "003.png")
        run(
            sys.executable, script, self.place("photos.imgret"), query,
            "--add", folder, "--out", page, "-k", "4", PYTHONPATH=PACKAGE,
        )  # fmt: skip
        with open(page, encoding="utf-8") as file:
            html = file.read()
        self.assertEqual(html.count("<figure"), 5)
        self.assertIn("003.png", html)
        self.assertIn("1.0000", html)

    @needs_pil
    def test_grid_as_a_picture(self):
        import PIL.Image

        folder = self.pictures(7)
        out = self.place("grid.png")
        script = os.path.join(PACKAGE, "examples", "grid.py")
        query = os.path.join(folder, "003.png")
        run(
            sys.executable, script, self.place("photos.imgret"), query,
            "--add", folder, "--out", out, "-k", "7", PYTHONPATH=PACKAGE,
        )  # fmt: skip
        with PIL.Image.open(out) as sheet:
            self.assertEqual(sheet.size, (1208, 408))
            self.assertGreater(len(sheet.crop((8, 8, 200, 200)).getcolors(1 << 16) or [0] * 99), 50)

    def test_bench_runs(self):
        script = os.path.join(PACKAGE, "bench.py")
        out = run(sys.executable, script, "--count", "200", "--queries", "20", PYTHONPATH=PACKAGE)
        self.assertIn("import imgret", out)
        self.assertIn("over C", out)

    def test_code_of_the_guide(self):
        """Every Python block of docs/python.md runs, in order, in one folder of pictures."""
        with open(os.path.join(ROOT, "docs", "python.md"), encoding="utf-8") as file:
            blocks = re.findall(r"^```python\n(.*?)^```", file.read(), re.M | re.S)
        self.assertGreater(len(blocks), 5)
        self.pictures(5, "Pictures")
        self.write("cat.jpg", picture(2))
        code = "\n".join(
            f"exec(compile({block!r}, 'block {number}', 'exec'))"
            for number, block in enumerate(blocks)
            if not ("numpy" in block and importlib.util.find_spec("numpy") is None)
            and not ("PIL" in block and importlib.util.find_spec("PIL") is None)
        )
        run(sys.executable, "-c", code, folder=self.folder, PYTHONPATH=PACKAGE)


if __name__ == "__main__":
    unittest.main()

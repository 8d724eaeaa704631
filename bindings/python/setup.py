"""Builds the package; with IMGRET_WHEEL_LIBRARY=PATH a wheel that carries that library.

PATH is a libimgret.so. The program imgret-decode, which decodes apart, goes along from beside it or
from imgret/; so do backend plugins in imgret/ or lib/imgret/ (as in the build folder and in an
installed tree), unless IMGRET_WHEEL_PLUGINS=0. Such a wheel fits this kind of machine only; the
libraries that libimgret itself needs (SQLite, libjpeg, ...) stay outside.
"""

import glob
import os
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:
    from wheel.bdist_wheel import bdist_wheel

LIBRARY = os.environ.get("IMGRET_WHEEL_LIBRARY")
SONAME = "libimgret.so.0"
DECODER = "imgret-decode"


class BuildWithLibrary(build_py):
    """Copies the library, under its soname, the decoding program and the plugins into the package."""

    def run(self):
        super().run()
        place = os.path.join(self.build_lib, "imgret", "_lib")
        shutil.rmtree(place, ignore_errors=True)  # what an earlier build left
        if not LIBRARY:
            return
        os.makedirs(os.path.join(place, "imgret"))
        shutil.copyfile(LIBRARY, os.path.join(place, SONAME))
        folder = os.path.dirname(os.path.abspath(LIBRARY))
        for decoder in (DECODER, os.path.join("imgret", DECODER)):
            if os.path.exists(os.path.join(folder, decoder)):
                shutil.copy2(os.path.join(folder, decoder), place)  # it stays executable
        if os.environ.get("IMGRET_WHEEL_PLUGINS") == "0":
            return
        for plugins in ("imgret", os.path.join("lib", "imgret")):
            for plugin in glob.glob(os.path.join(folder, plugins, "imgret_*.so")):
                shutil.copy2(plugin, os.path.join(place, "imgret"))


class WheelOfAnyPython(bdist_wheel):
    """ctypes needs no particular Python: only the carried library ties the wheel to a machine."""

    def get_tag(self):
        python, abi, platform = super().get_tag()
        return "py3", "none", platform if LIBRARY else "any"


class MaybeBinary(Distribution):
    def has_ext_modules(self):
        return bool(LIBRARY)


setup(
    distclass=MaybeBinary,
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": WheelOfAnyPython},
)

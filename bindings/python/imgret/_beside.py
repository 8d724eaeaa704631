"""An ImportError where a second libtorch would end the process.

libimgret refuses to load its torch plugin beside another libtorch. The other way round, `import
torch` after the plugin has loaded its own, nobody would notice before the two write over each
other: symbols of type GNU_UNIQUE are one for the process, whatever the loader is asked for. So that
import is looked at first. Nothing else is, and nothing happens before `import torch`.
"""

from __future__ import annotations

import glob
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any, List, Optional, Sequence

_LIBRARY = "libtorch_cpu.so"


def _loaded() -> Optional[str]:
    """The libtorch that the process has, if any; only Linux tells."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            for line in maps:
                path = line.rstrip("\n").partition("/")[2]
                if os.path.basename(path).startswith(_LIBRARY):
                    return "/" + path
    except OSError:
        pass
    return None


class _TorchWatch:
    """A finder that finds nothing: see importlib.abc.MetaPathFinder."""

    @staticmethod
    def find_spec(
        name: str, path: Optional[Sequence[str]] = None, target: Any = None
    ) -> Optional[ModuleSpec]:
        mine = _loaded() if name == "torch" else None
        spec = PathFinder.find_spec(name, path) if mine else None
        if not mine or not spec or not spec.origin:
            return None
        folder = os.path.join(os.path.dirname(spec.origin), "lib")
        others = glob.glob(os.path.join(folder, _LIBRARY + "*"))
        if not others or any(os.path.realpath(other) == os.path.realpath(mine) for other in others):
            return None
        raise ImportError(
            f"this process has {mine} loaded, and the torch in {os.path.dirname(spec.origin)} "
            f"brings {others[0]}: there cannot be two. Use another process, or libimgret's torch "
            "plugin built for that torch (make TORCH_HOME=...)",
            name="torch",
        )


def watch_torch() -> None:
    finders: List[object] = list(sys.meta_path)
    if sys.platform == "linux" and _TorchWatch not in finders:
        sys.meta_path.insert(0, _TorchWatch)

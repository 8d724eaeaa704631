#!/usr/bin/env python3
"""run_blocks.py: runs every code block of documents as their reader would; prints TAP.

    run_blocks.py BUILD DOCUMENT...

Each document gets a folder of its own, in which its blocks run one after the other. There are pictures
in ~/Pictures and under the names that the documents use, the examples, and, but for documents that
begin with nothing, a database photos.imgret of them. What a block is, its fence says:

  sh       a script, under `set -e`; `imgret` may end with 1, nothing found
  console  the same, of the lines behind "$ "; of the output that is shown only errors
           ("imgret: ...") are compared, where "..." stands for anything
  c        a whole program, saved under the name in its first line and compiled without a warning; the
           next sh block may run it; without a main(), statements, which are compiled
  python   all of a document in one process
  go       is skipped: tests/bindings/test_go.sh builds and runs docs/go.md
  cmake    is skipped: `make check-install` builds such a project
  text     is no code

A first line "# needs THING" says what a block cannot do without. Where THING is a program or a Python
module the block runs if that is there; weights, root, network and a checkout are never there.
"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUT_S = 100
NEVER = {"weights", "root", "network", "checkout", "io_uring"}
NAMES = ("cat day snow people a b tom street bike dog new query beach upload").split()
FROM_NOTHING = {"README", "tutorial"}
ELSEWHERE = {"cmake": "make check-install builds such",
             "go": "tests/bindings/test_go.sh builds and runs it"}
MARK = "---- next block ----"


class Block:
    def __init__(self, document, line, language, text):
        self.name = f"{document}:{line} {language}"
        self.language = language
        self.text = text
        need = re.match(r"(?:#|//|/\*) needs ([^\n:*]*)", text)
        self.needs = [re.sub(r"^and ", "", word.strip()) for word in need.group(1).split(",")] if need else []


def blocks_of(path):
    found, at, fence = [], 0, None
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("```"):
            if fence is None:
                fence, at, lines = line[3:].strip(), number, []
            else:
                found.append(Block(path.relative_to(ROOT), at, fence, "\n".join(lines) + "\n"))
                fence = None
        elif fence is not None:
            lines.append(line)
    if fence is not None:
        sys.exit(f"{path}:{at}: a block without end")
    return found


def lacking(block):
    """What the block needs and is not there, or None."""
    for need in block.needs:
        if need in NEVER:
            return need
        if not shutil.which(need) and subprocess.run(
                [sys.executable, "-c", f"import {need}"], capture_output=True).returncode:
            return need
    return None


class House:
    """Where a document's blocks run: a home with pictures, the command on the PATH."""

    def __init__(self, scratch, build, pictures, name):
        self.place = scratch / name
        shutil.copytree(pictures, self.place / "Pictures")
        for picture in pictures.glob("*.jpg"):
            shutil.copy(picture, self.place)
        shutil.copytree(pictures / "forest", self.place / "uploads")
        os.symlink(ROOT / "examples", self.place / "examples")
        tools = scratch / f"{name}.bin"
        tools.mkdir()
        wrapper = tools / "imgret"
        wrapper.write_text(f'#!/bin/sh\n"{build}/imgret" "$@" || [ $? -eq 1 ]\n')
        wrapper.chmod(0o755)
        os.symlink(sys.executable, tools / "python3")
        (tools / "imgret.pc").write_text(
            f"Name: imgret\nDescription: of the build\nVersion: 0\n"
            f"Cflags: -I{ROOT}/include\nLibs: -L{build} -limgret\n")
        self.env = dict(os.environ, HOME=str(self.place), PATH=f"{tools}:{os.environ['PATH']}",
                        PKG_CONFIG_PATH=str(tools), LD_LIBRARY_PATH=str(build),
                        IMGRET_LIBRARY=f"{build}/libimgret.so.0", LC_ALL="C.UTF-8",
                        PYTHONPATH=f"{ROOT}/bindings/python", PYTHONDONTWRITEBYTECODE="1")

    def make_database(self):
        trouble = self.run_shell("imgret add photos.imgret ~/Pictures --quiet")
        if trouble:
            sys.exit(f"photos.imgret cannot be made: {trouble}")

    def run(self, command):
        """None, or what went wrong."""
        try:
            done = subprocess.run(command, cwd=self.place, env=self.env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return f"still running after {TIMEOUT_S} s"
        said = done.stdout.decode("utf-8", "replace")
        return None if done.returncode == 0 else f"exit status {done.returncode}\n{said}"

    def run_shell(self, text):
        return self.run(["sh", "-e", "-c", text])

    def run_console(self, text):
        """Where errors are shown, commands may fail, and must have said these, in any order."""
        script = "\n".join(re.findall(r"^\$ (.*)$", text, re.M))
        shown = re.findall(r"^imgret: .*$", text, re.M)
        if not shown:
            return self.run_shell(script)
        said = subprocess.run(["sh", "-c", script], cwd=self.place, env=self.env, timeout=TIMEOUT_S,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT).stdout.decode("utf-8", "replace")
        for line in shown:
            pattern = ".*".join(re.escape(part) for part in line.split("..."))
            if not re.search(f"^{pattern}$", said, re.M):
                return f"nobody said: {line}\n{said}"
        return None

    def run_c(self, text):
        if "int main" not in text:
            source = self.place / "statements.c"
            source.write_text("#include <imgret/imgret.h>\n#include <stdio.h>\n"
                              "void statements(void);\nvoid statements(void)\n{\n" + text + "}\n")
            return self.run_shell("${CC:-cc} -std=c11 -Wall -Wextra -Werror -Wno-unused -fsyntax-only"
                                  " statements.c $(pkg-config --cflags imgret)")
        name = re.search(r"^/\* (\w+\.c)\b", text)
        if not name:
            return "begins without /* NAME.c"
        source = self.place / name.group(1)
        source.write_text(text)
        return self.run_shell(f"${{CC:-cc}} -std=c11 -Wall -Wextra -Werror {source.name}"
                              f" -o {source.stem} $(pkg-config --cflags --libs imgret) -lpthread")

    def run_python(self, texts):
        """A list of what went wrong with each of the texts, as far as they came."""
        script = "".join(f"print({MARK!r}, flush=True)\n{text}\n" for text in texts)
        trouble = self.run([sys.executable, "-c", script])
        if trouble is None:
            return [None] * len(texts)
        came = max(trouble.count(MARK), 1)
        return [None] * (came - 1) + [trouble] + ["not reached"] * (len(texts) - came)


def run_document(house, blocks):
    """Yields (block, trouble or None, reason of a skip or None)."""
    python = [block for block in blocks if block.language == "python" and lacking(block) is None]
    python_troubles = None
    for block in blocks:
        missing = lacking(block)
        if block.language == "text":
            continue
        if missing or block.language in ELSEWHERE:
            yield block, None, f"needs {missing}" if missing else ELSEWHERE[block.language]
        elif block.language == "python":
            if python_troubles is None:
                python_troubles = dict(zip(python, house.run_python([b.text for b in python])))
            yield block, python_troubles[block], None
        elif block.language in ("sh", "console", "c"):
            run = {"sh": house.run_shell, "console": house.run_console, "c": house.run_c}
            yield block, run[block.language](block.text), None
        else:
            yield block, f"'{block.language}' says not what it is: see tests/docs/run_blocks.py", None


def main(build, *documents):
    build = Path(build).resolve()
    scratch = Path(os.environ.get("TMPDIR", "/tmp")) / f"blocks-{os.getpid()}"
    pictures = scratch / "pictures"
    scratch.mkdir()
    number = failed = 0
    try:
        subprocess.run([build / "examples" / "draw_pictures", pictures, "48", "7"], check=True)
        labels = (pictures / "labels.tsv").read_text()
        (pictures / "labels.tsv").unlink()
        drawn = sorted(path for path in pictures.rglob("*-00*") if path.suffix == ".jpg")
        for index, name in enumerate(NAMES):
            shutil.copy(drawn[index % len(drawn)], pictures / f"{name}.jpg")
        for document in documents:
            path = (ROOT / document).resolve()
            house = House(scratch, build, pictures, document.replace("/", "-"))
            (house.place / "labels.tsv").write_text(re.sub("^(?=.)", "Pictures/", labels, flags=re.M))
            if path.stem not in FROM_NOTHING:
                house.make_database()
            for block, trouble, skipped in run_document(house, blocks_of(path)):
                number += 1
                failed += trouble is not None
                print(f"{'not ' if trouble else ''}ok {number} - {block.name}" +
                      (f" # SKIP {skipped}" if skipped else ""), flush=True)
                for line in (trouble or "").split("\n")[-30:] if trouble else []:
                    print(f"# {line}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"1..{number}")
    return 1 if failed or not number else 0


sys.exit(main(*sys.argv[1:]))

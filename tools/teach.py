"""The exercises for a class: make the students' folder, and grade what comes back.

    python tools/teach.py students FOLDER
    python tools/teach.py grade SUBMISSIONS RESULTS.csv [--seed 1] [--seconds 10]

SUBMISSIONS holds a folder for each student, with the notebooks under the names they came with.

An answer runs in a process of its own. What comes out of it is numbers and text through a pipe:
the checks, the marks and the problems' right answers stay on this side, so nothing that a
notebook prints, edits or overwrites reaches them. That process may not write files, start
programs or use the network; it is no prison for code meant to break out of one.
"""

import argparse
import base64
import csv
import json
import multiprocessing
import os
import shutil
import sys
from pathlib import Path

import nbformat
import numpy as np

from soo_lib import exercises, hints

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "book" / "exercises").glob("*.ipynb"))
MAX_BYTES = 20_000_000  # of a notebook, and of a message
MEMORY = 4 * 2**30
README = """\
# Exercises

    python -m pip install -r requirements.txt
    jupyter lab

Each notebook asks for one function and checks it: work until the check says "Right". Keep the
notebooks' names, and hand them in as they are.
"""


def students(folder):
    """The notebooks without solutions, locked where nothing is to be changed, and the library."""
    from nbconvert.exporters import NotebookExporter
    from nbconvert.preprocessors import TagRemovePreprocessor
    from nbgrader.preprocessors import CheckCellMetadata, ClearOutput, ComputeChecksums, LockCells

    if folder.exists():
        sys.exit(f"{folder} exists already: remove it, or name another folder")
    exporter = NotebookExporter()
    steps = [CheckCellMetadata, ClearOutput, LockCells, ComputeChecksums]
    for step in [TagRemovePreprocessor(remove_cell_tags=["solution"]), *[s() for s in steps]]:
        exporter.register_preprocessor(step, enabled=True)
    folder.mkdir(parents=True)
    for source in SOURCES:
        (folder / source.name).write_text(exporter.from_filename(str(source))[0], encoding="utf-8")
    (folder / "README.md").write_text(README, encoding="utf-8")
    for name in ("requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(
        ROOT / "soo_lib", folder / "soo_lib", ignore=shutil.ignore_patterns("__pycache__")
    )
    print(f"{len(SOURCES)} notebooks and what they need: {folder}")


def grade(submissions, results, seed):
    """A row for each student and exercise in the CSV file ``results``."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nbformat", "soo_lib.exercises"])
    folders = sorted(path for path in submissions.iterdir() if path.is_dir())
    if not folders:
        sys.exit(f"{submissions} holds no folder: it should hold one for each student")
    rows = [["student", "exercise", "points", "out_of", "hint"]]
    for folder in folders:
        for source in SOURCES:
            name, setup, points = read_source(source)
            ok, hint = mark(context, folder / source.name, name, setup, seed)
            rows.append([folder.name, name, points * ok, points, " ".join(hint.split())[:300]])
        scored = [row[2:4] for row in rows if row[0] == folder.name]
        print(folder.name, "{} of {}".format(*np.sum(scored, axis=0)), sep=": ")
    new = results.with_name(results.name + ".new")
    with new.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    new.replace(results)


def read_source(source):
    """The exercise's name, its cell of imports and its points, from the book's notebook."""
    cells = nbformat.read(source, as_version=4).cells
    known = {c.metadata.nbgrader.grade_id: c for c in cells if "nbgrader" in c.metadata}
    name = source.stem.replace("-", "_")
    return name, known["setup"].source, known[f"mark_{name}"].metadata.nbgrader.points


def mark(context, path, name, setup, seed):
    """Whether the notebook's answer is right, and the hint."""
    if not path.is_file():
        return False, "Not handed in."
    try:
        if path.stat().st_size > MAX_BYTES:
            return False, "The notebook is too large."
        cells = nbformat.read(path, as_version=4).cells
        code = [c.source for c in cells if c.cell_type == "code" and not locked(c)]
    except Exception as error:  # whatever a broken file may cause
        return False, f"The notebook cannot be read: {type(error).__name__}"
    ours, theirs = context.Pipe()
    child = context.Process(target=serve, args=(theirs, name, setup, code), daemon=True)
    child.start()
    theirs.close()
    try:
        if not ours.poll(hints.SECONDS):
            return False, f"The notebook's cells take over {hints.SECONDS} s."
        failure = receive(ours)["failure"]
        return getattr(exercises, f"check_{name}")(Remote(ours, failure), seed=seed)
    except Exception:  # the pipe carries what the notebook chose to send
        return False, "The notebook's process ended, or sent what is no answer."
    finally:
        child.kill()
        child.join()
        ours.close()


def locked(cell):
    return bool(cell.metadata.get("nbgrader", {}).get("locked"))


class Remote:
    """The answer's function, called through the pipe."""

    def __init__(self, pipe, failure):
        self.pipe, self.failure = pipe, failure

    def __call__(self, *args):
        if self.failure:
            raise hints.Hint(self.failure)
        try:
            send(self.pipe, {"call": [None if callable(a) else a for a in args],
                             "functions": [i for i, a in enumerate(args) if callable(a)]})
            while "evaluate" in (message := receive(self.pipe)):
                send(self.pipe, self.evaluate(args[message["evaluate"]], message["args"]))
            if "raised" in message:
                raise hints.Hint(f"It raises {message['raised']}")
            for i, value in message["changed"].items():
                args[int(i)][...] = value
            return message["value"]
        except hints.Hint:
            raise
        except (EOFError, OSError):
            raise hints.Hint("The notebook's process ended.") from None
        except Exception:
            raise hints.Hint("The notebook sent what is no answer.") from None

    @staticmethod
    def evaluate(function, args):
        try:
            return {"value": function(*args)}
        except Exception as error:  # the answer's own doing: it is told, as it would be at home
            return {"raised": str(error)}


def send(pipe, message):
    pipe.send_bytes(json.dumps(message, default=pack).encode())


def receive(pipe):
    return json.loads(pipe.recv_bytes(MAX_BYTES), object_hook=unpack)


def pack(value):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        data = base64.b64encode(np.ascontiguousarray(value)).decode()
        return {"array": data, "dtype": value.dtype.str, "shape": value.shape}
    raise TypeError(f"it returns a {type(value).__name__}")


def unpack(value):
    if "array" not in value:
        return value
    flat = np.frombuffer(base64.b64decode(value["array"]), np.dtype(value["dtype"]))
    return flat.reshape(value["shape"]).copy()


# ---- the other side of the pipe


def serve(pipe, name, setup, code):
    """Run the notebook's cells, then answer calls of its function for ever."""
    confine()
    scope, failure = {"__name__": "__main__"}, ""
    exec(setup, scope)
    sys.addaudithook(refuse)
    for cell in code:
        lines = cell.splitlines()
        try:
            exec("\n".join(line for line in lines if not line.startswith(("%", "!"))), scope)
        except BaseException as error:  # a notebook goes on after a cell that failed
            failure = f"A cell raises {type(error).__name__}: {error}"
    function = scope.get(name)
    missing = "" if callable(function) else failure or f"There is no function {name}."
    send(pipe, {"failure": missing})
    while True:
        request = receive(pipe)
        args = request["call"]
        for i in request["functions"]:
            args[i] = caller(pipe, i)
        before = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
        try:
            with np.errstate(all="ignore"):
                answer = {"value": function(*args)}
            pairs = enumerate(zip(args, before))
            changed = {i: a for i, (a, b) in pairs if isinstance(b, np.ndarray) and not same(a, b)}
            send(pipe, {**answer, "changed": changed})
        except BaseException as error:
            send(pipe, {"raised": f"{type(error).__name__}: {error}"})


def same(a, b):
    return np.array_equal(a, b)


def caller(pipe, i):
    def function(*args):
        send(pipe, {"evaluate": i, "args": args})
        reply = receive(pipe)
        if "raised" in reply:
            raise ValueError(reply["raised"])
        return reply["value"]

    return function


def confine():
    """Silent, in a session of its own, with bounded memory."""
    import resource

    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.dont_write_bytecode = True


READS = {"os.listdir", "os.scandir", "os.walk", "os.fwalk"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def refuse(event, args):
    """An audit hook, which cannot be taken out again: see sys.addaudithook."""
    writes = event == "open" and isinstance(args[2], int) and args[2] & WRITING
    reaches_out = event.startswith(("os.", "subprocess.", "socket.", "shutil.", "ctypes."))
    if writes or (reaches_out and event not in READS):
        raise PermissionError(f"{event} is not for an answer to do")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(required=True, dest="command")
    make = commands.add_parser("students", help="make the students' folder")
    make.add_argument("folder", type=Path)
    judge = commands.add_parser("grade", help="grade a folder of submissions into a CSV file")
    judge.add_argument("submissions", type=Path)
    judge.add_argument("results", type=Path)
    judge.add_argument("--seed", type=int, default=1, help="of the problems: not the students' 0")
    judge.add_argument("--seconds", type=float, default=hints.SECONDS, help="for one exercise")
    chosen = parser.parse_args()
    if chosen.command == "students":
        students(chosen.folder)
    else:
        if not chosen.submissions.is_dir():
            parser.error(f"{chosen.submissions} is not a folder")
        hints.SECONDS = chosen.seconds
        grade(chosen.submissions, chosen.results, chosen.seed)


if __name__ == "__main__":
    main()

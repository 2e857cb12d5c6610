"""The exercises for a class: make the students' folder, and grade what comes back.

    python tools/teach.py students FOLDER
    python tools/teach.py grade SUBMISSIONS RESULTS.csv [--seed 1] [--seconds 10]

SUBMISSIONS holds a folder for each student, with the notebooks under the names they came with.

An answer runs in a process of its own (answer_process.py), out of reach of the checks and marks.
"""

import argparse
import csv
import multiprocessing
import shutil
import sys
from pathlib import Path

import nbformat
import numpy as np
from answer_process import Remote, receive, serve

from soo_lib.book import exercises, hints

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "book" / "exercises").glob("*.ipynb"))
MAX_BYTES = 20_000_000  # of a notebook
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
    context.set_forkserver_preload(["nbformat", "soo_lib.book.exercises", "answer_process"])
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

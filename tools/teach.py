"""The exercises for a class: make the students' folder, and grade what comes back.

    python tools/teach.py students FOLDER
    python tools/teach.py grade SUBMISSIONS RESULTS [--jobs 2] [--changes FILE] [--format canvas]

SUBMISSIONS holds a folder for each student, or what Canvas or Moodle made of it (handed_in.py).
RESULTS is a folder, and a run that was stopped goes on where it was. An answer runs in a box
(grade.py).
"""

import argparse
import csv
import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import grade
import handed_in
import marks
import yaml

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "book" / "exercises").glob("*.ipynb"))
TITLE = "Second-order optimisation: exercises"
README = """\
# Exercises

    python start.py

installs what is needed (Python 3.11 or newer), checks that it works, and opens the notebooks.

Each notebook asks for one function and checks it: work until the check says "Right". Three of
them go on: they ask for a figure and for a sentence to defend, which your teacher reads. Keep the
notebooks' names, and hand them in as they are.
"""


NEEDED = """\
-c constraints.txt
numpy
scipy
scikit-learn
matplotlib
threadpoolctl
tqdm
ipywidgets
anywidget
jupyterlab
"""


def repository():
    """Return the repository's address, which _config.yml knows."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]


def students(folder):
    """Write the notebooks without solutions, locked where nothing is to change, and the library."""
    if folder.exists():  # asked before the seconds in which the rest is imported
        sys.exit(f"{folder} exists already: remove it, or name another folder")
    from nbconvert.exporters import NotebookExporter
    from nbconvert.preprocessors import TagRemovePreprocessor
    from nbgrader.preprocessors import CheckCellMetadata, ClearOutput, ComputeChecksums, LockCells

    exporter = NotebookExporter()
    steps = [CheckCellMetadata, ClearOutput, LockCells, ComputeChecksums]
    for step in [TagRemovePreprocessor(remove_cell_tags=["solution"]), *[s() for s in steps]]:
        exporter.register_preprocessor(step, enabled=True)
    folder.mkdir(parents=True)
    for source in SOURCES:
        text = exporter.from_filename(str(source))[0]
        text = text.replace("](../", f"]({repository()}/blob/main/book/")  # the chapters
        (folder / source.name).write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(README, encoding="utf-8")
    (folder / "requirements.txt").write_text(NEEDED, encoding="utf-8")
    for file in (ROOT / "constraints.txt", ROOT / "tools" / "start.py"):
        shutil.copy(file, folder)
    shutil.copytree(
        ROOT / "soo_lib", folder / "soo_lib", ignore=shutil.ignore_patterns("__pycache__")
    )
    print(f"{len(SOURCES)} notebooks and what they need: {folder}")


class Exercise(NamedTuple):
    """What the grader needs to know of a page of the book."""

    name: str
    title: str
    setup: str  # the cell of imports
    stub: str
    points: float
    of: str = ""  # the exercise whose figure and sentence these are, for a teacher to read


def read_exercises(source):
    """Return the exercise of a page, and of an open one also what a teacher reads."""
    cells = json.loads(source.read_bytes())["cells"]
    marks = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    text = {mark.get("grade_id"): "".join(cell["source"]) for mark, cell in zip(marks, cells)}
    points = {mark.get("grade_id"): mark.get("points") for mark in marks}
    name = source.stem.replace("-", "_")
    title = cells[0]["source"][0].strip("# \n")
    yield Exercise(name, title, text["setup"], text[name], points[f"mark_{name}"])
    if stub := text.get(f"defend_{name}"):
        title = f"{title} (figure and sentence)"
        yield Exercise(f"{name}_defended", title, "", stub, points[f"defend_{name}"], of=name)


def grade_class(chosen):
    """Mark every student who is not marked yet, and write the tables anew after each."""
    exercises = [exercise for source in SOURCES for exercise in read_exercises(source)]
    if chosen.results.resolve().is_relative_to(chosen.submissions.resolve()):
        sys.exit(f"{chosen.results} lies within {chosen.submissions}, where folders are students'")
    try:
        chosen.results.mkdir(parents=True, exist_ok=True)
        held = marks.hold(chosen.results / "run.jsonl")
        run = marks.Run(chosen.results, chosen.again)
        students, strays = handed_in.find(chosen.submissions, {source.stem for source in SOURCES})
    except (OSError, ValueError) as error:
        sys.exit(f"{chosen.results}: {error}")
    try:
        changes = chosen.changes and marks.read_changes(chosen.changes, students, exercises)
    except (OSError, ValueError, csv.Error) as error:
        sys.exit(f"{chosen.changes}: {error}")
    if not students:
        sys.exit(f"{chosen.submissions} holds no student: it should hold a folder for each")
    for stray in strays:
        say(f"{stray}: whose is it? It is left aside.")
    try:
        grade.Box(trusted=chosen.trusted).close()  # is there one to be had?
    except (OSError, grade.NoBox) as error:
        sys.exit(NO_BOX.format(error))
    # Python compiles this now, as a box, which can keep nothing, would compile it each time.
    quiet = subprocess.DEVNULL
    compiling = subprocess.Popen([sys.executable, "-c", WARM], stdout=quiet, stderr=quiet)
    if chosen.trusted:
        say(TRUSTED)
    write = lambda: run.write(students, exercises, changes or {}, chosen.format, TITLE)  # noqa: E731
    slots, boxes, stop = queue.SimpleQueue(), set(), threading.Event()
    for slot in range(chosen.jobs):
        slots.put(slot)
    # Ctrl-Z ends it too: asleep, it would let the time run out for those who are being marked.
    for number in {signal.SIGTERM, getattr(signal, "SIGTSTP", signal.SIGTERM)}:
        signal.signal(number, lambda *_: sys.exit("stopped"))
    pool = ThreadPoolExecutor(chosen.jobs)
    try:
        jobs = {
            pool.submit(grade_student, student, exercises, run, chosen, slots, boxes, stop): student
            for student in students
        }
        for job in as_completed(jobs):
            student = jobs[job]
            try:
                rows = job.result()
            except (OSError, grade.NoBox) as error:
                say(f"{student.name}: not marked, for want of a box. {error}")
                continue
            run.add(rows)
            write()
            mine = [run.rows[student.name, e.name] for e in exercises]
            total = sum(row["points"] for row in mine), sum(row["out_of"] for row in mine)
            say(f"{student.name}: {total[0]:g} of {total[1]:g}{'' if rows else ', as before'}")
            for note in student.notes:
                say(f"    {note}")
        write()
    except (KeyboardInterrupt, SystemExit):
        sys.exit("Stopped. The same command goes on from here.")
    except OSError as error:  # no room, or a table that another program holds
        sys.exit(f"{error}. The same command goes on from here.")
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for box in list(boxes):
            box.process.kill()
        compiling.kill()
        compiling.wait()
        held.close()
    if without := [s.name for s in students if not run.marked(s.name, exercises)]:
        sys.exit(f"{len(without)} of {len(students)} are not marked: the same command tries again.")
    say(f"The tables and a page of feedback for each student: {chosen.results}")


def unmarked(student, exercises, run, seed):
    """Yield of each exercise not marked yet its file, its bytes or why it has none, and a key."""
    for exercise in (e for e in exercises if not e.of):
        path, data = student.files.get(exercise.name.replace("_", "-")), None
        found = grade.Mark("not handed in", 0, "Not handed in.")
        if path is not None:
            try:
                data = grade.load(path)
            except ValueError as error:
                found = grade.Mark("not readable", 0, str(error))
        said = f"{seed} {found.hint}".encode()
        key = hashlib.sha256(said + (data or b"")).hexdigest()[:16]
        both = [e for e in exercises if exercise.name in (e.name, e.of)]
        if not all(run.has(student.name, e.name, key) for e in both):
            yield both, path, data, found, key


def grade_student(student, exercises, run, chosen, slots, boxes, stop):
    """Return the rows that the student lacks.

    One box serves all exercises; it is made anew when an answer broke it. An exercise may take
    ``seconds``, and all of them together five times that, with the boxes. What slow ones take, they
    take from each other, and half an even share stays for each of the others. On a busy machine,
    which takes longer over right answers too, all of this is stretched as far as the start of the
    box was: no answer can make that longer.
    """
    slot, box, rows, spent = slots.get(), None, [], 0.0
    try:
        tasks = list(unmarked(student, exercises, run, chosen.seed))
        waiting = [data for _, _, data, _, _ in tasks if data is not None]
        libraries, left = grade.named(waiting), len(waiting)
        for both, path, data, found, key in tasks:
            if stop.is_set():  # its box has been ended, and what came of that is no mark
                break
            if data is not None:
                start, left = time.monotonic(), left - 1
                if box is None:
                    box = grade.Box(slot, chosen.trusted, libraries)
                    boxes.add(box)
                most = box.patience * chosen.seconds
                total = 4.7 * most  # the rest of five is for ending what runs
                least = total / (2 * len(SOURCES))
                seconds = max(least, min(most, total - spent - least * left))
                found, fit = grade.mark(box, both[0], data, chosen.seed, seconds)
                spent += time.monotonic() - start
                if not fit:
                    boxes.discard(box)
                    box.close()
                    box = None
            for part in both:
                mark = grade.to_read(found, part.stub) if part.of else found
                rows.append(
                    {
                        "student": student.name,
                        "exercise": part.name,
                        "status": mark.status,
                        "points": round(mark.share * part.points, 3),
                        "out_of": part.points,
                        "hint": clean(mark.hint)[:300],
                        "key": key,
                        "source": mark.source.encode(errors="replace").decode(),
                        "file": handed_in.decode(path.name) if path else "",
                    }
                )
        return rows
    finally:
        if box:
            boxes.discard(box)
            box.close()
        slots.put(slot)


def clean(text):
    """Return text from a box on one line, without what a terminal or UTF-8 would stumble over."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def say(line):
    sys.stdout.reconfigure(errors="replace")
    print(line, flush=True)


WARM = """import IPython.core.interactiveshell, matplotlib.pyplot, joblib, sklearn.linear_model
import soo_lib.book.exercises, pyseccomp"""
NO_BOX = """\
An answer runs in a box that bubblewrap makes (Linux), and there is none to be had here:
    {}
On Debian and Ubuntu:  sudo apt-get install -y bubblewrap libseccomp2
Where it is installed and refused, the system forbids it to ordinary users, or a container to
everybody: grade as root, or on another machine.
If you trust every notebook as you trust your own:  --trusted"""
TRUSTED = """\
--trusted: there is no box. Each notebook can do on this machine whatever you can: read and change
your files and the other students' notebooks, use the network, leave programs running."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(required=True, dest="command")
    make = commands.add_parser("students", help="make the students' folder")
    make.add_argument("folder", type=Path)
    judge = commands.add_parser("grade", help="grade what a class handed in")
    judge.add_argument("submissions", type=Path)
    judge.add_argument("results", type=Path, help="a folder, made if need be")
    judge.add_argument("--seed", type=int, default=1, help="of the problems: not the students' 0")
    judge.add_argument(
        "--seconds", type=float, default=6, help="for one exercise; five times that for all"
    )
    judge.add_argument("--jobs", type=int, default=os.cpu_count(), help="students side by side")
    judge.add_argument("--changes", type=Path, help="CSV: student, exercise, points, late, note")
    judge.add_argument("--format", choices=["plain", "canvas", "moodle"], default="plain")
    judge.add_argument("--again", action="store_true", help="forget the marks that are there")
    judge.add_argument("--trusted", action="store_true", help="without a box: see what it says")
    chosen = parser.parse_args()
    if chosen.command == "students":
        students(chosen.folder)
    else:
        if not chosen.submissions.is_dir():
            parser.error(f"{chosen.submissions} is not a folder")
        grade_class(chosen)


if __name__ == "__main__":
    main()

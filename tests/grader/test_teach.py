"""The students' folder, and the grading of what a class may hand in."""

import csv
import hashlib
import importlib.util
import json
import os
import queue
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import nbformat
import numpy as np
import psutil
import pytest

if not importlib.util.find_spec("nbgrader"):  # to import it takes a second, and each worker would
    pytest.skip("the extra `teach` is not installed", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "book" / "exercises").glob("*.ipynb"))
NAMES = [source.stem.replace("-", "_") for source in SOURCES]
OPEN = ["batch_size", "leave_saddle", "price_to_reach"]
boxed = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")


def teach(*args, **more):
    command = [sys.executable, str(ROOT / "tools" / "teach.py"), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, **more)


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class") / "students"
    made = teach("students", folder)
    assert made.returncode == 0, made.stderr
    return folder


def solution(source):
    """The page's solution under the exercise's name."""
    cells = {c.id: c.source for c in nbformat.read(source, as_version=4).cells}
    name = source.stem.replace("-", "_")
    return cells["solution"].split("\n\n\n")[0] + f"\n\n\n{name} = solution"


def test_the_students_folder_has_no_solution(students):
    assert {p.name for p in students.glob("*.ipynb")} == {p.name for p in SOURCES}
    for source in SOURCES:
        notebook = nbformat.read(students / source.name, as_version=4)
        text = (students / source.name).read_text()
        cells = {c.id: c for c in nbformat.read(source, as_version=4).cells}
        lines = solution(source).splitlines()[1:-3]
        assert lines and not any(line.strip() in text for line in lines if len(line) > 12)
        assert cells["why"].source not in text and "def solution" not in text
        kept = [k for k, c in cells.items() if "solution" not in c.metadata.get("tags", ())]
        assert [c.id for c in notebook.cells] == kept and not {"solution", "why"} & set(kept)
        assert not any(c.get("outputs") for c in notebook.cells)
        locked = {c.id for c in notebook.cells if c.metadata.get("editable") is False}
        assert locked == {"colab", "setup", "check", "mark"} | ({"open"} & set(kept))


def test_a_students_notebook_runs_on_what_came_with_it(students):
    """Nothing but requirements.txt: the library that is found is the folder's own."""
    code = "\n".join(
        c.source
        for c in nbformat.read(students / "armijo.ipynb", as_version=4).cells
        if c.cell_type == "code" and c.id not in ("colab", "mark")
    )
    script = f"import sys; sys.path.insert(0, '.')\n{code}\nimport soo_lib; print(soo_lib.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=students, capture_output=True, text=True, timeout=60
    )
    assert found.stdout.strip() == str(students / "soo_lib" / "__init__.py"), found.stderr


def test_the_folder_stands_alone(students):
    found = subprocess.run(
        [sys.executable, "start.py", "--check"],
        cwd=students,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert found.stdout.strip() == "Everything is in place.", found
    for path in students.glob("*.ipynb"):
        targets = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
        assert all(t.startswith("http") or (students / t).exists() for t in targets), targets
    assert any((students / "soo_lib" / "datasets" / "data").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_one_command_installs_checks_and_opens(tmp_path):
    """A stand-in for the environment's Python notes what it is asked for."""
    shutil.copy(ROOT / "tools" / "start.py", tmp_path)
    for place in ("bin", "lib/python3.11", "lib64/python3.11"):
        (tmp_path / ".venv" / place).mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\necho "$1 $2 $3" >> "{tmp_path}/asked"\n')
    python.chmod(0o755)
    start = [sys.executable, "start.py"]
    done = subprocess.run(start, cwd=tmp_path, capture_output=True, timeout=60)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert done.returncode == 0, done
    assert [asked[0], asked[-1]] == ["-m pip install", "-m jupyterlab --notebook-dir"]


def test_an_existing_folder_is_left_alone(students):
    before = (students / "armijo.ipynb").stat().st_mtime_ns
    assert "exists already" in teach("students", students).stderr
    assert (students / "armijo.ipynb").stat().st_mtime_ns == before


# ---- what teaching.md shows


def commands():
    """The commands that teaching.md shows, each with the output below it."""
    text = (ROOT / "book" / "teaching.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    parts = [part.split("\n", 1) for block in blocks for part in block.split("$ ")[1:]]
    return [tuple(part) for part in parts]


def a_small_class(students, folder):
    """What the three students of teaching.md hand in."""

    def edit(name, answer, sentence=""):
        def change(notebook):
            for cell in notebook.cells:
                if cell.id == "defence" and sentence:
                    cell.source = sentence

        hand_in(students, folder / name.split("/")[0], {name.split("/")[1]: answer}, change)

    half = (
        "def hessian_step(W, a, gX, H):\n    d = a * (1 - a)\n"
        "    return np.outer(d, d) * (W @ H @ W.T)"
    )
    stub = next(
        c.source for c in nbformat.read(students / "batch-size.ipynb", 4).cells if c.id == "answer"
    )
    why = "Sixteen rows: as cheap an epoch as one, and enough for half of the length at the start."
    edit("student-1/armijo.ipynb", RIGHT["armijo.ipynb"])
    edit("student-1/hessian-step.ipynb", half)
    edit("student-1/batch-size.ipynb", RIGHT["batch-size.ipynb"], f"**My sentence:** {why}")
    edit("student-2/armijo.ipynb", RIGHT["armijo.ipynb"])
    (folder / "student-2" / "armijo.ipynb").rename(folder / "student-2" / "armijo (1).ipynb")
    edit("student-2/armijo.ipynb", "def armijo(fun, x, p, f, slope, c1):\n    return 1")
    edit("student-2/hessian-step.ipynb", half.replace("np.outer(d, d)", "np.outr(d, d)"))
    edit("student-3/batch-size.ipynb", stub)
    edit("student-3/armijo.ipynb", RIGHT["armijo.ipynb"].replace("alpha /= 2", "alpha *= 0.9"))
    for path in folder.rglob("*.ipynb"):
        os.utime(path, (1e9, 1e9))  # all at once
    (folder.parent / "changes.csv").write_text(
        "student,exercise,points,late,note\n"
        "student-1,batch_size_defended,3,,Say until when in the run.\n"
        "student-2,,,20,Two days late.\n"
    )


@boxed
def test_the_instructors_page_shows_what_the_commands_print(students, tmp_path):
    """In order, in one folder; the lines of students who are marked side by side in any order."""
    a_small_class(students, tmp_path / "handed-in")
    for command, shown in commands():
        if command.startswith("make students"):
            assert shown == f"{len(SOURCES)} notebooks and what they need: exercises\n"
            continue
        words = dict(word.split("=", 1) for word in shlex.split(command)[2:] if "=" in word)
        if command.startswith("make grade"):
            done = teach(
                "grade",
                words["SUBMISSIONS"],
                words["RESULTS"],
                "--seed",
                words["SEED"],
                *words.get("OPTIONS", "").split(),
                cwd=tmp_path,
            )
        else:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                text=True,
                capture_output=True,
                env={**os.environ, "LC_ALL": "C"},
            )
        printed = done.stdout.replace("\ufeff", "").replace("\r", "")
        assert done.returncode == 0 and sorted(printed.splitlines()) == sorted(
            shown.splitlines()
        ), f"$ {command}\n{printed}{done.stderr}"


# ---- a run that is stopped, and a submission that never ends


@boxed
def test_a_run_that_is_stopped_goes_on_where_it_was(students, tmp_path):
    """Ctrl-Z, Ctrl-C and a kill in the middle of a student: no row is lost or made twice."""
    right = RIGHT["sign-rule.ipynb"]
    for number in range(5):
        answer = f"import time\ntime.sleep(1.5)\n{right}" if number in (1, 3) else right
        hand_in(students, tmp_path / "class" / f"s{number}", {"sign-rule.ipynb": answer})
    results, before = tmp_path / "results", processes()
    command = [
        sys.executable,
        str(ROOT / "tools" / "teach.py"),
        "grade",
        str(tmp_path / "class"),
        str(results),
        "--jobs",
        "1",
    ]

    def marked():
        path = results / "run.jsonl"
        return (
            [json.loads(row) for row in path.read_bytes().splitlines() if row.endswith(b"}")]
            if path.exists()
            else []
        )

    said = []
    for stop, at_least in ((signal.SIGTSTP, 1), (signal.SIGINT, 2), (signal.SIGKILL, 3)):
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while len({row["student"] for row in marked()}) < at_least and run.poll() is None:
            time.sleep(0.05)
        run.send_signal(stop)
        said.append(run.communicate(timeout=60))
        assert run.returncode == (-stop if stop == signal.SIGKILL else 1)
    assert "goes on from here" in said[0][1] and "goes on from here" in said[1][1]
    assert re.match("s0: 1 of .*, as before", said[1][0])
    last = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert last.returncode == 0 and last.stdout.count("as before") >= 3, last
    keys = [(row["student"], row["exercise"]) for row in marked()]
    assert len(keys) == len(set(keys)) == 5 * (len(SOURCES) + len(OPEN))
    rows = table(results / "exercises.csv")
    assert len(rows) == len(keys)
    assert {row["status"] for (_, e), row in rows.items() if e == "sign_rule"} == {"right"}
    assert not left(before)


def test_what_never_ends_costs_five_times_what_one_exercise_may(tmp_path, monkeypatch):
    """All of it endless. The clock is the test's own, so that nothing waits."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    grade, teach_, handed_in = (importlib.import_module(n) for n in ("grade", "teach", "handed_in"))
    clock, given = SimpleNamespace(now=0.0), []

    def mark(box, exercise, data, seed, seconds):
        given.append(seconds)
        clock.now += seconds
        return grade.Mark("too slow", 0, "It never ends."), True

    def box(*_):
        clock.now += 0.5
        return Mock(patience=1)

    monkeypatch.setattr(grade, "mark", mark)
    monkeypatch.setattr(grade, "Box", box)
    monkeypatch.setattr(teach_, "time", SimpleNamespace(monotonic=lambda: clock.now))
    exercises = [e for source in SOURCES for e in teach_.read_exercises(source)]
    student = handed_in.Student("Endless", files={source.stem: source for source in SOURCES})
    run, slots = SimpleNamespace(has=lambda *_: False), queue.SimpleQueue()
    chosen = SimpleNamespace(seconds=6.0, seed=1, trusted=False)
    slots.put(0)
    stop = SimpleNamespace(is_set=lambda: False)
    rows = teach_.grade_student(student, exercises, run, chosen, slots, set(), stop)
    assert len(rows) == len(SOURCES) + len(OPEN) and len(given) == len(SOURCES)
    assert clock.now < 30
    assert max(given) == 6 and min(given) > 0.6  # a right answer needs 0.2


# ---- what may go into an answer's cell, and what must become of it


def read_hostile():
    """Of each hostile answer: the code, the status and a part of the hint."""
    text = (ROOT / "tests" / "data" / "hostile_answers.txt").read_text(encoding="utf-8")
    found = {}
    for part in text.split("\n#: ")[1:]:
        head, code = part.split("\n", 1)
        name, status, hint = head.split(" / ")
        found[name] = code.replace("WIRE\n", WIRE), status, hint
    return found


WIRE = """\
import gc, json, os, socket, struct
wire = next(s for s in gc.get_objects() if isinstance(s, socket.socket) and s.fileno() > 2)
def put(text, data=b"", size=None):
    wire.sendall(struct.pack("<II", len(text) if size is None else size, len(data)) + text + data)
"""
HOSTILE = read_hostile()
SLOW = {name for name, (_, status, _) in HOSTILE.items() if "too slow" in status}
CONTROL = "newton-step.ipynb"  # right in every hostile student's folder


def hand_in(students, folder, answers, edit=lambda notebook: None):
    """A submission with these answers in the answer cells."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, answer in answers.items():
        notebook = nbformat.read(students / name, as_version=4)
        next(c for c in notebook.cells if c.id == "answer").source = answer
        edit(notebook)
        (folder / name).write_text(json.dumps(notebook))  # nbformat.write refuses surrogates


def table(path, key=("student", "exercise")):
    text = path.read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")  # Excel opens it as UTF-8
    return {
        tuple(row[k] for k in key): row
        for row in csv.DictReader(text.decode("utf-8-sig").splitlines())
    }


RIGHT = {source.name: solution(source) for source in SOURCES}
SECRET = "the-quick-brown-secret"
NAMESAKE = "namesake_s-" + hashlib.sha256(b"namesake's").hexdigest()[:8]  # the other one's page


@pytest.fixture(scope="module")
def graded(students, tmp_path_factory):
    """A class of every kind, graded in two runs: one with little time for each answer."""
    folder = tmp_path_factory.mktemp("handed-in")
    host, quick, slow = folder / "host", folder / "quick", folder / "slow"
    host.mkdir()
    (host / "secret").write_text(SECRET)
    (host / "file").write_text("as it was")
    mate = quick / "aa right" / CONTROL
    where = {}
    # An open page draws its figures first, for a second and a half. Where an answer comes to lie
    # may matter: changes_a_number wants arguments that are numbers, and choose-rows has them.
    pages = [p.name for p, n in zip(SOURCES, NAMES) if p.name != CONTROL and n not in OPEN]
    for kind, names, size in ((quick, [n for n in HOSTILE if n not in SLOW], 13), (slow, SLOW, 3)):
        hand_in(students, kind / "aa right", RIGHT)
        hand_in(students, kind / "zz right", RIGHT)
        for number, name in enumerate(sorted(names)):
            page = pages[number % size]
            student = f"hostile {number // size}"
            where[name] = kind.name, student, page.removesuffix(".ipynb").replace("-", "_")
            code = HOSTILE[name][0].replace("NAME", where[name][2])
            for word, path in (("HOST", host), ("MATE", mate), ("BOOK", ROOT / "book")):
                code = code.replace(word, str(path))
            hand_in(students, kind / student, {page: code, CONTROL: RIGHT[CONTROL]})
    files(students, quick, mate)
    before = processes(), contents("/tmp"), contents("/dev/shm"), tree(folder)
    runs = {}
    for kind, limit in ((quick, 30), (slow, 4)):
        runs[kind.name] = teach(
            "grade",
            kind,
            folder / f"{kind.name} results",
            "--seconds",
            limit,
            "--jobs",
            2,
            env={**os.environ, "SOO_SECRET": SECRET, "PYTHONIOENCODING": "ascii"},
        )
        assert runs[kind.name].returncode == 0, runs[kind.name]
    results = {k: folder / f"{k} results" for k in runs}
    after = left(before[0]), contents("/tmp"), contents("/dev/shm"), tree(folder)
    rows = {k: table(results[k] / "exercises.csv") for k in runs}
    return {
        "rows": rows,
        "where": where,
        "runs": runs,
        "before": before,
        "after": after,
        "results": results,
        "host": host,
    }


def files(students, folder, mate):
    """Files and folders that are no notebooks, and names that are no names."""

    def put(student, name, data):
        (folder / student).mkdir(exist_ok=True)
        (folder / student / name).write_bytes(data)

    stub = (students / CONTROL).read_bytes()
    book = json.loads(mate.read_bytes())
    cell = json.dumps({"cell_type": "code", "source": "", "metadata": {}}).encode()
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {},
        "worksheets": [
            {
                "cells": [
                    {**{k: v for k, v in c.items() if k != "source"}, "input": c["source"]}
                    for c in book["cells"]
                ]
            }
        ],
    }
    put("files", "armijo.ipynb", b"{ no notebook")
    put("files", "choose-rows.ipynb", bytes(range(256)))
    put("files", "diagnose.ipynb", b"[" * 100_000)
    os.mkfifo(folder / "files" / "hessian-step.ipynb")
    (folder / "files" / "kronecker-product.ipynb").mkdir()
    cells = b",".join([cell] * 300_000)
    put("files", "leaked-rows.ipynb", b'{"nbformat": 4, "cells": [' + cells + b"]}")
    put("files", "logistic-gradient.ipynb", json.dumps({**book, "nbformat": 99}).encode())
    put("files", CONTROL, json.dumps(old).encode())
    os.symlink(mate, folder / "files" / "polak-ribiere.ipynb")
    put("files", "sign-rule.ipynb", b" " * 20_000_001)
    put("files", "softmax-hessian.ipynb", b"")
    put("files", "strong-wolfe.ipynb", b'{"nbformat": 4, "cells": [null, 7, {"cell_type": []}]}')
    put("files", "two-loop.ipynb", b"[1, 2, 3]")
    os.symlink(folder / "aa right", folder / "linked folder")
    os.symlink("linked to itself", folder / "linked to itself")
    (folder / "nothing").mkdir()
    (folder / "untouched").mkdir()
    for source in SOURCES:
        put("untouched", source.name, (students / source.name).read_bytes())
    put("=cmd|' C'!A0", CONTROL, stub)
    put("@sum", CONTROL, mate.read_bytes())
    os.mkdir(os.fsencode(folder) + b"/M\xfcller")
    shutil.copy(mate, os.fsencode(folder) + b"/M\xfcller/" + CONTROL.encode())
    put("nested", "x", b"")
    (folder / "nested" / "a" / "b").mkdir(parents=True)
    put("nested/a/b", "newton-step (1).ipynb", mate.read_bytes())
    put("nested/a", "newton-step.ipynb", stub)
    os.utime(folder / "nested/a/newton-step.ipynb", (1, 1))
    os.utime(folder / "nested/a/b/newton-step (1).ipynb", (1, 1))
    for nobody in ("__MACOSX", ".ipynb_checkpoints", "nested/.ipynb_checkpoints"):
        (folder / nobody).mkdir()
        put(nobody, "armijo.ipynb", mate.read_bytes())
    put("", "a stray file.txt", b"")
    put("", "bellanna_LATE_11_22_newton-step-1.ipynb", mate.read_bytes())
    put("", "bellanna_LATE_11_23_sign_rule.ipynb", right_file(students, "sign-rule.ipynb"))
    (folder / "Ann Ash_77_assignsubmission_file_").mkdir()
    put("Ann Ash_77_assignsubmission_file_", "Newton_Step.ipynb", mate.read_bytes())

    def tamper(notebook):
        for cell in notebook.cells:
            if cell.id in ("check", "mark"):
                cell.source = "print('Right. You may move on.')"
            if "nbgrader" in cell.metadata:
                cell.metadata.nbgrader.update(points=100, locked=False)

    alike = ["Anna", "anna", "Anna ", "Zo\u00e9", "Zoe\u0301", "\u200b"]
    for name in (*alike, "𝐀" * 62, "a;=1", "＝1"):
        put(name, CONTROL, mate.read_bytes())
    put("namesake's", CONTROL, mate.read_bytes())
    put(NAMESAKE, CONTROL, mate.read_bytes())
    put("", "smith_5_6_work.zip", b"")
    put("", "smith_5_7_armijo.py", b"")
    put("renamed", f"{CONTROL}.txt", mate.read_bytes())
    put("bytes", CONTROL, mate.read_bytes().decode().encode("utf-16"))
    put("bytes", "sign-rule.ipynb", b"\xef\xbb\xbf" + right_file(students, "sign-rule.ipynb"))
    changes = (
        RIGHT["summed-gradient.ipynb"] + "\n\n\ndef summed_gradient(parts, x):\n"
        "    g = solution(parts, x)\n    parts[0][1][:] += 1\n    return g"
    )
    complex_ = RIGHT["leave-saddle.ipynb"] + "\nleave_saddle = lambda *given: solution(*given) + 0j"
    stuck = (
        "def armijo(fun, x, p, *_):\n    while True:\n"
        "        [fun(x + 0.5**k * p) for k in range(20)]"
    )
    hand_in(
        students,
        folder / "as at home",
        {
            "summed-gradient.ipynb": changes,
            "leave-saddle.ipynb": complex_,
            "armijo.ipynb": stuck,
        },
    )
    wrong = "def newton_step(x, g, H):\n    return x"
    hand_in(students, folder / "edited", {CONTROL: wrong}, tamper)
    friendly = {name: FRIENDLY + answer for name, answer in RIGHT.items()}
    hand_in(students, folder / "friendly", dict(list(friendly.items())[:1]), more_cells)


def right_file(students, name):
    notebook = nbformat.read(students / name, as_version=4)
    next(c for c in notebook.cells if c.id == "answer").source = RIGHT[name]
    return json.dumps(notebook).encode()


FRIENDLY = """\
import os, subprocess, tempfile
os.environ["MINE"] = "1"
%time 1
files = !ls /
assert "usr" in files
!echo hello
import numpy as np
np.dot?
display(np.eye(2))
import asyncio
await asyncio.sleep(0)
%matplotlib inline
import matplotlib.pyplot as plt
plt.plot([1, 2]); plt.savefig("mine.png"); plt.show()
with tempfile.NamedTemporaryFile() as file: file.write(b"x")
with open("notes.txt", "w") as file: file.write("x")
subprocess.run(["true"], check=True)
from joblib import Parallel, delayed
assert Parallel(2)(delayed(abs)(-i) for i in range(3)) == [0, 1, 2]
from sklearn.linear_model import LogisticRegression
LogisticRegression().fit(np.eye(2), [0, 1])
MARKER = "all of it ran"
"""


def more_cells(notebook):
    """A helper's cell before, a failing one after."""
    notebook.cells.insert(2, nbformat.v4.new_code_cell("assert True"))
    notebook.cells.append(nbformat.v4.new_code_cell("1 / 0"))


def processes():
    """What runs in boxes."""
    running = psutil.process_iter(["pid", "cmdline"])
    return {p.info["pid"] for p in running if "/course/box.py" in (p.info["cmdline"] or [])}


def left(before):
    """What still runs in boxes. The kernel ends a box's processes a moment after bubblewrap."""
    end = time.monotonic() + 20
    while (running := processes() - before) and time.monotonic() < end:
        time.sleep(0.05)
    return running


def contents(folder):
    return {name for name in os.listdir(folder) if "left" in name or "soo" in name}


def tree(folder):
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "results" not in str(path)
    }


@boxed
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_ends_in_a_verdict(graded, name):
    kind, student, exercise = graded["where"][name]
    row = graded["rows"][kind][student, exercise]
    _, status, hint = HOSTILE[name]
    assert float(row["points"]) == 0
    assert re.fullmatch(status, row["status"]), row
    assert re.search(hint, row["hint"]), row


@boxed
def test_nobody_elses_marks_are_touched(graded):
    for kind, rows in graded["rows"].items():
        for (student, exercise), row in rows.items():
            if student in ("aa right", "zz right") or (
                student.startswith("hostile") and exercise == "newton_step"
            ):
                if exercise.endswith("_defended"):
                    assert row["status"] == "not touched" and row["points"] == "0", row
                    continue
                assert row["status"] == "right" and row["points"] == row["out_of"], (kind, row)
    assert "aa right: " in graded["runs"]["quick"].stdout


@boxed
def test_nothing_is_left_behind(graded):
    running, *files = zip(graded["before"], graded["after"], strict=True)
    assert not running[1]
    assert all(before == after for before, after in files)
    assert (graded["host"] / "file").read_text() == "as it was"
    assert sorted(os.listdir(graded["host"])) == ["file", "secret"]


@boxed
def test_nothing_leaks(graded):
    users = [line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines()][:3]
    for folder in graded["results"].values():
        for path in folder.rglob("*"):
            text = path.read_bytes().decode() if path.is_file() else ""
            assert SECRET not in text and "\ufffd" not in text[:0]
            assert not any(f"{user}:x:" in text for user in users)
            if path.suffix == ".html":
                assert "<script" not in text


@boxed
def test_no_cell_is_a_formula(graded):
    for folder in graded["results"].values():
        for path in folder.glob("*.csv"):
            for row in csv.reader(path.read_bytes().decode("utf-8-sig").splitlines()):
                parts = [part.lstrip(' "')[:1] for cell in row for part in cell.split(";")[1:]]
                parts += [cell.lstrip()[:1] for cell in row]
                assert not set(parts) & set("=+-@＝＋－＠"), row
    who = {student for student, _ in graded["rows"]["quick"]}
    assert {"'=cmd|' C'!A0", "'@sum", "Müller"} <= who


FILES = {
    "armijo": ("not readable", "JSON"),
    "choose_rows": ("not readable", "Error"),
    "diagnose": ("not readable", "Recursion"),
    "hessian_step": ("not readable", "not a file"),
    "kronecker_product": ("not readable", "folder"),
    "leaked_rows": ("not readable", "cells"),
    "logistic_gradient": ("not readable", "nbformat 99"),
    "newton_step": ("right", ""),
    "polak_ribiere": ("not readable", "link"),
    "sign_rule": ("not readable", "20 MB"),
    "softmax_hessian": ("not readable", "JSON"),
    "strong_wolfe": ("not readable", "Error"),
    "two_loop": ("not readable", "Error"),
}


@boxed
@pytest.mark.parametrize("exercise", FILES)
def test_a_file_that_is_no_notebook_ends_in_a_verdict(graded, exercise):
    row = graded["rows"]["quick"]["files", exercise]
    assert (row["status"], bool(re.search(FILES[exercise][1], row["hint"]))) == (
        FILES[exercise][0],
        True,
    ), row


@boxed
def test_what_was_handed_in_is_found(graded):
    rows, said = graded["rows"]["quick"], graded["runs"]["quick"].stdout
    for student, exercise in (
        ("nested", "newton_step"),
        ("bellanna", "newton_step"),
        ("bellanna", "sign_rule"),
        ("Ann Ash", "newton_step"),
        ("Müller", "newton_step"),
        ("'@sum", "newton_step"),
    ):
        assert rows[student, exercise]["status"] == "right", rows[student, exercise]
    assert "newton-step: took newton-step (1).ipynb, not newton-step.ipynb." in said
    assert "a stray file.txt: whose is it?" in said
    who = {student for student, _ in rows}
    assert not {"__MACOSX", ".ipynb_checkpoints"} & who
    assert rows["nested", "armijo"]["status"] == "not handed in"
    for linked in ("linked folder", "linked to itself"):
        assert rows[linked, "armijo"]["status"] == "not handed in"
    assert "is a link" in said
    whole = table(graded["results"]["quick"] / "students.csv", ["student"])
    assert whole["bellanna",]["note"].startswith("Late.")


@boxed
def test_names_that_look_alike_stay_apart(graded):
    """In the tables, and as pages of feedback, though a name be that of another's page."""
    rows = graded["rows"]["quick"]
    alike = {
        "𝐀" * 62,
        "Anna",
        "Anna (2)",
        "anna (3)",
        "Zoé",
        "Zoé (2)",
        "no name",
        "a;'=1",
        "'＝1",
        "namesake's",
        NAMESAKE,
    }
    assert all(rows[name, "newton_step"]["status"] == "right" for name in alike)
    pages = list((graded["results"]["quick"] / "feedback").iterdir())
    assert len(pages) == len({student for student, _ in rows})


@boxed
def test_a_zip_and_a_changed_ending_are_noticed(graded):
    rows, notes = (
        graded["rows"]["quick"],
        table(graded["results"]["quick"] / "students.csv", ["student"]),
    )
    assert "armijo.py is no notebook. work.zip was not unpacked." == notes["smith",]["note"]
    assert rows["renamed", "newton_step"]["status"] == "right"
    assert rows["bytes", "newton_step"]["status"] == rows["bytes", "sign_rule"]["status"] == "right"


@boxed
def test_the_grader_says_what_the_check_says_at_home(graded):
    rows = graded["rows"]["quick"]
    assert "changes its argument 1" in rows["as at home", "summed_gradient"]["hint"]
    assert rows["as at home", "leave_saddle"]["status"] == "right"
    assert rows["as at home", "armijo"]["status"] == "wrong"
    assert "It refuses the step" in rows["as at home", "armijo"]["hint"]


def test_folders_within_folders_without_end_are_walked(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    handed_in = importlib.import_module("handed_in")
    (tmp_path / "class" / "deep").mkdir(parents=True)
    (tmp_path / "class" / "deep" / "armijo.ipynb").touch()
    script = "import os\nfor _ in range(2500):\n    os.mkdir('d')\n    os.chdir('d')"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path / "class" / "deep", check=True)
    try:
        (student,), strays = handed_in.find(tmp_path / "class", {"armijo"})
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "class"], check=True)
    assert student.files["armijo"].name == "armijo.ipynb" and not strays
    assert student.notes == ["A folder could not be read: File name too long."]


def found_in(tmp_path, monkeypatch, names):
    """The students of a download that holds these files."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return importlib.import_module("handed_in").find(tmp_path, {"armijo"})


@pytest.mark.parametrize(
    "name, student, late",
    [
        ("bellanna_11_22_armijo-1.ipynb", ("bellanna", "11"), False),
        (
            "smith_jo_LATE_12_34_armijo.ipynb",
            ("smith_jo", "12"),
            True,
        ),  # Canvas keeps a name's own _
        ("anon_AbC12_456_armijo.ipynb", ("anon_AbC12", ""), False),
        ("LATE_anon_AbC12_456_armijo.ipynb", ("anon_AbC12", ""), True),
        ("Anna Bell_123_assignsubmission_file_armijo.ipynb", ("Anna Bell", "123"), False),
        ("Anna Bell_123_assignsubmission_file/armijo.ipynb", ("Anna Bell", "123"), False),
        # what a student calls a file, to look like number 99 of the class
        ("bellanna_11_22_x_99_assignsubmission_file_armijo.ipynb", ("bellanna", "11"), False),
        ("bellanna_11_22_x_LATE_99_44_armijo.ipynb", ("bellanna", "11"), False),
        (
            "Anna_12_assignsubmission_file_x_99_assignsubmission_file_armijo.ipynb",
            ("Anna", "12"),
            False,
        ),
        ("Anna Bell_123_assignsubmission_file_x_99_6_armijo.ipynb", ("Anna Bell", "123"), False),
    ],
)
def test_a_downloads_files_are_whose_name_is_first(tmp_path, monkeypatch, name, student, late):
    (found,), strays = found_in(tmp_path, monkeypatch, [name])
    assert (found.name, found.id) == student and found.late is late and not strays
    assert found.files["armijo"] == tmp_path / name


def test_what_moodle_keeps_in_two_folders_is_one_students(tmp_path, monkeypatch):
    """And participants without names are told apart by their numbers."""
    where = "Participant_{}_assignsubmission_{}_/{}"
    names = [
        where.format(7, "file", "armijo.ipynb"),
        where.format(7, "onlinetext", "text.html"),
        where.format(8, "file", "armijo.ipynb"),
    ]
    found, _ = found_in(tmp_path, monkeypatch, names)
    assert [(s.name, s.id, len(s.files)) for s in found] == [
        ("Participant", "7", 1),
        ("Participant (8)", "8", 1),
    ]


def test_what_took_which_file_is_said_however_much_else_there_is(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    handed_in = importlib.import_module("handed_in")
    (tmp_path / "class" / "many").mkdir(parents=True)
    for name in ["armijo", "armijo (1)", *(f"other {i}" for i in range(50))]:
        (tmp_path / "class" / "many" / f"{name}.ipynb").touch()
    (student,), _ = handed_in.find(tmp_path / "class", {"armijo"})
    assert student.notes[0] == "armijo: took armijo (1).ipynb, not armijo.ipynb."
    assert student.notes[-1] == "And 42 more." and len(student.notes) == 10


def test_an_answer_asks_for_few_numbers_at_a_time(monkeypatch):
    """The check keeps what it was asked for: much of that would fill the grader's memory."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    evaluate = importlib.import_module("grade").Remote.evaluate
    assert evaluate(np.sum, [np.ones(100)]) == {"value": 100}
    assert "at once" in evaluate(np.sum, [np.ones(20_000)])["raised"]


def test_a_message_of_many_arrays_is_read_at_once(monkeypatch):
    """Nothing stops the grader while it reads: each array took a copy of all that was left."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    wire = importlib.import_module("wire")
    one = json.dumps({"dtype": "|b1", "shape": []})
    text = f'{{"value": [{", ".join([one] * 10_000)}]}}'.encode()
    data = bytes(wire.MAX_DATA)
    end = wire.Wire(None)
    end.read = Mock(side_effect=[wire.HEAD.pack(len(text), len(data)), text, data])
    start = time.process_time()
    assert end.receive() == {"value": [False] * 10_000}
    assert time.process_time() - start < 2  # it took 8


@boxed
def test_empty_files_count_as_memory(monkeypatch):
    """Three million of them, half a minute's, take three gigabytes of it."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    grade = importlib.import_module("grade")
    box = grade.Box()
    try:
        first = psutil.Process(box.process.pid).children()
        before = grade.Box.files(first)
        code = "import os\nfor i in range(999): os.symlink('x', f'/dev/shm/{i}')"
        cells = [{"cell_type": "code", "source": code}]
        wire = box.open(time.monotonic() + 30)
        notebook = json.dumps({"nbformat": 4, "cells": cells}).encode()
        wire.send({"name": "f", "setup": "", "notebook": np.frombuffer(notebook, np.uint8)})
        wire.receive()
        assert grade.Box.files(first) == before + 999
        monkeypatch.setattr(grade, "FILE", 2**23)
        box.next_look = 0
        with pytest.raises(MemoryError):
            box.watch()
        assert box.end(wire)
    finally:
        box.close()


@boxed
def test_a_busy_processor_is_given_time(monkeypatch):
    """And a quiet one is not: no load that has passed counts."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    grade = importlib.import_module("grade")
    # Four a processor, each in a session of its own: a kernel may share out between sessions.
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        for _ in range(4 * len(os.sched_getaffinity(0)))
    ]
    try:
        time.sleep(0.5)
        box = grade.Box(0)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    box.close()
    assert 2 < box.patience <= 10


@pytest.mark.parametrize(
    "bwrap, why",
    [
        ("", "the command bwrap is not found"),
        ("#!/bin/sh\necho No permissions to create new namespace >&2\nexit 1\n", "No permissions"),
    ],
)
def test_without_a_box_it_stops_unless_it_is_told_to_trust(students, tmp_path, bwrap, why):
    hand_in(students, tmp_path / "class" / "s", {CONTROL: RIGHT[CONTROL]})
    (tmp_path / "bin").mkdir()
    if bwrap:
        (tmp_path / "bin" / "bwrap").write_text(bwrap)
        (tmp_path / "bin" / "bwrap").chmod(0o755)
    where = {"env": {**os.environ, "PATH": str(tmp_path / "bin")}}
    refused = teach("grade", tmp_path / "class", tmp_path / "marks", **where)
    assert refused.returncode == 1 and why in refused.stderr and "--trusted" in refused.stderr
    assert not (tmp_path / "marks" / "exercises.csv").exists()
    trusted = teach("grade", tmp_path / "class", tmp_path / "marks", "--trusted", **where)
    assert trusted.returncode == 0 and "there is no box" in trusted.stdout, trusted
    rows = table(tmp_path / "marks" / "exercises.csv")
    assert rows["s", "newton_step"]["status"] == "right"


@boxed
def test_results_among_the_submissions_are_refused(students, tmp_path):
    hand_in(students, tmp_path / "s", {CONTROL: RIGHT[CONTROL]})
    assert "lies within" in teach("grade", tmp_path, tmp_path / "marks").stderr
    assert os.listdir(tmp_path) == ["s"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_a_second_run_in_the_same_folder_is_refused(tmp_path):
    import fcntl

    (tmp_path / "class" / "s").mkdir(parents=True)
    (tmp_path / "marks").mkdir()
    with (tmp_path / "marks" / "run.jsonl").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = teach("grade", tmp_path / "class", tmp_path / "marks")
    assert done.returncode == 1 and done.stderr.endswith("marks: another run is at work in it\n")


@boxed
def test_a_full_disk_costs_no_row(tmp_path):
    """A bound on a file's size stands for it: it cuts a row in two."""
    import resource

    (tmp_path / "class" / "s").mkdir(parents=True)

    def bound():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))

    grade = "grade", tmp_path / "class", tmp_path / "marks"
    full = teach(*grade, preexec_fn=bound)
    assert full.stderr == "[Errno 27] File too large. The same command goes on from here.\n"
    assert teach(*grade).returncode == 0
    assert len(table(tmp_path / "marks" / "exercises.csv")) == len(SOURCES) + len(OPEN)


def test_a_file_of_changes_that_is_none_is_said_to_be_none(tmp_path):
    (tmp_path / "class" / "s").mkdir(parents=True)
    (tmp_path / "changes.csv").write_text("student,exercise\n" + "s" * 200_000)
    changes = "--changes", tmp_path / "changes.csv"
    done = teach("grade", tmp_path / "class", tmp_path / "marks", *changes)
    assert done.stderr.endswith("changes.csv: field larger than field limit (131072)\n")


@boxed
def test_a_student_without_a_box_costs_nobody_else_a_mark(students, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    grade, teach_ = (importlib.import_module(name) for name in ("grade", "teach"))
    for name in ("a", "b", "c"):
        hand_in(students, tmp_path / "class" / name, {CONTROL: RIGHT[CONTROL]})
    chosen = SimpleNamespace(
        submissions=tmp_path / "class",
        results=tmp_path / "marks",
        again=False,
        changes=None,
        trusted=False,
        jobs=1,
        format="plain",
        seed=1,
        seconds=30,
    )
    box, made = grade.Box, []

    def sometimes(*args, **more):
        made.append(args)
        if len(made) == 3:  # the first looks whether there is any
            raise grade.NoBox("no memory")
        return box(*args, **more)

    monkeypatch.setattr(grade, "Box", sometimes)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit, match="1 of 3 are not marked"):
        teach_.grade_class(chosen)
    assert "b: not marked, for want of a box. no memory" in capsys.readouterr().out
    monkeypatch.setattr(grade, "Box", box)
    teach_.grade_class(chosen)
    rows = table(tmp_path / "marks" / "exercises.csv")
    assert {rows[name, "newton_step"]["status"] for name in ("a", "b", "c")} == {"right"}
    assert capsys.readouterr().out.count("as before") == 2


@boxed
@pytest.mark.parametrize(
    "student, status",
    [
        ("untouched", "not touched"),
        ("nothing", "not handed in"),
        ("'=cmd|' C'!A0", "not touched"),
        ("edited", "wrong"),
    ],
)
def test_what_is_no_answer_earns_nothing(graded, student, status):
    mine = [row for (who, _), row in graded["rows"]["quick"].items() if who == student]
    assert len(mine) == len(SOURCES) + len(OPEN) and not any(float(row["points"]) for row in mine)
    page = next(row for row in mine if row["exercise"] == "newton_step")
    assert page["status"] == status
    if student == "untouched":
        assert {row["hint"] for row in mine if row["exercise"] in NAMES} == {
            "Not yet: it returns nothing."
        }


@boxed
def test_a_notebook_may_do_what_notebooks_do(graded):
    row = graded["rows"]["quick"]["friendly", NAMES[0]]
    assert row["status"] == "right", row

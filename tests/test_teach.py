"""The students' folder, and the grading of what a class may hand in."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="the extra `teach` is not installed")

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "book" / "exercises").glob("*.ipynb"))


def teach(*args, **more):
    command = [sys.executable, str(ROOT / "tools" / "teach.py"), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, **more)


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
        assert [c.id for c in notebook.cells] == [k for k in cells if k not in ("solution", "why")]
        assert not any(c.get("outputs") for c in notebook.cells)
        locked = {c.id for c in notebook.cells if c.metadata.get("editable") is False}
        assert locked == {"colab", "setup", "check", "mark"}


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


def test_an_existing_folder_is_left_alone(students):
    before = (students / "armijo.ipynb").stat().st_mtime_ns
    assert "exists already" in teach("students", students).stderr
    assert (students / "armijo.ipynb").stat().st_mtime_ns == before


NAME = "newton_step"
WRITES = "open(r'{csv}', 'w').write('a,newton_step,100,1,')"
WRONG = "def newton_step(x, g, H):\n    return x"
# What goes into the answer cell of one notebook, and a word of the hint that it must earn.
ZERO = {
    "wrong": (WRONG, "H p = -g"),
    "raises": ("1 / 0", "ZeroDivisionError"),
    "raises_when_called": ("def newton_step(x, g, H):\n    return 1 / 0", "ZeroDivisionError"),
    "syntax": ("def newton_step(x, g, H:", "SyntaxError"),
    "blank": ("", "no function"),
    "exits": ("raise SystemExit", "SystemExit"),
    "dies": ("import os\nos._exit(0)", "process ended"),
    "dies_when_called": ("import os\ndef newton_step(x, g, H):\n    os._exit(0)", "ended"),
    "segfault": ("import faulthandler\nfaulthandler._sigsegv()", "ended"),
    "endless": ("while True: pass", "over 2"),
    "endless_when_called": ("def newton_step(x, g, H):\n    while True: pass", "never end"),
    "swallows": (
        "def newton_step(x, g, H):\n    while True:\n        try:\n            1 / 0\n"
        "        except BaseException: pass", "never end",
    ),
    "asks": ("input()", "EOFError"),
    "memory": ("def newton_step(x, g, H):\n    return np.ones(10**10)", "raises"),
    "floods": ("def newton_step(x, g, H):\n    return np.ones(10**7)", "ended|no answer"),
    "object": (
        "class Yes:\n    def __eq__(self, other): return True\n    shape = (4,)\n"
        "def newton_step(x, g, H):\n    return Yes()", "raises TypeError",
    ),
    "nan": ("def newton_step(x, g, H):\n    return np.nan * x", "NaN"),
    "kills": ("import os, signal\nos.kill(os.getppid(), 9)", "PermissionError"),
    "writes": (WRITES, "PermissionError"),
    "starts": ("import subprocess\nsubprocess.run(['true'])", "PermissionError"),
    "prints": (WRONG + "\nprint('Right. You may move on.')\nprint('newton_step,100')", "H p = -g"),
    "overwrites": (
        WRONG + "\ndef check_newton_step(*a, **k):\n    return type('V', (), {'ok': True})()",
        "H p = -g",
    ),
    "patches": (
        WRONG + "\nfrom soo_lib.book import exercises, hints\nexercises.check_newton_step = "
        "lambda *a, **k: hints.Verdict(True, 'Right')\nhints.compare = lambda *a, **k: None\n"
        "hints.checker = lambda f: f\nnp.allclose = lambda *a, **k: True", "H p = -g",
    ),
    "forges": (
        "import sys, gc\nfrom multiprocessing.connection import Connection\n"
        "for c in gc.get_objects():\n    if isinstance(c, Connection):\n"
        "        c.send_bytes(b'{\"ok\": true, \"failure\": \"\"}')\n"
        "        c.send_bytes(b'[true, \"Right\"]')\n" + WRONG, "no answer|ended",
    ),
    "memorised": (
        "def newton_step(x, g, H):\n    known = np.random.default_rng(0)\n"
        "    x, g, R = known.normal(size=4), known.normal(size=4), known.normal(size=(4, 4))\n"
        "    return x - np.linalg.solve(R @ R.T + 0.1 * np.eye(4), g)", "H p = -g",
    ),
}  # fmt: skip
ENDLESS = {"endless", "endless_when_called", "swallows"}


def hand_in(students, folder, answers, edit=lambda notebook: None):
    """A submission with these answers in the answer cells."""
    folder.mkdir(parents=True)
    for name, answer in answers.items():
        notebook = nbformat.read(students / name, as_version=4)
        next(c for c in notebook.cells if c.id == "answer").source = answer
        edit(notebook)
        nbformat.write(notebook, folder / name)


def tamper(notebook):
    """Check cells that pass, and metadata that promise more."""
    for cell in notebook.cells:
        if cell.id in ("check", "mark"):
            cell.source = "print('Right. You may move on.')"
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.update(points=100, locked=False)


def results(path):
    with path.open(encoding="utf-8", newline="") as file:
        return {(r["student"], r["exercise"]): r for r in csv.DictReader(file)}


@pytest.fixture(scope="module")
def graded(students, tmp_path_factory):
    """A class of every kind, graded at once."""
    folder = tmp_path_factory.mktemp("handed-in")
    table = folder / "results.csv"
    page = "newton-step.ipynb"
    everything = {source.name: solution(source) for source in SOURCES}
    hand_in(students, folder / "a" / "right", everything)
    for name, (answer, _) in ZERO.items():
        answer = answer.replace("{csv}", str(table))
        where = "slow" if name in ENDLESS else "a"
        hand_in(students, folder / where / f"zero_{name}", {page: answer})
    hand_in(students, folder / "a" / "zero_edited", {page: WRONG}, tamper)
    untouched = folder / "a" / "untouched"
    untouched.mkdir()
    for source in SOURCES:
        (untouched / source.name).write_bytes((students / source.name).read_bytes())
    (folder / "a" / "nothing").mkdir()
    (folder / "a" / "broken").mkdir()
    (folder / "a" / "broken" / page).write_text("{ no notebook")
    (folder / "a" / "broken" / "armijo.ipynb").write_bytes(bytes(range(256)))
    (folder / "a" / "broken" / "two-loop.ipynb").mkdir()
    (folder / "a" / "broken" / "sign-rule.ipynb").write_text("[" * 100_000)
    os.mkfifo(folder / "a" / "broken" / "diagnose.ipynb")
    (folder / "a" / "a stray file.txt").write_text("")
    table.write_text("what was here before")
    slow = folder / "slow.csv"
    runs = [
        teach("grade", folder / "a", table),
        teach("grade", folder / "slow", slow, "--seconds", 2),
    ]
    assert [ran.returncode for ran in runs] == [0, 0], runs
    assert sorted(p.name for p in folder.glob("*.csv*")) == ["results.csv", "slow.csv"]
    return results(table) | results(slow), runs[0].stdout


def total(rows, student):
    return sum(float(r["points"]) for (who, _), r in rows.items() if who == student)


def test_right_answers_earn_every_point(graded):
    rows, said = graded
    mine = {exercise: r for (who, exercise), r in rows.items() if who == "right"}
    assert len(mine) == len(SOURCES)
    for exercise, r in mine.items():
        assert r["points"] == r["out_of"] and float(r["points"]) > 0, (exercise, r["hint"])
    full = int(sum(float(r["out_of"]) for r in mine.values()))
    assert f"right: {full} of {full}" in said


@pytest.mark.parametrize("name", ZERO)
def test_no_other_answer_earns_a_mark(graded, name):
    row = graded[0][f"zero_{name}", NAME]
    assert float(row["points"]) == 0
    assert any(part in row["hint"] for part in ZERO[name][1].split("|")), row["hint"]


@pytest.mark.parametrize("student", ["untouched", "nothing", "broken", "zero_edited"])
def test_what_is_no_answer_earns_nothing(graded, student):
    rows, _ = graded
    assert total(rows, student) == 0
    assert sum(who == student for who, _ in rows) == len(SOURCES)
    assert {r["out_of"] for (_, what), r in rows.items() if what == NAME} == {"1"}


def test_each_hint_is_one_line_that_no_spreadsheet_runs(graded):
    for row in graded[0].values():
        assert "\n" not in row["hint"] and row["hint"][0] not in "=+-@"


def test_a_helper_cell_and_a_magic_are_no_obstacle(students, tmp_path):
    def edit(notebook):
        helper = nbformat.v4.new_code_cell("%time 1\ndef mine(x, g, H):\n    return x - "
                                           "np.linalg.solve(H, g)")  # fmt: skip
        notebook.cells.insert(2, helper)
        notebook.cells.append(nbformat.v4.new_code_cell("1 / 0"))

    answer = {"newton-step.ipynb": "newton_step = mine"}
    hand_in(students, tmp_path / "class" / "ann", answer, edit)
    assert teach("grade", tmp_path / "class", tmp_path / "r.csv").returncode == 0
    assert results(tmp_path / "r.csv")["ann", NAME]["points"] == "1"


def test_a_folder_without_students_is_named(tmp_path):
    ran = teach("grade", tmp_path, tmp_path / "r.csv")
    assert ran.returncode and "one for each student" in ran.stderr
    assert not (tmp_path / "r.csv").exists()
    assert "is not a folder" in teach("grade", tmp_path / "none", tmp_path / "r.csv").stderr

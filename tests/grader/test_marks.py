"""Finding what was handed in, and the tables that a teacher hands back; nothing runs."""

import csv
import importlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tools():
    """Two modules of tools/, which is no package."""
    sys.path.insert(0, str(ROOT / "tools"))
    yield SimpleNamespace(**{n: importlib.import_module(n) for n in ("marks", "handed_in")})
    sys.path.remove(str(ROOT / "tools"))


EXERCISES = [
    SimpleNamespace(name="armijo", points=2, title="Armijo"),
    SimpleNamespace(name="two_loop", points=3, title="Loops"),
]


def row(student, exercise, points, out_of, status="right", hint="Right."):
    return {
        "student": student,
        "exercise": exercise,
        "points": points,
        "out_of": out_of,
        "status": status,
        "hint": hint,
        "source": "x < 1",
        "file": "f.ipynb",
        "key": "k",
    }


def read(path):
    text = path.read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(text.decode("utf-8-sig").splitlines()))


@pytest.fixture
def run(tools, tmp_path):
    run = tools.marks.Run(tmp_path / "results")
    run.add([row("=ann", "armijo", 2, 2), row("=ann", "two_loop", 0, 3, "wrong", "<b>=1+1")])
    run.add([row("Bö", "armijo", 1, 2, "too slow", "@x"), row("Bö", "two_loop", 3, 3)])
    return run


def people(tools):
    return [tools.handed_in.Student("=ann", "7"), tools.handed_in.Student("Bö", "8", late=True)]


def test_a_run_goes_on_where_it_was(tools, run):
    with run.path.open("a") as file:
        file.write('{"student": "half a li')
    again = tools.marks.Run(run.folder)
    assert again.rows == run.rows and again.has("Bö", "armijo", "k")
    assert not again.has("Bö", "armijo", "another file") and not again.has("Cy", "armijo", "k")
    again.add([row("Cy", "armijo", 2, 2)])
    assert tools.marks.Run(run.folder).has("Cy", "armijo", "k")
    assert not tools.marks.Run(run.folder, again=True).rows


@pytest.mark.parametrize("layout", ["plain", "canvas", "moodle"])
def test_the_tables(tools, run, layout):
    run.write(people(tools), EXERCISES, {}, layout, "Exercises")
    long, wide, book = (
        read(run.folder / name) for name in ("exercises.csv", "students.csv", "gradebook.csv")
    )
    assert long[0][2] == "status" and [line[2] for line in long[3:]] == ["too slow", "right"]
    assert wide[1] == ["'=ann", "2", "0", "2", "5", "1 right, 1 wrong", ""]
    assert wide[2] == ["Bö", "1", "3", "4", "5", "1 right, 1 too slow", "Late."]
    assert not any(
        cell[:1] in tuple("=+-@")
        for table in (long, wide, book)
        for line in table
        for cell in line
        if cell
    )
    if layout == "moodle":  # its import wants these columns; by the time it knows what is newer
        columns = "Identifier", "Grade", "Last modified (grade)"
        assert set(columns) <= set(book[0])
        when = {line.pop(book[0].index(columns[2])) for line in book[1:]}
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", time) for time in when)
    assert (
        book[1:]
        == {
            "plain": [["'=ann", "2", "5"], ["Bö", "4", "5"]],
            "canvas": [
                ["    Points Possible", "", "", "", "", "5"],
                ["'=ann", "7", "", "", "", "2"],
                ["Bö", "8", "", "", "", "4"],
            ],
            "moodle": [
                ["Participant 7", "'=ann", "2", "5", "Exercises: see your page of feedback."],
                ["Participant 8", "Bö", "4", "5", "Exercises: see your page of feedback."],
            ],
        }[layout]
    )


def test_a_page_of_feedback_shows_the_hint_beside_the_answer_and_runs_nothing(tools, run):
    run.write(people(tools), EXERCISES, {}, "plain", "Exercises")
    pages = sorted((run.folder / "feedback").iterdir())
    assert len(pages) == 2
    text = next(page for page in pages if "Bö" not in page.name).read_text(encoding="utf-8")
    assert "&lt;b&gt;=1+1" in text and "<pre>x &lt; 1</pre>" in text and "2 of 5" in text


def test_changes_are_merged(tools, run, tmp_path):
    changes = tmp_path / "changes.csv"
    changes.write_text(
        "student,exercise,points,late,note\nBö,armijo,2,,orally\nBö,,,50%,late\n",
        encoding="utf-8-sig",
    )
    merged = tools.marks.read_changes(changes, people(tools), EXERCISES)
    run.write(people(tools), EXERCISES, merged, "plain", "Exercises")
    lines = read(run.folder / "exercises.csv")
    assert [line[3] for line in lines[3:]] == ["1", "1.5"] and lines[3][-1] == "orally late"
    assert run.rows["Bö", "armijo"]["points"] == 1  # what the check gave is kept


@pytest.mark.parametrize(
    "line, says",
    [
        ("Cy,armijo,1,,", "no student"),
        ("Bö,newton,1,,", "no exercise"),
        ("Bö,armijo,9,,", "from 0 to 2"),
        ("Bö,armijo,x,,", "numbers"),
        ("Bö,armijo,,120,", "per cent"),
        ("Bö,,1,,", "with an exercise"),
    ],
)
def test_a_change_that_cannot_be_is_named(tools, tmp_path, line, says):
    changes = tmp_path / "changes.csv"
    changes.write_text(f"student,exercise,points,late,note\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=f"line 2.*{says}"):
        tools.marks.read_changes(changes, people(tools), EXERCISES)


@pytest.mark.parametrize(
    "text, says",
    [
        ("Bö,armijo,1,,\n", "first line should be student,"),
        ("", "first line should be student,"),
        ("student;exercise;points\nBö;armijo;1\n", "first line should be student,"),
        (
            "student,exercise,points\nBö,two_loop,1\nBö,two-loop,0\n",
            "3: Bö has a line for two_loop",
        ),
        ("student,exercise,late\nBö,,20\nBö,,50\n", "3: Bö has a line for all"),
    ],
)
def test_a_file_of_changes_that_contradicts_itself_is_refused(tools, tmp_path, text, says):
    changes = tmp_path / "changes.csv"
    changes.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        tools.marks.read_changes(changes, people(tools), EXERCISES)


def test_a_flat_download_is_sorted_out(tools, tmp_path):
    for name in (
        "bellanna_LATE_11_22_armijo-1.ipynb",
        "bellanna_LATE_11_23_two_loop.ipynb",
        "ashann_12_24_armijo (2).ipynb",
        "notes.txt",
    ):
        (tmp_path / name).write_text("")
    for name in ("Cy Orr_77_assignsubmission_file_", "__MACOSX", ".git", "deep/a/b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "deep/a/b/Two Loop final.ipynb").write_text("")
    students, strays = tools.handed_in.find(tmp_path, {"armijo", "two-loop"})
    assert [(s.name, s.id, s.late, sorted(s.files)) for s in students] == [
        ("Cy Orr", "77", False, []),
        ("ashann", "12", False, ["armijo"]),
        ("bellanna", "11", True, ["armijo", "two-loop"]),
        ("deep", "", False, ["two-loop"]),
    ]
    assert strays == ["notes.txt"]

"""Write what a teacher hands back: tables for spreadsheets, and a page of feedback per student."""

import csv
import functools
import hashlib
import html
import json
import os
import re
import time
from collections import Counter
from contextlib import suppress

STATUSES = (
    "right",
    "wrong",
    "not touched",
    "crashed",
    "too slow",
    "not handed in",
    "not readable",
    "to read",
    "read",
)
COLUMNS = ("student", "exercise", "status", "points", "out_of", "hint", "file", "note")
FORMULA = "=+@＝＋－＠-"  # to a spreadsheet a cell that begins with one of these is a formula
CHANGES = ("student", "exercise", "points", "late", "note")
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 1px solid #999; padding: .5rem 0; }
h2 { font-size: 1.1rem; margin: .5rem 0; }
pre { background: #f3f3f3; padding: .75rem; white-space: pre-wrap; font-size: .85rem; }
.right { color: #0a6b2f; } .other { color: #9a3412; }
"""


def hold(path):
    """Open ``path`` so that, where the system has locks, no other run can hold it meanwhile."""
    file = path.open("a")
    with suppress(ImportError, OSError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError("another run is at work in it") from None
    return file


class Run:
    """The rows of a run, in ``folder``: each student's are on disk before the next one's.

    A row's ``key`` stands for the problems and for the bytes that were handed in. A row that is
    there already under the same key is not made again.
    """

    def __init__(self, folder, again=False):
        self.folder, self.rows, self.pages = folder, {}, {}
        (folder / "feedback").mkdir(parents=True, exist_ok=True)
        self.path = folder / "run.jsonl"
        self.path.touch()
        data = b"" if again else self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]  # a last line may be half a line
        os.truncate(self.path, len(whole))
        for line in whole.decode().splitlines():
            row = json.loads(line)
            self.rows[row["student"], row["exercise"]] = row

    def has(self, student, exercise, key):
        return self.rows.get((student, exercise), {}).get("key") == key

    def marked(self, student, exercises):
        return all((student, exercise.name) in self.rows for exercise in exercises)

    def add(self, rows):
        with self.path.open("a", encoding="utf-8") as file:
            for row in rows:
                self.rows[row["student"], row["exercise"]] = row
                file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def write(self, students, exercises, changes, layout, title):
        """Write the tables and pages, with the teacher's changes merged in."""
        table, wide, graded = [], [], []
        names = [exercise.name for exercise in exercises]
        for student in students:
            if not self.marked(student.name, exercises):
                continue
            rows = [merge(self.rows[student.name, name], changes) for name in names]
            table += rows
            total = sum(row["points"] for row in rows)
            said = Counter(row["status"] for row in rows)
            status = ", ".join(f"{said[s]} {s}" for s in STATUSES if said[s])
            notes = " ".join(["Late."] * student.late + student.notes)
            graded.append((student, total))
            wide.append(
                [
                    student.name,
                    *(shown(row["points"]) for row in rows),
                    shown(total),
                    shown(sum(row["out_of"] for row in rows)),
                    status,
                    notes,
                ]
            )
            if self.pages.get(student.name) != rows:
                page = feedback(student.name, rows, total, exercises, title)
                replace(self.folder / "feedback" / f"{slug(student.name)}.html", page)
                self.pages[student.name] = rows
        write_csv(
            self.folder / "exercises.csv",
            [COLUMNS, *([shown(row[column]) for column in COLUMNS] for row in table)],
        )
        write_csv(
            self.folder / "students.csv",
            [["student", *names, "total", "out_of", "status", "note"], *wide],
        )
        best = sum(exercise.points for exercise in exercises)
        write_csv(self.folder / "gradebook.csv", gradebook(layout, graded, best, title))


def merge(row, changes):
    """Return a row with what the teacher decided: points given, a share off for being late."""
    row = {**row, "note": ""}
    for exercise in (row["exercise"], ""):
        change = changes.get((row["student"], exercise))
        if change is None:
            continue
        if change["points"] is not None:
            row["points"] = change["points"]
            if row["status"] == "to read":
                row["status"], row["hint"] = "read", ""
        row["points"] = round(row["points"] * (1 - change["late"] / 100), 3)
        row["note"] = " ".join(filter(None, [row["note"], change["note"]]))
    return row


def read_changes(path, students, exercises):
    """Read the changes in a CSV file with the columns student, exercise, points, late and note.

    An empty exercise means all of the student's; ``late`` is how many per cent are taken off.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(reader := csv.DictReader(file))
        head = set(reader.fieldnames or ())
    if not {"student", "exercise"} <= head:
        raise ValueError(f"its first line should be {','.join(CHANGES)}")
    names, best, changes = {s.name for s in students}, {e.name: e.points for e in exercises}, {}
    for number, row in enumerate(rows, 2):
        row = {key: (row.get(key) or "").strip() for key in CHANGES}
        who, what = row["student"], row["exercise"].replace("-", "_")
        try:
            points = float(row["points"]) if row["points"] else None
            late = float(row["late"].removesuffix("%") or 0)
        except ValueError:
            raise ValueError(f"line {number}: points and late must be numbers") from None
        if who not in names:
            raise ValueError(f"line {number}: there is no student {who!r}")
        if what and what not in best:
            raise ValueError(f"line {number}: there is no exercise {what!r}")
        if points is not None and not (what and 0 <= points <= best[what]):
            bound = f"from 0 to {best[what]:g}" if what else "with an exercise"
            raise ValueError(f"line {number}: points go {bound}")
        if not 0 <= late <= 100:
            raise ValueError(f"line {number}: late is in per cent, from 0 to 100")
        if (who, what) in changes:
            raise ValueError(f"line {number}: {who} has a line for {what or 'all'} already")
        changes[who, what] = {"points": points, "late": late, "note": row["note"]}
    return changes


def gradebook(layout, graded, best, title):
    """Return the table that Canvas's gradebook or Moodle's assignment imports, or a plain one."""
    if layout == "canvas":
        head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title]
        rows = [[s.name, s.id, "", "", "", shown(total)] for s, total in graded]
        return [head, ["    Points Possible", "", "", "", "", shown(best)], *rows]
    if layout == "moodle":
        # Moodle's import wants a time, so that it overwrites nothing that was graded there later.
        head = [
            "Identifier",
            "Full name",
            "Grade",
            "Maximum Grade",
            "Last modified (grade)",
            "Feedback comments",
        ]
        now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        said = f"{title}: see your page of feedback."
        whom = {s.name: f"Participant {s.id}" if s.id else "" for s, _ in graded}
        rows = [[whom[s.name], s.name, shown(t), shown(best), now, said] for s, t in graded]
        return [head, *rows]
    return [["student", "total", "out_of"], *([s.name, shown(t), shown(best)] for s, t in graded)]


def shown(value):
    return f"{value:g}" if isinstance(value, float | int) else value


@functools.lru_cache(10**5)  # the tables are written anew after each student
def harmless(cell):
    """Return a cell that no spreadsheet takes for a formula, nor any part of it behind a ;."""
    cell = "".join(c if c.isprintable() else " " for c in str(cell))
    return re.sub(rf"(^|;)(?=[\s\"']*[{FORMULA}])", r"\1'", cell)


def write_csv(path, rows):
    new = path.with_name(path.name + ".new")
    with new.open("w", newline="", encoding="utf-8-sig") as file:  # Excel looks for the mark
        csv.writer(file).writerows([harmless(cell) for cell in row] for row in rows)
    new.replace(path)


def replace(path, text):
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def slug(name):
    """Return a student's name as a file's name; two names that differ stay apart."""
    plain = re.sub(r"[^\w() -]", "_", name).encode()[:180].decode(errors="ignore")
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return plain if plain == name and not re.search("-[0-9a-f]{8}$", name) else f"{plain}-{mark}"


def feedback(name, rows, total, exercises, title):
    """Return a page for one student: each exercise with its mark, the hint and the answer."""
    best = sum(exercise.points for exercise in exercises)
    parts = []
    for row, exercise in zip(rows, exercises):
        kind = "right" if row["status"] == "right" else "other"
        repeats = row["hint"].lower().startswith(row["status"])
        hint = "" if repeats else row["hint"]
        parts.append(
            f"<section><h2>{html.escape(exercise.title)}</h2>"
            f'<p class="{kind}"><b>{shown(row["points"])} of {shown(row["out_of"])}</b>, '
            f"{row['status']}. {html.escape(hint)} {html.escape(row['note'])}</p>"
            + f"<pre>{html.escape(row['source'])}</pre>" * bool(row["source"])
            + "</section>"
        )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<title>{html.escape(title)}: {html.escape(name)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{html.escape(title)}</h1><p>{html.escape(name)}: "
        f"<b>{shown(total)} of {shown(best)}</b></p>{''.join(parts)}</body></html>\n"
    )

"""Find what a class handed in: folders of any depth, a flat download, names that a browser changed.

class/anna/armijo.ipynb                                     a folder for each student
class/Anna Bell_123_assignsubmission_file_/armijo.ipynb     Moodle's folders
class/bellanna_LATE_123_456_armijo-1.ipynb                  Canvas's download, all in one
"""

import os
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

LAYOUTS = [
    re.compile(layout)
    for layout in (
        r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)",  # Moodle
        r"(?P<name>.+?)(?P<late>_LATE)?_(?P<id>\d+)_\d+_(?P<file>.+)",  # Canvas
        r"(?P<late>LATE_)?(?P<name>anon_\w{5})(?P<id>)_\d+_(?P<file>.+)",  # Canvas, anonymous
    )
]
NOBODY = re.compile(r"\.|__MACOSX$")
FILE = re.compile(r"\.(zip|ipynb(\.(json|txt))?)$", re.IGNORECASE)  # a browser adds endings

MOST = 9  # notes for one student


@dataclass
class Student:
    name: str
    id: str = ""  # what Canvas or Moodle knows the student by
    late: bool = False
    files: dict = field(default_factory=dict)  # for each exercise the file that is taken
    notes: list = field(default_factory=list)


def find(folder, exercises):
    """Return the students of ``folder``, by name, and the files in it that are nobody's."""
    found, strays, names = {}, [], set()
    for entry in sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name)):
        if NOBODY.match(entry.name):
            continue
        readable = decode(entry.name)
        parts = whose(readable)
        key, notes = parts.group("name", "id") if parts else entry.name, []
        if entry.is_symlink() or entry.is_dir():  # is_dir fails for a link that leads to itself
            files = walk(entry, notes)
        elif parts:
            files = [see(entry, parts["file"])]
        else:
            strays.append(readable)
            continue
        if key not in found:
            name = parts["name"] if parts else readable
            number = parts["id"] if parts else ""
            found[key] = [Student(unique(name, number, names), number), []]
        student, all_files = found[key]
        student.late |= bool(parts and parts.groupdict().get("late"))
        all_files += files
        student.notes += notes
    for student, files in found.values():
        choose(student, files, exercises)
        if (more := len(student.notes) - MOST) > 0:
            student.notes[MOST:] = [f"And {more} more."]
    return sorted((student for student, _ in found.values()), key=lambda s: s.name), strays


def whose(name):
    """Split a name that Canvas or Moodle made into the student's and the rest, or return None.

    A student may call a file so that its name looks like another student's. Therefore the layout
    counts in which the student's name ends first.
    """
    found = [match for layout in LAYOUTS if (match := layout.fullmatch(name))]
    return min(found, key=lambda match: match.end("name"), default=None)


def see(entry, name):
    """Return a file's name, its path, and its time in steps of two seconds, as a zip keeps it."""
    return name, Path(entry.path), entry.stat(follow_symlinks=False).st_mtime // 2


def walk(entry, notes):
    """Return the files below a student's folder."""
    if entry.is_symlink():
        notes.append("The folder is a link, which is not followed.")
        return []
    files, places = [], [entry.path]
    while places:  # without recursion, as folders may lie in each other a thousand deep
        try:
            with os.scandir(places.pop()) as inside:
                for file in inside:
                    if NOBODY.match(file.name):
                        continue
                    if file.is_dir(follow_symlinks=False):
                        places.append(file.path)
                    if FILE.search(file.name):
                        files.append(see(file, decode(file.name)))
        except OSError as error:
            notes.append(f"A folder could not be read: {error.strerror}.")
    return files


def choose(student, files, exercises):
    """Choose for each exercise the newest file of its name; of equals the highest number."""
    candidates, aside = {}, []
    for name, path, time in sorted(files):
        words = "-" + re.sub(r"[\W_]+", "-", FILE.sub("", name).lower()) + "-"
        which = max((e for e in exercises if f"-{e}-" in words), key=len, default=None)
        if not (ending := FILE.search(name)):
            aside.append(f"{name} is no notebook.")
        elif ending[0].lower() == ".zip":
            aside.append(f"{name} was not unpacked.")
        elif which is None:
            aside.append(f"{name} is no exercise's.")
        else:
            number = max(map(int, re.findall(r"\d{1,9}", words)), default=0)
            candidates.setdefault(which, []).append((time, number, name, path))
    for which, several in candidates.items():
        *others, taken = sorted(several, key=lambda item: item[:3])
        student.files[which] = taken[-1]
        if others:
            left = [item[2] for item in others[-MOST:]]
            left = ", ".join(["..."] * (len(others) > MOST) + left)
            student.notes.append(f"{which}: took {taken[2]}, not {left}.")
    student.notes += aside


def decode(name):
    """Return a file's name as text, in one line and with its accents in one form.

    Names that are not UTF-8 come from older systems in Latin-1.
    """
    try:
        text = os.fsencode(name).decode()
    except UnicodeDecodeError:
        text = os.fsencode(name).decode("latin-1")
    text = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text))
    return " ".join(text.split())


def unique(name, given, taken):
    """Return ``name``, with a number behind it (``given``, if it can be) if another has it."""
    number, fresh = 1, name or "no name"
    if given and fresh.casefold() in taken:
        fresh = f"{name} ({given})"
    while fresh.casefold() in taken:
        number += 1
        fresh = f"{name or 'no name'} ({number})"
    taken.add(fresh.casefold())
    return fresh

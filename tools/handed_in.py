"""Find what a class handed in: folders of any depth, a flat download, names that a browser changed.

class/anna/armijo.ipynb                                     a folder for each student
class/Anna Bell_123_assignsubmission_file_/armijo.ipynb     Moodle's folders
class/bellanna_LATE_123_456_armijo-1.ipynb                  Canvas's download, all in one
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

CANVAS = re.compile(r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<id>\d+)_\d+_(?P<file>.+)")
MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_file_?(?P<file>.*)")
NOBODY = re.compile(r"\.|__MACOSX$")


@dataclass
class Student:
    name: str
    id: str = ""  # Canvas's or Moodle's
    late: bool = False
    files: dict = field(default_factory=dict)  # of each exercise, the file that is taken
    notes: list = field(default_factory=list)


def find(folder, exercises):
    """The students of ``folder``, by name, and what it holds that is nobody's."""
    found, strays, names = {}, [], set()
    for entry in sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name)):
        if NOBODY.match(entry.name):
            continue
        readable = decode(entry.name)
        parts = MOODLE.fullmatch(readable) or CANVAS.fullmatch(readable)
        if entry.is_dir() or entry.is_symlink():
            key, files = entry.name, walk(entry)
        elif parts and parts["file"].lower().endswith(".ipynb"):
            key, files = parts.group("name", "id"), [(parts["file"], Path(entry.path))]
        else:
            strays.append(readable)
            continue
        if key not in found:
            name = parts["name"] if parts else readable
            found[key] = [Student(unique(name, names), parts["id"] if parts else ""), []]
        student, all_files = found[key]
        student.late |= bool(parts and parts.groupdict().get("late"))
        all_files += files
        if entry.is_symlink():
            student.notes.append("The folder is a link, which is not followed.")
    for student, files in found.values():
        choose(student, files, exercises)
    return sorted((student for student, _ in found.values()), key=lambda s: s.name), strays


def walk(entry):
    """The notebooks below a student's folder, as pairs of a name and a path."""
    if entry.is_symlink():
        return []
    files = []
    for place, folders, names in os.walk(entry.path):
        folders[:] = [name for name in sorted(folders) if not NOBODY.match(name)]
        for name in [*names, *folders]:
            if name.lower().endswith((".ipynb", ".zip")) and not NOBODY.match(name):
                files.append((decode(name), Path(place, name)))
    return files


def choose(student, files, exercises):
    """For each exercise the newest file that bears its name; of equals the highest number."""
    candidates = {}
    for name, path in files:
        words = "-" + re.sub(r"[\W_]+", "-", name.lower().removesuffix(".ipynb")) + "-"
        which = max((e for e in exercises if f"-{e}-" in words), key=len, default=None)
        if name.lower().endswith(".zip"):
            student.notes.append(f"{name} was not unpacked.")
        elif which is None:
            student.notes.append(f"{name} is no exercise's.")
        else:
            number = max(map(int, re.findall(r"\d{1,9}", words)), default=0)
            # A zip keeps times to two seconds.
            candidates.setdefault(which, []).append(
                (path.lstat().st_mtime // 2, number, name, path)
            )
    for which, several in candidates.items():
        *others, taken = sorted(several, key=lambda item: item[:3])
        student.files[which] = taken[-1]
        if others:
            left = ", ".join(item[2] for item in others)
            student.notes.append(f"{which}: took {taken[2]}, not {left}.")


def decode(name):
    """A file's name as text; names that are not UTF-8 come from older systems in Latin-1."""
    try:
        text = os.fsencode(name).decode()
    except UnicodeDecodeError:
        text = os.fsencode(name).decode("latin-1")
    return "".join(c if c.isprintable() else " " for c in text)


def unique(name, taken):
    """``name``, with a number behind it if another student has it."""
    number, fresh = 1, name
    while fresh.casefold() in taken:
        number += 1
        fresh = f"{name} ({number})"
    taken.add(fresh.casefold())
    return fresh

"""Mark what one student handed in: the notebooks run in a box, the checks stay outside.

The box is bubblewrap's (https://github.com/containers/bubblewrap): no network, a read-only system
with nothing of the class in it, an empty home and /tmp, and process numbers of its own. box.py is
what runs in there.
"""

import itertools
import os
import random
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from wire import Garbled, Wire

import soo_lib
from soo_lib.book import exercises, hints

TOOLS = Path(__file__).resolve().parent
MAX_BYTES = 20_000_000  # in a notebook
MAX_MEMORY = 4 * 2**30  # bytes for all processes of a box together
# Numbers that an answer may ask a function outside with, and return beyond those it was given
MAX_NUMBERS = 10_000
ROOMS = ("/tmp", "/home", "/dev/shm")
ROOM = str(2**28)  # bytes of each
FILE = 2**10  # bytes of memory that a file takes, be it empty
START = 60  # seconds that a box may take to start; they are not the student's
LIBRARIES = {  # slow to load: a box that will need them loads them once
    b"matplotlib": "matplotlib.pyplot",
    b"sklearn": "sklearn.linear_model",
    b"pandas": "pandas",
    b"scipy": "scipy.special",
    b"soo_lib.solvers": "soo_lib.solvers",
}
SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
)


class NoBox(RuntimeError):
    """There can be no box here."""


class Mark(NamedTuple):
    """What one exercise earned: ``share`` of its points."""

    status: str
    share: float
    hint: str
    source: str = ""
    sentence: str = ""  # an open exercise has one, which a teacher reads


def command(slot, trusted, libraries):
    """Return the command that starts a box on its job's own processor.

    Where root grades, each box has a user of its own.
    """
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    # Each box gets a new user: what still ends in the box before counts as the old one's processes.
    user = random.randrange(10**9, 2**32 - 1) if root and not trusted else 0
    inner = [str(user), str(processors[slot % len(processors)]), *libraries]
    if trusted:
        return [sys.executable, str(TOOLS / "box.py"), *inner]
    python = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent}
    room = lambda path: ["--perms", "1777", "--size", ROOM, "--tmpfs", path]  # noqa: E731
    if not (bwrap := shutil.which("bwrap")):
        raise NoBox("the command bwrap is not found")
    parts = [bwrap, "--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "box"]
    parts += [f"--unshare-{what}" for what in ("pid", "net", "ipc", "uts", "cgroup-try")]
    if root:
        parts += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        parts += ["--unshare-user"]
    for path in ("/etc", "/course"):
        parts += ["--dir", path]  # where a user who is not root may pass through
    for path in SYSTEM:
        parts += ["--ro-bind-try", path, path]
    parts += [*room("/tmp"), *room("/home"), "--proc", "/proc", "--dev", "/dev"]
    # Mapped and shared, /dev/zero would be memory that nobody counts.
    parts += ["--ro-bind", os.devnull, "/dev/zero"]
    parts += [*room("/dev/shm"), "--remount-ro", "/dev"]
    for path in sorted(map(str, python)):
        if not path.startswith("/usr"):
            for parent in reversed(Path(path).parents[:-1]):
                parts += ["--dir", str(parent)]
            parts += ["--ro-bind", path, path]
    for path in (TOOLS / "box.py", TOOLS / "wire.py", Path(soo_lib.__file__).parent):
        parts += ["--ro-bind", str(path), f"/course/{path.name}"]
    return [
        *parts,
        "--remount-ro",
        "/",
        "--chdir",
        "/home",
        sys.executable,
        "-B",
        "/course/box.py",
        *inner,
    ]


class Box:
    """A running box, one for each student: an exercise finds it as the last one left it.

    It loads the ``libraries`` before any notebook of the student's is run.
    """

    def __init__(self, slot=0, trusted=False, libraries=()):
        library = str(Path(soo_lib.__file__).parents[1]) if trusted else "/course"
        self.home = tempfile.mkdtemp() if trusted else None
        environment = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
            "PYTHONPATH": library,
            "HOME": self.home or "/home",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "MPLBACKEND": "agg",
            "MPL_IGNORE_SYSTEM_FONTS": "1",
            "LOKY_MAX_CPU_COUNT": "2",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PIP_RETRIES": "0",
        }
        begun = time.monotonic()
        self.control, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                command(slot, trusted, libraries),
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=self.home,
                start_new_session=True,
            )
        if not self.ready(START):
            self.process.kill()
            said = self.process.stderr.read().decode(errors="replace")
            self.close()
            raise NoBox(said.strip()[-500:])
        self.patience = min(10, max(1, (time.monotonic() - begun) / (1.5 * self.work())))

    def work(self):
        """Return the seconds that its processes have computed; the rest of its start it waited."""
        first = psutil.Process(self.process.pid)
        every = [first, *first.children(recursive=True)]
        return sum(sum(process.cpu_times()[:2]) for process in every)

    def ready(self, seconds):
        self.control.settimeout(seconds)
        try:
            return self.control.recv(1) == b"."
        except OSError:
            return False

    def open(self, deadline):
        """Return a wire to a process that is new in the box."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [b"."], [theirs.fileno()])
        return Wire(ours, deadline, self.watch)

    def end(self, wire):
        """End every process of the exercise, and say whether the box can go on."""
        wire.sock.close()
        try:
            self.control.send(b".")
        except OSError:
            return False
        return self.ready(5)

    def watch(self):
        """Look at what the box's processes take together, since limits bound each by itself."""
        now = time.monotonic()
        if now < getattr(self, "next_look", 0):
            return
        inside = psutil.Process(self.process.pid).children(recursive=True)
        self.next_look, total = now + 0.2, 0 if self.home else FILE * self.files(inside[:1])
        for process in inside:
            try:
                total += process.memory_info().rss
            except psutil.Error:  # it has just ended
                continue
        if total > MAX_MEMORY:
            raise MemoryError

    @staticmethod
    def files(first):
        """Count the files in the rooms that the box's first process sees."""
        places = [f"/proc/{process.pid}/root{room}" for process in first for room in ROOMS]
        try:
            return sum(room.f_files - room.f_ffree for room in map(os.statvfs, places))
        except OSError:  # it has just ended
            return 0

    def close(self):
        self.process.kill()  # whatever runs in the box ends with it
        self.process.wait()
        self.process.stderr.close()
        self.control.close()
        if self.home:
            shutil.rmtree(self.home, ignore_errors=True)


class Remote:
    """The answer's function, called through the wire."""

    remote = True

    def __init__(self, wire, seconds):
        self.wire, self.seconds, self.status = wire, seconds, "wrong"

    def stop(self, status, hint):
        self.status = status
        raise hints.Hint(hint)

    def __call__(self, *args):
        plain = [None if callable(arg) else arg for arg in args]
        which, hint = [i for i, arg in enumerate(args) if callable(arg)], None
        try:
            self.wire.send({"call": plain, "functions": which})
            while "evaluate" in (reply := self.wire.receive()):
                found = self.evaluate(args[reply["evaluate"]], reply["args"])
                hint = found.pop("hint", hint)  # the call ends in the box before it is told
                self.wire.send(found)
            for i, arg in enumerate(args):
                if i not in reply["changed"]:
                    continue
                if isinstance(arg, list):
                    arg.clear()
                else:
                    arg[...] = ~arg if arg.dtype == bool else arg + 1
            value = None if "raised" in reply else reply["value"]
            many = np.size(value)
        except TimeoutError:
            self.stop("too slow", hints.TOO_SLOW.format(self.seconds))
        except MemoryError:
            self.stop("crashed", "It takes more memory than there is for an answer.")
        except (EOFError, OSError):
            self.stop("crashed", "The notebook's process ended.")
        except Exception:  # the wire carries whatever the notebook chose to send
            self.stop("crashed", "The notebook sent what is no answer.")
        if hint:
            raise hint
        if "raised" in reply:
            self.stop("crashed", f"It raises {reply['raised']}")
        # A check may take its time over each number, and no clock stops a check.
        if many > MAX_NUMBERS + sum(arg.size for arg in plain if isinstance(arg, np.ndarray)):
            raise hints.Hint(f"It returns {many:,} numbers.")
        if isinstance(value, dict):
            raise hints.Hint(f"It returns a {value.get('kind')}: {value.get('shown')}")
        return value

    @staticmethod
    def evaluate(function, args):
        try:
            if sum(map(np.size, args)) > MAX_NUMBERS:
                raise ValueError(f"over {MAX_NUMBERS:,} numbers at once")
            return {"value": function(*args)}
        except hints.Hint as hint:  # the answer has called a function of the check too often
            return {"raised": str(hint), "hint": hint}
        except Exception as error:  # the answer's own doing, told as it would be at home
            return {"raised": str(error)[:500]}


def load(path):
    """Return the bytes of what was handed in, or raise a ValueError that says what is wrong."""
    try:  # a link is not followed, and a pipe not waited for
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("It is not a file.")
            data = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise ValueError("It is a folder, not a notebook.") from None
    except OSError as error:
        link = path.is_symlink()
        raise ValueError("It is a link to another file." if link else str(error.strerror)) from None
    if len(data) > MAX_BYTES:
        raise ValueError(f"The notebook is over {MAX_BYTES / 1e6:.0f} MB.")
    return data


def named(notebooks):
    """Return the LIBRARIES that the notebooks load; one that is missed here is loaded later."""
    found = set()
    for word, start in itertools.product(LIBRARIES, (b"from ", b"import ")):
        if any(start + word in data for data in notebooks):
            found.add(LIBRARIES[word])
    return sorted(found)


def mark(box, exercise, data, seed, seconds):
    """Return the Mark of one notebook, and whether the box can go on."""
    wire = box.open(time.monotonic() + seconds)
    try:
        found = attempt(wire, exercise, data, seed, seconds)
    except Exception as error:  # whatever an answer may have brought about
        found = Mark("crashed", 0, f"The check stumbled over it: {type(error).__name__}")
    return found, box.end(wire)


def attempt(wire, exercise, data, seed, seconds):
    task = {"name": exercise.name, "setup": exercise.setup}
    try:
        wire.send({**task, "notebook": np.frombuffer(data, np.uint8)})
        begun = wire.receive()
        if "unreadable" in begun:
            return Mark("not readable", 0, str(begun["unreadable"]))
        said = (str(begun[k])[:20_000] for k in ("failure", "source", "sentence"))
        failure, source, sentence = said
    except TimeoutError:
        return Mark("too slow", 0, f"The notebook's cells take over {seconds:.3g} s.")
    except (EOFError, OSError):
        return Mark("crashed", 0, "The notebook's process ended.")
    except MemoryError:
        return Mark("crashed", 0, "The notebook takes more memory than there is for it.")
    except (Garbled, KeyError):
        return Mark("crashed", 0, "The notebook sent what is no answer.")
    untouched = source.split() == exercise.stub.split()
    if failure:
        crashed = not failure.startswith("There is no function")
        return Mark("crashed" if crashed else "wrong", 0, failure, source, sentence)
    answer = Remote(wire, seconds)
    verdict = getattr(exercises, f"check_{exercise.name}")(answer, seed=seed)
    status = "right" if verdict.ok else "not touched" if untouched else answer.status
    return Mark(status, 1 if verdict.ok else verdict.share, verdict.hint, source, sentence)


def to_read(found, stub):
    """Return the Mark of an open exercise's figure and sentence while nobody has read them."""
    if found.status in ("not handed in", "not readable"):
        return found._replace(share=0)
    if found.sentence.split() == stub.split():
        return Mark("not touched", 0, "Not yet: there is no sentence.", found.sentence)
    said = "Your teacher reads the figure and the sentence."
    return Mark("to read", 0, said, found.sentence)

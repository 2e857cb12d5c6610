"""Inside the box: run a notebook's cells as Jupyter would, then answer calls of its function.

    python box.py USER PROCESSOR [LIBRARY ...]      (tools/grade.py, with a socket as its input)

It is the first process of its box. It loads what the notebooks will load, and forks for each
exercise, with a fresh socket that the grader sends along. The checks and the right answers stay
outside.
"""

import copy
import ctypes
import importlib
import json
import os
import resource
import signal
import socket
import sys
from contextlib import suppress

import numpy as np
from wire import MAX_DATA, Wire

from soo_lib.book import hints

GB = 2**30
MAX_CELLS = 2_000
LIMITS = {  # each process has these; a child inherits them, and none can raise them again
    resource.RLIMIT_AS: 4 * GB,
    resource.RLIMIT_CPU: 60,  # seconds
    resource.RLIMIT_FSIZE: GB // 8,
    resource.RLIMIT_NOFILE: 256,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_NPROC: 64,  # processes and threads of the box together
}
# Refused are memory that no limit counts, ways off the processor and into new namespaces, and keys,
# which namespaces do not hold. memfd_secret and setxattrat are numbers, as some libseccomp do not
# know their names.
REFUSED = (
    "memfd_create",
    447,
    "shmget",
    "semget",
    "msgget",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    463,
    "sched_setaffinity",
    "unshare",
    "setns",
    "clone3",
    "add_key",
    "keyctl",
    "request_key",
    "io_setup",
    "io_uring_setup",
    "userfaultfd",
    "bpf",
    "perf_event_open",
)
NEW_USER = 0x1000_0000  # clone's flag
VSOCK = 40  # the way from a virtual machine to its host, which is no network
SHARED, KIND = 0x21, 0x2F  # mmap's flags for shared memory without a file, and the bits to compare


def main():
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    confine(*map(int, sys.argv[1:3]))
    shell = load(sys.argv[3:])
    os.dup2(null, 2)  # until here the grader may read what went wrong
    control.sendall(b".")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # no other signal reaches a box's first process
    while True:
        _, fds, *_ = socket.recv_fds(control, 1, 1)
        if not fds:
            return  # the grader has gone
        child = os.fork()
        if not child:
            control.close()
            os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            serve(Wire(socket.socket(fileno=fds[0])), shell)
            os._exit(0)
        os.close(fds[0])
        control.recv(1)  # the grader has done with it
        if os.getpid() == 1:  # in a box, kill everything but this process
            os.kill(-1, signal.SIGKILL)
        else:
            os.killpg(child, signal.SIGKILL)
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break
        control.sendall(b".")


def confine(user, processor):
    """Bound this process and all that it will start; in a box, filter system calls too."""
    os.nice(5)  # the grader goes first
    if os.getpid() != 1:  # run with --trusted: there is no box
        del LIMITS[resource.RLIMIT_NPROC]
    for limit, value in LIMITS.items():
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    if os.getpid() != 1:
        return
    from pyseccomp import ALLOW, EQ, ERRNO, MASKED_EQ, NE, Arg, SyscallFilter

    os.sched_setaffinity(0, {processor})
    if user:  # root's grader: each box has a user of its own, who is nobody else
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # to die with the grader, as before
    ctypes.CDLL(None).prctl(4, 0)  # none of the box's processes may look into this one, or trace it
    rules, refuse = SyscallFilter(ALLOW), ERRNO(1)
    for call in REFUSED:  # clone3 is refused as if it did not exist, so that clone is tried
        rules.add_rule(ERRNO(38) if call == "clone3" else refuse, call)
    rules.add_rule(refuse, "clone", Arg(0, MASKED_EQ, NEW_USER, NEW_USER))
    rules.add_rule(refuse, "prlimit64", Arg(0, NE, 0))  # other processes' limits
    rules.add_rule(refuse, "socket", Arg(0, EQ, VSOCK))
    # Such memory stays taken while no process counts it. Shared files are bounded by their folder.
    rules.add_rule(refuse, "mmap", Arg(3, MASKED_EQ, KIND, SHARED))
    rules.load()


def load(libraries):
    """Load IPython, and what the notebooks import, once for all exercises."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    for library in ("soo_lib.book.exercises", *libraries):
        with suppress(ImportError):
            importlib.import_module(library)
    quiet = {"enabled": False}
    shell = InteractiveShell.instance(config=Config(HistoryManager=quiet, HistoryAccessor=quiet))
    shell.showtraceback = shell.showsyntaxerror = lambda *args, **kwargs: None
    shell.enable_gui = lambda gui=None: None  # for %matplotlib, as in Jupyter
    return shell


def serve(wire, shell):
    """Run the notebook, then answer calls of its function until the grader has done."""
    task = wire.receive()
    name = task["name"]
    try:
        cells, answer, sentence = read(task["notebook"].tobytes(), name)
    except Exception as error:  # whatever a broken file may cause
        said = f"It cannot be read as a notebook. {type(error).__name__}: {error}"
        wire.send({"unreadable": said[:200]})
        return
    shell.run_cell(task["setup"])
    failure = ""
    for cell in cells:
        done = shell.run_cell(cell)
        error = done.error_before_exec or done.error_in_exec
        if error:  # a notebook goes on after a cell that failed
            failure = failure or f"A cell raises {explain(error)}"
    function = shell.user_ns.get(name)
    missing = "" if callable(function) else failure or f"There is no function {name}."
    wire.send({"failure": missing, "source": answer[:20_000], "sentence": sentence[:5_000]})
    while True:
        call(wire, function, wire.receive())


def read(data, name):
    """Return the code that a student may change, that of the answer's cell, and the sentence.

    An open exercise goes on behind the automatic part. What follows there is for the teacher, and
    is not run.
    """
    book = json.loads(data)
    if book["nbformat"] == 4:
        cells = book["cells"]
    elif book["nbformat"] == 3:
        cells = [cell for sheet in book["worksheets"] for cell in sheet["cells"]]
    else:
        raise ValueError(f"nbformat {book['nbformat']} is not known here; save it as 4")
    if len(cells) > MAX_CELLS:
        raise ValueError(f"it has over {MAX_CELLS:,} cells")
    code, answer, sentence, opened = [], "", "", False
    for cell in cells:
        mark = cell.get("metadata", {}).get("nbgrader", {})
        source = cell.get("source", cell.get("input", ""))
        source = source if isinstance(source, str) else "".join(source)
        opened |= mark.get("grade_id") == "open"
        if mark.get("grade_id") == f"defend_{name}":
            sentence = source
        if cell["cell_type"] != "code" or mark.get("locked") or opened:
            continue
        code.append(source)
        if mark.get("grade_id") == name or f"def {name}(" in code[-1]:
            answer = code[-1]
    return code, answer, sentence


def call(wire, function, request):
    """Make one call, and send what it returned, raised and changed."""
    args = request["call"]
    for i in request["functions"]:
        args[i] = caller(wire, i)
    before = copy.deepcopy(args)
    try:
        with np.errstate(all="ignore"):
            reply = {"value": tell(function(*args))}
    except NotImplementedError:
        reply = {"value": None}
    except BaseException as error:
        reply = {"raised": explain(error)}
    changed = [i for i, pair in enumerate(zip(args, before)) if differ(*pair)]
    wire.send({**reply, "changed": changed})


def differ(arg, old):
    """Is an array, or one in a list, not what it was?"""
    if isinstance(old, list):
        return not isinstance(arg, list) or len(arg) != len(old) or any(map(differ, arg, old))
    return isinstance(old, np.ndarray) and not hints.same(arg, old)


def explain(error):
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except BaseException:  # an error of the student's own, which cannot be shown
        return type(error).__name__


def caller(wire, i):
    """Return the ``i``-th argument, a function that stayed outside, as one to call from here."""

    def function(*args):
        wire.send({"evaluate": i, "args": [tell(arg) for arg in args]})
        reply = wire.receive()
        if "raised" in reply:
            raise ValueError(reply["raised"])
        return reply["value"]

    return function


def tell(value):
    """Return what of a value may leave the box: numbers, a text, nothing, or else its kind."""
    if value is None or value is ...:
        return None
    if isinstance(value, str):
        return value[:200]
    try:
        array = np.asarray(value)
        if array.dtype.kind == "c" and not array.imag.any():
            array = array.real
        if array.dtype.kind in "biuf" and 8 * array.size < MAX_DATA:
            return array
    except Exception:
        pass
    return {"kind": type(value).__name__[:60], "shown": str(value)[:40]}


if __name__ == "__main__":
    main()

"""An answer's process, and the pipe to it: what tools/teach.py grades through.

What comes out of the process is numbers and text. The checks, the marks and the right answers
stay on the other side, so nothing that a notebook prints, edits or overwrites reaches them. The
process may not write files, start programs or use the network; it is no prison for code meant to
break out of one.
"""

import base64
import json
import os
import sys

import numpy as np

from soo_lib.book import hints

MAX_BYTES = 20_000_000  # of a message
MEMORY = 4 * 2**30


class Remote:
    """The answer's function, called through the pipe."""

    def __init__(self, pipe, failure):
        self.pipe, self.failure = pipe, failure

    def __call__(self, *args):
        if self.failure:
            raise hints.Hint(self.failure)
        try:
            send(self.pipe, {"call": [None if callable(a) else a for a in args],
                             "functions": [i for i, a in enumerate(args) if callable(a)]})
            while "evaluate" in (message := receive(self.pipe)):
                send(self.pipe, self.evaluate(args[message["evaluate"]], message["args"]))
            if "raised" in message:
                raise hints.Hint(f"It raises {message['raised']}")
            for i, value in message["changed"].items():
                args[int(i)][...] = value
            return message["value"]
        except hints.Hint:
            raise
        except (EOFError, OSError):
            raise hints.Hint("The notebook's process ended.") from None
        except Exception:
            raise hints.Hint("The notebook sent what is no answer.") from None

    @staticmethod
    def evaluate(function, args):
        try:
            return {"value": function(*args)}
        except Exception as error:  # the answer's own doing: it is told, as it would be at home
            return {"raised": str(error)}


def send(pipe, message):
    pipe.send_bytes(json.dumps(message, default=pack).encode())


def receive(pipe):
    return json.loads(pipe.recv_bytes(MAX_BYTES), object_hook=unpack)


def pack(value):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        data = base64.b64encode(np.ascontiguousarray(value)).decode()
        return {"array": data, "dtype": value.dtype.str, "shape": value.shape}
    raise TypeError(f"it returns a {type(value).__name__}")


def unpack(value):
    if "array" not in value:
        return value
    flat = np.frombuffer(base64.b64decode(value["array"]), np.dtype(value["dtype"]))
    return flat.reshape(value["shape"]).copy()


# ---- the other side of the pipe


def serve(pipe, name, setup, code):
    """Run the notebook's cells, then answer calls of its function for ever."""
    confine()
    scope, failure = {"__name__": "__main__"}, ""
    exec(setup, scope)
    sys.addaudithook(refuse)
    for cell in code:
        lines = cell.splitlines()
        try:
            exec("\n".join(line for line in lines if not line.startswith(("%", "!"))), scope)
        except BaseException as error:  # a notebook goes on after a cell that failed
            failure = f"A cell raises {type(error).__name__}: {error}"
    function = scope.get(name)
    missing = "" if callable(function) else failure or f"There is no function {name}."
    send(pipe, {"failure": missing})
    while True:
        request = receive(pipe)
        args = request["call"]
        for i in request["functions"]:
            args[i] = caller(pipe, i)
        before = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
        try:
            with np.errstate(all="ignore"):
                answer = {"value": function(*args)}
            pairs = enumerate(zip(args, before))
            changed = {
                i: a
                for i, (a, b) in pairs
                if isinstance(b, np.ndarray) and not np.array_equal(a, b)
            }
            send(pipe, {**answer, "changed": changed})
        except BaseException as error:
            send(pipe, {"raised": f"{type(error).__name__}: {error}"})


def caller(pipe, i):
    def function(*args):
        send(pipe, {"evaluate": i, "args": args})
        reply = receive(pipe)
        if "raised" in reply:
            raise ValueError(reply["raised"])
        return reply["value"]

    return function


def confine():
    """Silent, in a session of its own, with bounded memory."""
    import resource

    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.dont_write_bytecode = True


READS = {"os.listdir", "os.scandir", "os.walk", "os.fwalk"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def refuse(event, args):
    """An audit hook, which cannot be taken out again: see sys.addaudithook."""
    writes = event == "open" and isinstance(args[2], int) and args[2] & WRITING
    reaches_out = event.startswith(("os.", "subprocess.", "socket.", "shutil.", "ctypes."))
    if writes or (reaches_out and event not in READS):
        raise PermissionError(f"{event} is not for an answer to do")

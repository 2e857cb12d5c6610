"""Messages between the grader and a box: a line of JSON with arrays behind it, both bounded.

The grader trusts nothing that comes along here. What does not parse, is too long or does not end
raises Garbled, EOFError or TimeoutError; numbers are all that an array can hold.
"""

import json
import math
import struct
import time

import numpy as np

HEAD = struct.Struct("<II")  # the sizes of the JSON and of the arrays, in bytes
MAX_TEXT, MAX_DATA = 400_000, 21_000_000
KINDS = {"b": "|b1", "i": "<i8", "u": "<i8", "f": "<f8"}


class Garbled(ValueError):
    """What came along the wire is no message."""


class Wire:
    """One end of a socket; ``deadline`` (of time.monotonic) is for all that is still to come.

    ``watch()`` is called now and then while waiting.
    """

    def __init__(self, sock, deadline=math.inf, watch=lambda: None):
        self.sock, self.deadline, self.watch = sock, deadline, watch

    def send(self, message):
        arrays = []

        def pack(value):
            array = np.asarray(value)
            if array.dtype.str != "|u1":
                array = array.astype(KINDS[array.dtype.kind])
            arrays.append(array.tobytes())
            return {"dtype": array.dtype.str, "shape": array.shape}

        text, data = json.dumps(message, default=pack).encode(), b"".join(arrays)
        left = memoryview(HEAD.pack(len(text), len(data)) + text + data)
        while left:
            left = left[self.wait(self.sock.send, left) :]

    def receive(self):
        sizes = HEAD.unpack(self.read(HEAD.size))
        if sizes[0] > MAX_TEXT or sizes[1] > MAX_DATA:
            raise Garbled("too long")
        text = self.read(sizes[0])
        data = memoryview(self.read(sizes[1]))  # the parts of a view are no copies

        def unpack(value):
            nonlocal data  # one array takes the bytes that the one before it left
            if "dtype" not in value:
                return value
            dtype, shape = np.dtype(value["dtype"]), value["shape"]
            if dtype.str not in {*KINDS.values(), "|u1"} or any(n < 0 for n in shape):
                raise Garbled("no array")
            size = dtype.itemsize * math.prod(shape)
            mine, data = data[:size], data[size:]
            array = np.frombuffer(mine, dtype).reshape(shape)
            return array.copy() if shape else array.item()

        try:
            message = json.loads(text, object_hook=unpack)
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            raise Garbled(str(error)) from error
        if not isinstance(message, dict):
            raise Garbled("no message")
        return message

    def read(self, size):
        found = bytearray()
        while len(found) < size:
            piece = self.wait(self.sock.recv, min(size - len(found), 1 << 20))
            if not piece:
                raise EOFError
            found += piece
        return bytes(found)

    def wait(self, action, argument):
        while True:
            self.watch()
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.sock.settimeout(min(left, 0.2))
            try:
                return action(argument)
            except TimeoutError:
                pass  # looks at the watch and the deadline again

"""How an exercise is checked: a right answer is said to be right, any other gets a hint."""

import functools
import signal
import threading
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

SECONDS = 10  # for a whole check, which takes well under one


class Verdict(NamedTuple):
    """What a check found; shows as its hint."""

    ok: bool
    hint: str

    def __repr__(self):
        return self.hint


class Hint(Exception):
    """What is wrong with an answer, in words for whoever wrote it."""


class Answer:
    """The function that was handed in: what it raises and what it changes becomes a hint."""

    def __init__(self, function):
        if not callable(function):
            raise Hint(f"The check needs your function itself; it was given {function!r}.")
        self.function, self.changed = function, ""

    def __call__(self, *args):
        given = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]
        try:
            with np.errstate(all="ignore"):
                got = self.function(*given)
        except Hint:
            raise
        except NotImplementedError:
            got = None
        except (Exception, SystemExit) as error:
            raise Hint(f"It raises {type(error).__name__}: {error}") from error
        for number, (arg, kept) in enumerate(zip(given, args), 1):
            if isinstance(arg, np.ndarray) and not np.array_equal(arg, kept):
                self.changed = f"Correct, but it changes its argument {number}. Work on a copy."
        if got is None or got is ...:
            raise Hint("Not yet: it returns nothing.")
        return got


def checker(problem):
    """A check from ``problem(answer, rng)``, which raises a Hint where the answer is wrong.

    The check takes the function handed in, and a ``seed`` for the problems; it returns a Verdict.
    """

    def check(function, seed=0):
        try:
            with time_limit():
                answer = Answer(function)
                problem(answer, np.random.default_rng(seed))
        except Hint as hint:
            return Verdict(False, str(hint))
        return Verdict(not answer.changed, answer.changed or "Right. You may move on.")

    functools.update_wrapper(check, problem)
    del check.__wrapped__  # help() should show the check's own arguments
    return check


@contextmanager
def time_limit():
    """A Hint after SECONDS, where the system has alarms (not on Windows)."""

    def ring(*_):
        raise Hint(f"No answer within {SECONDS} s: does a loop in it never end?")

    main = threading.current_thread() is threading.main_thread()
    if not (main and hasattr(signal, "setitimer")):
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, SECONDS, 0.5)  # again, in case the answer catches it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def need(condition, hint):
    """The hint, unless the condition holds."""
    if not condition:
        raise Hint(hint)


def numbers(got, shape, where=""):
    """``got`` as a finite float array of that shape (any, if None); a Hint where it is not."""
    try:
        array = np.asarray(got)
        real = array.dtype.kind in "biuf"
    except ValueError:  # a ragged list
        real = False
    need(real, f"{where}It returns no real numbers but a {type(got).__name__}: {str(got)[:40]}")
    need(shape in (None, array.shape), f"{where}The shape should be {shape}, not {array.shape}.")
    need(np.isfinite(array).all(), f"{where}The result has NaN or infinity in it.")
    return array.astype(float)


def same(a, b):
    """Equal up to rounding."""
    return np.allclose(a, b, rtol=1e-7, atol=1e-9 * np.abs(b).max())


def compare(got, right, slips, otherwise, where=""):
    """A Hint unless ``got`` is right: that of the slip which would give it, or a general one."""
    right = np.asarray(right, float)
    got = numbers(got, right.shape, where)
    if same(got, right):
        return
    for hint, value in slips.items():
        if same(got, np.asarray(value, float)):
            raise Hint(hint)
    factor = np.vdot(right, got) / np.vdot(right, right)
    if factor and same(got, factor * right):
        sign = np.isclose(factor, -1)
        off = "the sign" if sign else f"a factor {factor:.6g}"
        raise Hint(f"{where}Right up to {off}.")
    raise Hint(where + otherwise)

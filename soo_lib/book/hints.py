"""Check an exercise: a right answer is told that it is right, and any other gets a hint."""

import functools
import itertools
import signal
import threading
import tracemalloc
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

SECONDS = 10  # for a whole check, which takes well under one
TOO_SLOW = "No answer within {:.3g} s: something in it never ends, or takes far too long."


class Verdict(NamedTuple):
    """What a check found. It is shown as its hint."""

    ok: bool
    hint: str
    share: float = 0.0  # the part of the exercise's points that is earned

    def __repr__(self):
        return self.hint


class Hint(Exception):
    """What is wrong with an answer, in words for whoever wrote it."""


@contextmanager
def told(where):
    """Let every Hint that is raised in this block begin with ``where`` it was found."""
    try:
        yield
    except Hint as hint:
        raise Hint(f"{where}{hint}") from hint


class Answer:
    """The function that was handed in. What it raises and what it changes becomes a hint."""

    def __init__(self, function):
        if not callable(function):
            raise Hint(f"The check needs your function itself; it was given {function!r}.")
        self.function, self.changed, self.returned = function, "", False

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
            if isinstance(arg, np.ndarray) and not same(arg, kept):
                self.changed = f"It changes its argument {number}: work on a copy."
        if got is None or got is ...:
            need(
                not self.returned,
                "It returns nothing here, though elsewhere something: "
                "behind an if or a loop it may end without a return.",
            )
            raise Hint("Not yet: it returns nothing.")
        self.returned = True
        return got

    def peak(self, *args):
        """Return its result, and the most bytes that it took (0 where it runs elsewhere)."""
        if getattr(self.function, "remote", False):
            return self(*args), 0  # the grader's box has a bound of its own
        tracemalloc.start()
        try:
            return self(*args), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def checker(problem):
    """Make a check of ``problem(answer, rng)``, which raises a Hint where the answer is wrong.

    A problem with parts yields the share of the points that is earned so far. The check takes the
    function handed in, and a ``seed`` for the problems; it returns a Verdict.
    """

    def check(function, seed=0):
        share, answer = 0.0, None
        try:
            with time_limit(), np.errstate(all="ignore"):  # a wrong answer may be huge
                answer = Answer(function)
                for earned in problem(answer, np.random.default_rng(seed)) or ():
                    share = earned
        except Hint as hint:
            return Verdict(False, f"{answer.changed if answer else ''} {hint}".strip(), share)
        if answer.changed:
            return Verdict(False, f"Right, but for this: {answer.changed}", share)
        return Verdict(True, "Right. You may move on.", 1.0)

    functools.update_wrapper(check, problem)
    del check.__wrapped__  # help() should show the check's own arguments
    return check


@contextmanager
def time_limit():
    """Raise a Hint after SECONDS, where the system has alarms (Windows has none)."""

    def ring(*_):
        raise Hint(TOO_SLOW.format(SECONDS))

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
    """Raise the hint, or the one that the function ``hint`` returns, unless the condition holds."""
    if not condition:
        raise Hint(hint() if callable(hint) else hint)


def numbers(got, shape, where=""):
    """Return ``got`` as a finite float array of that shape (any, if None), or raise a Hint."""
    try:
        array = np.asarray(got)
        if array.dtype.kind == "c" and not array.imag.any():
            array = array.real  # numpy's eig returns such, from 2.5 on
        real = array.dtype.kind in "biuf"
    except ValueError:  # a ragged list
        real = False
    need(
        real,
        lambda: f"{where}It returns no real numbers but a {type(got).__name__}: {str(got)[:40]}",
    )
    need(shape in (None, array.shape), f"{where}The shape should be {shape}, not {array.shape}.")
    need(np.isfinite(array).all(), f"{where}The result has NaN or infinity in it.")
    return array.astype(float)


def probe(answer, shape, *args):
    """Return what the answer gives for another problem, or None where that is no answer.

    A check asks this after a wrong answer, to learn more about it.
    """
    try:
        return numbers(answer(*args), shape)
    except Hint:
        return None


def bounded(function, limit, hint):
    """Return ``function``, which raises the Hint ``hint()`` after more than ``limit`` calls."""
    calls = itertools.count(1)

    def counted(*args):
        need(next(calls) <= limit, hint)
        return function(*args)

    return counted


def same(a, b):
    """Are a and b equal up to rounding, with NaN in the same places?

    It is np.allclose in a third of the time.
    """
    if np.shape(a) != np.shape(b):
        return False
    a, b = np.asarray(a), np.asarray(b, float)
    size, finite = np.abs(b), np.isfinite(b)
    slack = 1e-7 * size + 1e-9 * size.max(initial=0, where=finite)
    with np.errstate(invalid="ignore"):
        near = finite & (np.abs(a - b) <= slack)
    return bool((near | (a == b) | (a != a) & (b != b)).all())


def mixtures(formula, *choices, most=2):
    """Return what slips would give, alone and up to ``most`` at once, by their hints.

    Each of ``choices`` belongs to an argument of ``formula``. It is a dictionary from hints to
    values of that argument, with the right value under the hint "".
    """
    found, right = {}, [choice[""] for choice in choices]
    for count in range(1, most + 1):
        for places in itertools.combinations(range(len(choices)), count):
            for slips in itertools.product(*(filter(None, choices[i]) for i in places)):
                wrong = {i: choices[i][slip] for i, slip in zip(places, slips)}
                found[" ".join(slips)] = formula(*(wrong.get(i, v) for i, v in enumerate(right)))
    return found


def reproduced(answer, slips, given, other):
    """Return those of ``slips(*given)`` that the answer makes on the problem ``other`` too.

    A factor may lie between the two.
    """
    found, got = slips(*given), probe(answer, None, *other)
    if got is None:
        return found
    values = slips(*other)
    return {
        hint: value
        for hint, value in found.items()
        if same(got, values[hint]) or scale(got, values[hint])
    }


def compare(got, right, slips, otherwise, where=""):
    """Raise a Hint unless ``got`` is right: that of the slip which would give it, or a general one.

    ``slips`` is called only where something is wrong; it returns a dictionary from hints to values.
    ``otherwise`` is the general hint, or a function that asks further and returns one.
    """
    right = np.asarray(right, float)
    got = numbers(got, right.shape, where)
    if same(got, right):
        return
    slips = {hint: np.asarray(value, float) for hint, value in slips().items()}
    for hint, value in slips.items():
        need(not same(got, value), hint)
    need(
        np.count_nonzero(right) < 3 or not (factor := scale(got, right)),
        f"{where}Right up to {factor}.",
    )
    off = np.abs(got - right).max(initial=0) / np.abs(right).max(initial=1e-300)
    need(
        off > 1e-3,
        f"{where}Right to about {off:.0e} of its size, no further, as if something "
        "were rounded, clipped or stopped early, or a little of something added.",
    )
    for hint, value in slips.items():  # there may be a factor besides the slip
        if (
            np.count_nonzero(value) > 2
            and value.shape == right.shape
            and (factor := scale(got, value))
        ):
            raise Hint(f"Up to {factor}: {hint}")
    if callable(otherwise):
        raise Hint(where + otherwise())
    i = np.unravel_index(np.abs(got - right).argmax(), right.shape) if right.size else ()
    entry = f"Entry {', '.join(map(str, i))}" if i else "It"
    raise Hint(f"{where}{otherwise} {entry} should be {right[i]:.4g}; yours is {got[i]:.4g}.")


def scale(a, b):
    """Say in words the factor between two arrays; "" if neither is a multiple of the other."""
    factor = np.vdot(b, a) / max(np.vdot(b, b), np.finfo(float).tiny)
    usual = 1e-6 < abs(factor) < 1e6  # beyond, both are but the same large term
    if not usual or abs(factor - 1) < 1e-5 or not same(a, factor * b):
        return ""
    return "the sign" if np.isclose(factor, -1) else f"a factor {factor:.6g}"

"""Schedules: the share of the step (learning rate) to take as a run goes on."""

from collections.abc import Callable

import numpy as np

from ..checks import as_function, as_number, as_share

Schedule = Callable[[float], float]


def constant(t: float) -> float:
    """The whole step, at any share ``t`` of the run (as in the paper, section 3.3)."""
    return 1.0


def cosine(t: float) -> float:
    """(1 + cos πt)/2: from 1 towards 0 along half a cosine (Loshchilov and Hutter 2017).

    ``t`` is the share of the run's steps that is done, so that the last step is still > 0.
    """
    return float(np.cos(0.5 * np.pi * t) ** 2)


def warm_up(share: float, then: Schedule = constant) -> Schedule:
    """A schedule that rises in a straight line over the first ``share`` of the run's steps.

    0 < share < 1; ``then`` is the schedule of the rest, from its own beginning (Goyal and others
    2017). The result is a function of the share of steps done, as :func:`cosine` is.
    """
    share = as_number(as_share(share, "share"), "share", 0, above=True)
    rest = as_schedule(then, "then")
    # A start at 0 would be no step: it is at the least the hundredth part.
    return lambda t: max(t / share, 0.01) if t < share else rest((t - share) / (1 - share))


def as_schedule(schedule: Schedule | None, name: str) -> Schedule:
    """``schedule``, :func:`constant` for None, as a function whose values are checked.

    A ValueError tells of a value that is no positive number by the ``name`` of the argument.
    """
    if schedule is None:
        return constant
    as_function(schedule, name)
    return lambda t: as_number(schedule(t), f"{name}({t:.3g})", 0, above=True)

"""Schedules: the share of the step (learning rate) to take as a run goes on."""

# TODO from . import layer_rules
# TODO from . import rules

import numpy as np

from ..checks import as_number


def constant(t):
    """The whole step, at any share ``t`` of the run (as in the paper, section 3.3)."""
    return 1.0


def cosine(t):
    """Falls from 1 to 0 along half a cosine: (1 + cos πt)/2, ``t`` the share of the run's steps
    that is done, as written by Loshchilov and Hutter (2017), and > 0 to the last step.
    """
    return float(np.cos(0.5 * np.pi * t) ** 2)


def warm_up(share, then=constant):
    """A schedule that rises in a straight line over the first ``share`` of the run's steps.

    0 < share < 1; ``then`` is the schedule of the rest, from its own beginning (Goyal and others
    2017). The result is a function of the share of steps done, as :func:`cosine` is.
    """
    if not 0 < as_number(share, "share") < 1:
        raise ValueError(f"share must be a number > 0 and < 1; got {share!r}")
    rest = _share(then, "then")
    # a start at 0 would be no step: at the least the hundredth part
    return lambda t: max(t / share, 0.01) if t < share else rest((t - share) / (1 - share))


def _share(schedule, name="schedule"):
    """``schedule`` with its values looked at."""
    if schedule is None:
        return constant
    if not callable(schedule):
        raise ValueError(f"{name} must be a function of the share of steps done; got {schedule!r}")
    return lambda t: as_number(schedule(t), f"{name}({t:.3g})", 0, above=True)

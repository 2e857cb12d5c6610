"""Mini-batches, every rule: each at its own best step, constant and falling along half a cosine.

The grid follows the record of what has run: from one seed it tries the steps of a ladder until the
best has a worse one on either side, then it takes five seeds of the best. So the command is
repeated until it finds nothing to run.
"""

import numpy as np

from . import recorder
from .minibatch import STEPS, run, settings

__all__ = ["grid", "run"]
# The last run repeats to these shares: a thousand noisy steps tell processors apart.
REPEATS = {"fun": 0.05}
SLICE = {"stop": 1}  # one epoch of three; a step may fall over all of them
SMALL = {"rows": 10_000, "epochs": 3}
SIZES = 1000, 10_000, 128, 32
LADDER = [float(f"{digit}e{power}") for power in range(-5, 3) for digit in (1, 3)]
# For each rule that "minibatch" does not have, a constant step to start from.
STARTS = {
    "sls": (0.1, 1, 10),
    "schedule_free": (0.3, 1, 3),
    "adahessian": (0.01, 0.03, 0.1),
    "muon": (0.003, 0.01, 0.03),
    "shampoo": (0.003, 0.01, 0.03),
    "soap": (0.003, 0.01, 0.03),
}
RULES = [(rule, {}) for rule in STEPS] + [
    ("sls", {}),
    ("schedule_free", {}),
    ("adahessian", {}),
    ("kronecker", {"decay": 0.9}),
    ("kronecker", {"ekfac": True}),
    ("muon", {"last": "muon"}),
    ("shampoo", {}),
    ("soap", {}),
]


def grid(quick=False):
    if quick:
        small = {"rows": 2000, "epochs": 1}
        return [settings(rule, 1000, LADDER[6], 0, **small, **other) for rule, other in RULES]
    known = ends()
    own = [
        point
        for size in SIZES
        for rule, other in RULES
        if fits(size, other)
        for point in points(known, rule, size, other)
    ]
    elsewhere = {recorder.key(run["settings"]) for run in recorded("minibatch")}
    return [point for point in own if recorder.key(recorder.as_json(point)) not in elsewhere]


def fits(size, other):
    """Do these settings suit the batch size? Factors are averaged where batches are small."""
    return "decay" not in other or size <= 1000


def points(known, rule, size, other):
    """Return the runs of a rule at a batch size that the losses ``known`` so far call for."""
    start, found = STEPS.get(rule) or STARTS[rule], []
    if "decay" in other:
        start = start[1:4]
    for schedule in ({}, {"cosine": True}):
        ladder = known.get((rule, size, recorder.key({**other, **schedule})), {})
        steps, best = tried(ladder, start)
        found += [(step, 0, schedule) for step in steps]
        if best is None:
            break
        found += [(best, seed, schedule) for seed in range(1, 5)]
        start = [step for step in LADDER if best <= step <= 11 * best]  # falling ones start longer
    return [
        settings(rule, size, step, seed, **SMALL, **other, **schedule)
        for step, seed, schedule in found
    ]


def tried(ladder, start):
    """Return the steps to try, and the best once it has a worse one on either side, else None.

    ``ladder`` has the loss of each step that was tried.
    """
    steps = sorted(start)
    while all(step in ladder for step in steps):
        best = min(steps, key=ladder.get)
        i = LADDER.index(best)
        more = set(LADDER[i - 1 : i + 2]) - set(steps)
        if not more:
            return steps, best
        steps = sorted({*steps, *more})
    return steps, None


def ends():
    """Map, for seed 0, (rule, batch size, the rest as text) to the loss in the end of each step."""
    known = {}
    for done in recorded("minibatch") + recorded("minibatch_field"):
        how, fun = done["settings"], done["result"]["fun"]
        if how["seed"] == 0:
            what = how["rule"], how["batch_size"], recorder.key(how["other"])
            diverged = len(fun) <= how["epochs"] or fun[-1] is None
            known.setdefault(what, {})[how["step"]] = np.inf if diverged else fun[-1]
    return known


def recorded(name):
    return recorder.runs_in(recorder.RESULTS / f"{name}.json")

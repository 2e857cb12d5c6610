"""How low is low, in seconds? Rungs of the ladder, timed in turn, to twice a net's lowest loss.

Each rung has the setting and, from each start, the iterations that the ladder's record names. What
counts is the processor's time in one thread, the least of some repetitions: other work on the
machine then matters little.
"""

import time

import numpy as np
from threadpoolctl import threadpool_limits

from . import ladder, recorder

TIMED = True
SLICE = {"repeats": 1}
CHEAP = "nearest pair", "EKFAC", "pair", "K-FAC's damping", "Shampoo", "SOAP", "Muon", "L-BFGS"
TIMES = 2  # the level, over the lowest loss that any rung reached


def grid(quick=False):
    nets, seeds, repeats = (("shallow",), 1, 1) if quick else (ladder.NETS, 5, 5)
    return [
        {"net": net, "seed": seed, **rungs_of(net, seed), "repeats": repeats}
        for net in nets
        for seed in range(seeds)
    ]


def rungs_of(net, seed):
    """Return the cheap rungs that come to the level from there, their settings and iterations."""
    runs = recorder.runs_in(recorder.RESULTS / "ladder.json")
    of = {}
    for run in runs:
        if run["settings"]["net"] == net:
            how = run["settings"]
            settings = of.setdefault(how["rung"], {})
            settings.setdefault(how["setting"], {})[how["seed"]] = run["result"]["fun"]
    last = ladder.MAXITER  # L-BFGS goes on beyond
    level = TIMES * min(
        f[: last + 1][-1] for r in of.values() for g in r.values() for f in g.values()
    )

    def needed(fun):
        return int(np.argmax(np.array(fun) <= level)) if fun[-1] <= level else np.inf

    found = {"rungs": [], "settings": [], "iterations": []}
    for rung, settings in ((rung, of[rung]) for rung in CHEAP):
        count = {s: {k: needed(fun) for k, fun in starts.items()} for s, starts in settings.items()}
        best = min(count, key=lambda setting: np.median(list(count[setting].values())))  # noqa: B023
        if np.isfinite(count[best][seed]):
            for name, value in zip(found, (rung, best, count[best][seed])):
                found[name].append(value)
    return found


def run(net, seed, rungs, settings, iterations, repeats):
    """Run each rung so far, one after the other, and again."""
    seconds, fun = np.full((repeats, len(rungs)), np.inf), np.empty(len(rungs))
    with threadpool_limits(1):
        for k in range(repeats):
            for i, (rung, setting, maxiter) in enumerate(zip(rungs, settings, iterations)):
                begun = time.process_time()
                fun[i] = ladder.run(net, rung, setting, seed, maxiter)["fun"][-1]
                seconds[k, i] = time.process_time() - begun
    return {"fun": fun, "seconds": seconds.min(axis=0)}

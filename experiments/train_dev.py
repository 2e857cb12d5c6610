"""Is there a bug? Train, dev and test accuracy over training rows, λ, leaks and permuted labels."""

from .fashion import run, settings

__all__ = ["grid", "run"]
SLICE = {"maxiter": 2}
SIZES = 1000, 2000, 5000, 10_000, 20_000, 50_000


def grid(quick=False):
    seeds = range(1 if quick else 3)
    sizes, small = ((1000, 2000), {"maxiter": 5}) if quick else (SIZES, {})
    base = {"solver": "L-BFGS-B", "hidden": [300], "every": 10, **small}
    # The paper's settings, and a small start with a weaker penalty, which leave room to overfit.
    paper = [{"rows": rows} for rows in sizes]
    weak = [{"rows": rows, "start": "fan_in", "l2": 1e-4} for rows in sizes]
    penalty = [{"rows": 5000, "start": "fan_in", "l2": l2} for l2 in (1e-5, 1e-3, 1e-2, 1e-1)]
    # Controls have nothing to learn, so that whatever dev scores above a tenth has leaked.
    control = [
        {"rows": 5000, "start": "fan_in", "l2": 1e-4, "labels": labels, "leaked": leaked}
        for labels in ("true", "permuted")
        for leaked in (0, 2500)
    ]
    points = paper + weak + penalty + control[1:]
    return [settings(seed=seed, **{**base, **point}) for point in points for seed in seeds]

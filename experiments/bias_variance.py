"""Bias and variance (section 3.4): train and dev accuracy over batch size, λ and layers."""

from .fashion import SOLVERS, run, settings

__all__ = ["grid", "run", "RANGES"]
SLICE = {"maxiter": 2}

# One range varies at a time, about a centre that suits 5,000 rows. Table 3 has the full size.
CENTRE = {"hidden": [300], "l2": 0.01, "start": "fan_in", "rows": 5000, "every": 10}
RANGES = {
    "batch_size": [{"batch_size": size, "n_batches": 5} for size in (20, 50, 200, 1000)],
    "l2": [{"l2": l2} for l2 in (1e-4, 1e-3, 1e-2, 1e-1)],
    "layers": [{"hidden": hidden} for hidden in ([], [300], [300, 100], [300, 100, 100])],
}


def grid(quick=False):
    seeds, small = range(1 if quick else 3), {"rows": 1000, "maxiter": 5} if quick else {}
    points = [{**CENTRE, **point} for points in RANGES.values() for point in points]
    distinct = [point for i, point in enumerate(points) if point not in points[:i]]
    return [
        settings(solver, seed=seed, **{**point, **small})
        for point in distinct
        for solver in SOLVERS
        for seed in seeds
    ]

"""What makes a good P: its kind, its damping, how often it is made anew, and from how many rows.

One choice at a time about a centre, on 10,000 rows; the headline at full size is `precondition`.
"""

from .precondition import PLAIN, P, run, settings

__all__ = ["grid", "run", "RANGES"]
SLICE = {"maxiter": 2}

RANGES = {
    "kind": [
        PLAIN,
        {"kind": "adagrad", "damping": 1e-8},
        {"kind": "martens"},
        {"kind": "exact_diagonal", "factor_rows": 500},
    ],
    "damping": [{"damping": damping} for damping in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)],
    "every": [{"every": every} for every in (1, 2, 5, 10, None)],
    "factor_rows": [{"factor_rows": rows} for rows in (100, 300, 1000, 3000, 10_000)],
}


def grid(quick=False):
    seeds, small = (range(1), {"rows": 2000, "maxiter": 5}) if quick else (range(3), {})
    points = [{**P, **point} for points in RANGES.values() for point in points]
    distinct = [point for i, point in enumerate(points) if point not in points[:i]]
    size = {"rows": 10_000, "maxiter": 30, **small}
    if quick:
        distinct = [{**point, "factor_rows": point["factor_rows"] and 100} for point in distinct]
    return [
        settings("L-BFGS", [300], seed, **size, **point) for point in distinct for seed in seeds
    ]

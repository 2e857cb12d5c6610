"""Mini-batches at full size: epochs, visits and seconds of ten epochs of 60,000 rows."""

from .minibatch import run, settings

__all__ = ["grid", "run"]
TIMED = True
SLICE = {"epochs": 1}
# Where there are two steps, the better one counts as tuned.
POINTS = [
    ("kronecker", 1000, (0.05, 0.1)),
    ("kronecker", 128, (0.01, 0.03)),
    ("adam", 32, (3e-4, 1e-3)),
    ("adam", 128, (1e-3, 3e-3)),
    ("momentum", 128, (0.03, 0.1)),
    ("adam", 1000, (3e-3, 0.01)),
]
# The same with steps that fall to 0 along half a cosine, for one of the seeds.
FALLING = [("kronecker", 1000, (0.05,)), ("adam", 128, (1e-3, 3e-3)), ("momentum", 128, (0.1, 0.3))]


def grid(quick=False):
    seeds, small = (1, {"rows": 2000, "epochs": 1}) if quick else (5, {})
    points = [(point, {}) for point in POINTS]
    points[1:1] = [(point, {"cosine": True}) for point in FALLING]
    return [
        settings(rule, size, step, seed, **small, **other)
        for seed in range(seeds)
        for (rule, size, steps), other in points
        for step in steps
        if seed == 0 or not other
    ]

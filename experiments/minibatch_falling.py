"""Mini-batches at full size, steps falling along half a cosine: two epochs against Adam's ten."""

from .minibatch import run, settings

__all__ = ["grid", "run"]
# The last run repeats to these shares: a thousand noisy steps tell processors apart.
REPEATS = {"fun": 0.05}
SLICE = {"stop": 1}  # one epoch of up to ten; the step falls over all of them
AVERAGED, ALL = {"decay": 0.9}, {"last": "muon"}
# Rule, batch size, step, epochs and settings, which are run from one start to find the best.
TRIED = [
    ("adam", 128, 0.01, 1, {}),
    ("adam", 128, 0.003, 10, {}),
    ("adam", 128, 0.01, 10, {}),
    ("adam", 64, 0.003, 10, {}),
    ("adam", 256, 0.01, 10, {}),
    ("adam", 32, 0.003, 10, {}),
    ("adam", 32, 0.001, 10, {}),
    ("adam", 64, 0.01, 10, {}),
    ("kronecker", 128, 0.03, 1, {}),
    ("kronecker", 128, 0.03, 1, AVERAGED),
    ("muon", 128, 0.02, 1, ALL),
    ("soap", 32, 0.01, 1, {}),
    ("soap", 32, 0.02, 1, {}),
    ("soap", 64, 0.01, 1, {}),
    ("kronecker", 32, 0.01, 1, AVERAGED),
    ("kronecker", 256, 0.05, 2, {}),
    ("kronecker", 128, 0.03, 2, {}),
    ("kronecker", 128, 0.02, 2, {}),
    ("kronecker", 128, 0.05, 2, {}),
    ("kronecker", 64, 0.02, 2, {}),
    ("kronecker", 64, 0.01, 2, {}),
    ("kronecker", 128, 0.03, 2, AVERAGED),
    ("kronecker", 64, 0.02, 2, AVERAGED),
    ("kronecker", 64, 0.01, 2, AVERAGED),
    ("muon", 256, 0.02, 2, ALL),
    ("muon", 128, 0.02, 2, ALL),
    ("soap", 32, 0.01, 2, {}),
    ("soap", 64, 0.01, 2, {}),
    ("soap", 128, 0.01, 2, {}),
    ("soap", 128, 0.02, 2, {}),
    ("soap", 128, 0.03, 2, {}),
    ("muon", 256, 0.02, 10, ALL),
    ("muon", 256, 0.01, 10, ALL),
    ("kronecker", 256, 0.05, 10, {}),
    ("kronecker", 256, 0.03, 10, {}),
    ("kronecker", 128, 0.02, 10, AVERAGED),
    ("soap", 256, 0.01, 10, {}),
    ("soap", 256, 0.03, 10, {}),
]
# These are run from five starts.
CHOSEN = [
    ("kronecker", 128, 0.03, 2, {}),
    ("soap", 128, 0.02, 2, {}),
    ("adam", 32, 0.003, 10, {}),
    ("adam", 128, 0.01, 2, {}),
]


def grid(quick=False):
    points = [(point, 0) for point in TRIED]
    points += [
        (point, seed) for point in CHOSEN for seed in range(5) if (point, seed) not in points
    ]
    rows = 6000 if quick else 60_000
    if quick:
        points = [((rule, size, step, 1, other), 0) for (rule, size, step, _, other), _ in points]
    return [
        settings(rule, size, step, seed, rows, epochs, cosine=True, **other)
        for (rule, size, step, epochs, other), seed in points
    ]

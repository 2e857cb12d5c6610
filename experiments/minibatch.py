"""Mini-batches: ten rules over batch sizes and step lengths, three epochs of 10,000 rows."""

from functools import lru_cache
from itertools import count

import numpy as np

from soo_lib.datasets import load_fashion_mnist
from soo_lib.losses import Network
from soo_lib.stochastic import cosine, minimize_stochastic

SLICE = {"epochs": 1}
BATCH_SIZES = 32, 128, 1000, 10_000
# The steps lie half a decade apart, about the best of each rule.
STEPS = {
    "sgd": (0.03, 0.1, 0.3, 1, 3, 10),
    "aprox": (0.03, 0.1, 0.3, 1, 3, 10),
    "adagrad": (0.003, 0.01, 0.03, 0.1, 0.3),
    "rmsprop": (1e-4, 3e-4, 1e-3, 3e-3, 0.01),
    "adam": (3e-4, 1e-3, 3e-3, 0.01, 0.03),
    "lbfgs": (0.01, 0.03, 0.1, 0.3, 1, 3),
    "cg": (0.01, 0.03, 0.1, 0.3, 1),
    "kronecker": (0.003, 0.01, 0.03, 0.1, 0.3),
    "momentum": (0.01, 0.03, 0.1, 0.3, 1),
    "nesterov": (0.01, 0.03, 0.1, 0.3, 1),
}

load = lru_cache(maxsize=1)(load_fashion_mnist)


def settings(rule, batch_size, step, seed, rows=60_000, epochs=10, **other):
    return {
        "rule": rule,
        "batch_size": batch_size,
        "step": step,
        "seed": seed,
        "rows": rows,
        "epochs": epochs,
        "other": other,
    }


def grid(quick=False):
    seeds, small = (1, {"rows": 2000, "epochs": 1}) if quick else (5, {"rows": 10_000, "epochs": 3})
    points = [
        (rule, size, step, {})
        for size in BATCH_SIZES
        for rule in STEPS
        for step in STEPS[rule]
        if size <= small["rows"]
    ]
    # Where batches are small, factors are averaged over them.
    averaged = [
        ("kronecker", size, step, {"decay": 0.9})
        for size in (32, 128)
        for step in (0.01, 0.03, 0.1)
    ]
    points[6:6] = averaged
    return [
        settings(rule, size, step, seed, **small, **other)
        for seed in range(seeds)
        for rule, size, step, other in points
    ]


def run(
    rule,
    batch_size,
    step,
    seed,
    rows,
    epochs,
    other,
    l2=None,
    stop=None,
    centred=False,
    activation="sigmoid",
):
    """Train 784-300-10 on the first rows; ``seed`` draws the start and the batches.

    Where a penalty is named, the accuracy on the other rows is kept too. The run ends after
    ``stop`` of the epochs. Pixels lie between 0 and 1; ``centred`` ones have the mean 0 and the
    standard deviation 1 over all images.
    """
    other = dict(other)
    schedule = cosine if other.pop("cosine", False) else None
    data = load(n_dev=0, standardize=centred)
    net = Network([784, 300, 10], activation)
    X, y = data.X_train, data.y_train
    loss = net.loss(X[:rows], y[:rows], l2=1e-4 if l2 is None else l2, dtype="float32")
    done = count(1)

    def callback(x):
        if next(done) == stop:
            raise StopIteration

    found = minimize_stochastic(
        loss,
        net.init(seed),
        rule,
        batch_size,
        epochs,
        step,
        seed,
        schedule,
        callback=callback,
        **other,
    )
    trace, held_out = found.trace, {}
    if l2 is not None:
        left = rows < len(y)
        held_out["held_out"] = np.mean(net.predict(found.x, X[rows:]) == y[rows:]) if left else None
    return {
        "success": found.success,
        "message": found.message,
        "test": np.mean(net.predict(found.x, data.X_test) == data.y_test),
        **held_out,
        "fun": trace.fun,
        "evaluations": trace.evaluations,
        "seconds": trace.seconds,
    }

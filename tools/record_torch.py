"""Write tests/data/torch.json: what PyTorch's optimisers do, step by step, on two small losses.

    pip install torch && python tools/record_torch.py

The losses are written again here, for PyTorch's own derivatives; only the batches are soo_lib's.
"""

import json
from pathlib import Path

import numpy as np
import torch

from soo_lib.losses import partition

FILE = Path(__file__).resolve().parent.parent / "tests" / "data" / "torch.json"
EPOCHS, BATCH_SIZE, SEED, L2, SIZES = 4, 7, 3, 0.01, [2, 3, 2]

# Each line has our rule, its settings and step, and PyTorch's optimiser and its names for these.
RUNS = [
    ("sgd", {}, 0.1, "SGD", {}),
    ("momentum", {}, 0.05, "SGD", {"momentum": 0.9}),
    ("momentum", {"momentum": 0.5}, 0.1, "SGD", {"momentum": 0.5}),
    ("nesterov", {}, 0.05, "SGD", {"momentum": 0.9, "nesterov": True}),
    ("nesterov", {"momentum": 0.7}, 0.1, "SGD", {"momentum": 0.7, "nesterov": True}),
    ("adagrad", {}, 0.2, "Adagrad", {}),
    ("adagrad", {"eps": 0.01}, 0.3, "Adagrad", {"eps": 0.01}),
    ("rmsprop", {}, 0.01, "RMSprop", {}),
    ("rmsprop", {"beta": 0.8, "eps": 1e-3}, 0.02, "RMSprop", {"alpha": 0.8, "eps": 1e-3}),
    ("adam", {}, 0.05, "Adam", {}),
    (
        "adam",
        {"beta1": 0.7, "beta2": 0.95, "eps": 1e-3},
        0.1,
        "Adam",
        {"betas": (0.7, 0.95), "eps": 1e-3},
    ),
]


def least_squares(x, X, y):
    return 0.5 * ((X @ x - y) ** 2).mean()


def network(x, X, y):
    """Return the loss of tanh layers, softmax and cross-entropy, with a penalty on the weights."""
    n, h, k = SIZES
    W, b, V, c = x.split([n * h, h, h * k, k])
    Z = torch.tanh(X @ W.reshape(n, h) + b) @ V.reshape(h, k) + c
    return torch.nn.functional.cross_entropy(Z, y) + 0.5 * L2 * ((W**2).sum() + (V**2).sum())


def main():
    torch.set_default_dtype(torch.float64)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(33, 2)).round(3)
    problems = {
        "least squares": (least_squares, np.c_[X, X[:, 0] ** 2], rng.normal(size=33), 3),
        "network": (network, X, rng.integers(0, 2, 33), 17),
    }
    found = {
        "torch": torch.__version__.partition("+")[0],
        "epochs": EPOCHS,
        "batch_size": BATCH_SIZE,
        "seed": SEED,
        "sizes": SIZES,
        "l2": L2,
        "problems": {},
        "runs": [],
    }
    for name, (loss, X, y, n) in problems.items():
        X, y, x0 = X.round(3), y.round(3), rng.normal(size=n).round(3)
        found["problems"][name] = {"X": X.tolist(), "y": y.tolist(), "x0": x0.tolist()}
        for rule, settings, step, optimizer, options in RUNS:
            x = torch.tensor(x0, requires_grad=True)
            method = getattr(torch.optim, optimizer)([x], lr=step, **options)
            batches, path = np.random.default_rng(SEED), []
            for _ in range(EPOCHS):
                for rows in partition(len(X), BATCH_SIZE, batches):
                    method.zero_grad()
                    loss(x, torch.tensor(X[rows]), torch.tensor(y[rows])).backward()
                    method.step()
                    path.append([float(f"{value:.13g}") for value in x.tolist()])
            found["runs"].append(
                {"problem": name, "rule": rule, "settings": settings, "step": step, "x": path}
            )
    runs = found.pop("runs")
    lines = ",\n".join(json.dumps(run, separators=(",", ":")) for run in runs)
    FILE.write_text(f'{json.dumps(found)[:-1]}, "runs": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()

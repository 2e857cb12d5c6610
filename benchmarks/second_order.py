"""Seconds and evaluations to the same loss: second-order solvers, ours and others', and Adam.

    python benchmarks/second_order.py [--only TEXT ...] [--rows 60000] [--evaluations 150]
                                      [--epochs 10] [--repeats 1]

All run in turn from the same start on the same problem: 784-300-10 on pixels/255, sigmoid, mean
cross-entropy, λ = 1e-4 on the weights, float32 inside. Ours are L-BFGS plain, and L-BFGS and NLCG
with the Kronecker pair; by mini-batches Adam, and the rule "kronecker" on 1,000 rows. The peers are
scipy's L-BFGS-B on our loss, scikit-learn's MLPClassifier (lbfgs, adam), and PyTorch's LBFGS and
Adam. The time in which the loss on all rows is measured after an epoch of mini-batches is not
counted. Rows that mini-batches look at are counted as shares of an evaluation, and in others' Adam
an epoch counts as one. --only runs the contestants whose names contain one of the texts, such as
"mini-batches" or "PyTorch Adam". Each line is printed as soon as it is measured.
benchmarks/batches.py has the race by mini-batches, looked at more often than once an epoch.
"""

import argparse
import time
from functools import partial

import numpy as np
from table3 import laid_out, scikit_learn, torch_cost, torch_lbfgs, torch_parameters

from soo_lib.curvature import kronecker_cholesky
from soo_lib.datasets import load_fashion_mnist
from soo_lib.losses import Network
from soo_lib.losses.blocks import THREADS
from soo_lib.solvers import minimize, minimize_refreshed
from soo_lib.stochastic import minimize_stochastic

L2 = 1e-4
BATCH, STEP = 128, 3e-3  # Adam's, the best of a small grid
TARGETS = 0.6, 0.5, 0.4, 0.35, 0.3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[""], metavar="TEXT")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--evaluations", type=int, default=150)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=1)
    args = parser.parse_args()
    data = load_fashion_mnist(n_dev=0, standardize=False)
    X, y = data.X_train[: args.rows], data.y_train[: args.rows]
    net = Network([784, 300, 10])
    loss = net.loss(X, y, l2=L2, dtype=X.dtype)
    chosen = {
        name: run
        for name, run in contestants(net, loss, args).items()
        if any(text.lower() in name.lower() for text in args.only)
    }
    if not chosen:
        parser.error(f"--only fits none of {', '.join(contestants(net, loss, args))}")
    print(f"{len(X):,} rows, float32, {THREADS} threads: seconds (evaluations) to a loss of")
    print(f"{'':32}" + "".join(f"{target:>14}" for target in TARGETS) + f"{'lowest':>9}")
    for repeat in range(args.repeats):
        x0 = net.init(repeat)
        loss.fun_and_jac(x0)  # the first visit fetches the rows into memory
        for name, contestant in chosen.items():
            show(name, *contestant(x0))


def contestants(net, loss, args):
    """Map each name to a function of the start that returns seconds, evaluations and losses."""
    X, y, most = loss.X, loss.y, args.evaluations
    pair = partial(
        minimize_refreshed,
        loss,
        kind=partial(kronecker_cholesky, damping=1e-4),
        every=5,
        rows=min(3000, len(X)),
        maxiter=most,
    )
    batches = partial(minimize_stochastic, loss, epochs=args.epochs)
    return {
        "soo_lib L-BFGS": lambda x0: ours(minimize(loss, x0, "lbfgs", maxiter=most)),
        "soo_lib L-BFGS, Kronecker": lambda x0: ours(pair(x0=x0, method="lbfgs")),
        "soo_lib NLCG, Kronecker": lambda x0: ours(pair(x0=x0, method="nlcg")),
        "scipy CG, Kronecker": lambda x0: ours(pair(x0=x0, method="CG")),
        "scipy L-BFGS-B": lambda x0: ours(minimize(loss, x0, "L-BFGS-B", maxiter=most)),
        "scikit-learn lbfgs": lambda x0: watched(scikit_learn, net, x0, X, y, most, l2=L2),
        "PyTorch LBFGS": lambda x0: watched(
            torch_lbfgs, net, x0, X, y, most, l2=L2, penalize_bias=False
        ),
        "soo_lib kronecker, mini-batches": lambda x0: ours(
            batches(x0, "kronecker", batch_size=min(1000, len(X)), step=0.05, refresh=20), len(X)
        ),
        "soo_lib Adam": lambda x0: ours(batches(x0, "adam", batch_size=BATCH, step=STEP), len(X)),
        "scikit-learn Adam": lambda x0: epochs(sklearn_adam(net, x0, X, y), loss, args.epochs),
        "PyTorch Adam": lambda x0: epochs(torch_adam(net, x0, X, y), loss, args.epochs),
    }


def ours(found, rows=1):
    """Return our run's figures; ``rows`` make an evaluation where the trace counts rows."""
    trace = found.trace
    return trace.seconds, trace.evaluations / rows, trace.fun


def watched(peer, *args, **named):
    """Run a peer, which notes the time and the loss of each of its evaluations; return these."""
    seen = []
    seconds, evaluations, _ = peer(*args, **named, seen=seen)
    clock, values = np.array(seen[:evaluations]).T
    return clock - clock[-1] + seconds, np.arange(1, evaluations + 1), values


def epochs(train, loss, count):
    """Time epochs, of which ``train()`` runs one and returns the parameters it ends with."""
    seconds, values = [0.0], []
    for _ in range(count):
        start = time.perf_counter()
        x = train()
        seconds.append(seconds[-1] + time.perf_counter() - start)
        values.append(loss.fun(x))
    return np.array(seconds[1:]), np.arange(1, count + 1), np.array(values)


def sklearn_adam(net, x0, X, y):
    peer = laid_out(
        net,
        x0,
        X,
        solver="adam",
        alpha=L2 * BATCH,
        batch_size=BATCH,
        learning_rate_init=STEP,
        random_state=0,
    )
    del peer._optimizer  # it was made for the ten rows that laid out the net

    def train():
        peer.partial_fit(X, y)
        return net.pack(list(zip(peer.coefs_, peer.intercepts_)))

    return train


def torch_adam(net, x0, X, y):
    import torch

    torch.set_num_threads(THREADS)
    X, y, parameters = torch.from_numpy(X), torch.from_numpy(y), torch_parameters(net, x0)
    optimiser = torch.optim.Adam(
        [{"params": parameters[::2], "weight_decay": L2}, {"params": parameters[1::2]}], lr=STEP
    )
    shuffle = torch.Generator().manual_seed(0)

    def train():
        for rows in torch.randperm(len(X), generator=shuffle).split(BATCH):
            optimiser.zero_grad()
            (torch_cost(parameters, X[rows], y[rows]) / len(rows)).backward()
            optimiser.step()
        parts = [part.detach().numpy().astype(float) for part in parameters]
        return net.pack([(W.T, b) for W, b in zip(parts[::2], parts[1::2])])

    return train


def show(name, seconds, evaluations, values):
    lowest = np.minimum.accumulate(values)
    cells = []
    for target in TARGETS:
        first = int(np.argmax(lowest <= target))
        reached = lowest[first] <= target
        cells.append(f"{seconds[first]:.1f} ({evaluations[first]:.0f})" if reached else "-")
    print(
        f"{name:32}" + "".join(f"{cell:>14}" for cell in cells) + f"{lowest[-1]:9.4f}", flush=True
    )


if __name__ == "__main__":
    main()

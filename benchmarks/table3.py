"""Seconds for the six rows of Table 3, beside scikit-learn's and PyTorch's L-BFGS.

    python benchmarks/table3.py [--iterations 100] [--rows 50000] [--repeats 1]

It runs each row of the table with this library (float32 inside), then, from the same start on the
same network, MLPClassifier(solver="lbfgs") and torch.optim.LBFGS for as many evaluations as ours
took. What is compared is the time of an evaluation, each solver's own arithmetic included.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from soo_lib.datasets import load_fashion_mnist
from soo_lib.losses import Network
from soo_lib.losses.blocks import BLOCK, THREADS
from soo_lib.solvers import minimize

L2 = 0.01
SOLVERS = {
    "Gradient": {"method": "gradient", "line_search": "fixed", "step": 0.4},
    "NLCG": {"method": "CG"},
    "L-BFGS-B": {"method": "L-BFGS-B"},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=1)
    args = parser.parse_args()
    data = load_fashion_mnist(seed=0)
    X, y = data.X_train[: args.rows], data.y_train[: args.rows]
    print(f"{len(X):,} rows, {args.iterations} iterations, float32, {THREADS} threads")
    print(f"{'':24}{'seconds':>9}{'evaluations':>13}{'s / evaluation':>16}{'final loss':>12}")
    for hidden in ([300], [300, 100]):
        net = Network([784, *hidden, 10])
        x0 = net.init(0, scale="unit")
        each = {"ours": [], "scikit-learn": [], "PyTorch": []}
        for _ in range(args.repeats):
            for solver, how in SOLVERS.items():
                loss = net.loss(X, y, l2=L2, penalize_bias=True, dtype=X.dtype)
                seconds, found = timed(minimize, loss, x0, maxiter=args.iterations, **how)
                show(f"{solver} {len(hidden)}L", seconds, found.nfev, found.fun)
            each["ours"].append(seconds / found.nfev)
            for name, peer in (("scikit-learn", scikit_learn), ("PyTorch", torch_lbfgs)):
                seconds, evaluations, value = peer(net, x0, X, y, found.nfev)
                each[name].append(seconds / evaluations)
                show(f"  {name} L-BFGS {len(hidden)}L", seconds, evaluations, value)
        ours = each.pop("ours")
        for name, seconds in each.items():  # round by round, as a slow minute slows both
            ratio = statistics.median(a / b for a, b in zip(ours, seconds, strict=True))
            print(f"  soo_lib / {name}, an evaluation: {ratio:.2f}")


def timed(function, *args, **named):
    start = time.perf_counter()
    found = function(*args, **named)
    return time.perf_counter() - start, found


def show(name, seconds, evaluations, value):
    print(f"{name:24}{seconds:9.1f}{evaluations:13}{seconds / evaluations:16.3f}{value:12.4f}")


def scikit_learn(net, x0, X, y, evaluations, l2=L2, seen=None):
    """Run MLPClassifier, and append the time and the loss of each evaluation to ``seen``."""
    peer = laid_out(
        net,
        x0,
        X,
        solver="lbfgs",
        alpha=l2 * len(X),
        max_iter=evaluations,
        max_fun=evaluations,
        tol=0,
        warm_start=True,
    )
    calls, evaluate = [] if seen is None else seen, peer._loss_grad_lbfgs

    def watched(*args):
        found = evaluate(*args)
        calls.append((time.perf_counter(), found[0]))
        return found

    peer._loss_grad_lbfgs = watched
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        seconds, _ = timed(peer.fit, X, y)
    return seconds, len(calls), peer.loss_


def laid_out(net, x0, X, **how):
    """Return an MLPClassifier that will start from x0.

    Its penalty leaves the biases out and divides by the rows: alpha = λ m.
    """
    peer = MLPClassifier(net.sizes[1:-1], "logistic", solver=how["solver"], max_iter=1, max_fun=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer.fit(X[:100], np.arange(100) % 10)
    layers = net.unpack(x0)
    peer.coefs_ = [W.astype(X.dtype) for W, _ in layers]
    peer.intercepts_ = [b.astype(X.dtype) for _, b in layers]
    return peer.set_params(**how)


def torch_lbfgs(net, x0, X, y, evaluations, l2=L2, penalize_bias=True, seen=None):
    """Run PyTorch's L-BFGS in batches of 1,000 rows, its faster variant (see evaluate.py).

    Subnormal numbers, which saturated units make, are switched off: with them it is a third slower
    or more, on some processors.
    """
    import torch

    torch.set_num_threads(THREADS)
    X, y, parameters = torch.from_numpy(X), torch.from_numpy(y), torch_parameters(net, x0)
    calls = [] if seen is None else seen

    def closure():
        optimiser.zero_grad()
        total = 0.0
        for i in range(0, len(X), BLOCK):
            cost = torch_cost(parameters, X[i : i + BLOCK], y[i : i + BLOCK])
            (cost / len(X)).backward()
            total += cost.item() / len(X)
        penalised = parameters if penalize_bias else parameters[::2]
        penalty = 0.5 * l2 * sum((part * part).sum() for part in penalised)
        penalty.backward()
        calls.append((time.perf_counter(), total + penalty.item()))
        return calls[-1][1]

    optimiser = torch.optim.LBFGS(
        parameters,
        max_iter=evaluations,
        max_eval=evaluations,
        history_size=10,
        line_search_fn="strong_wolfe",
        tolerance_grad=0,
        tolerance_change=0,
    )
    torch.set_flush_denormal(True)
    seconds, _ = timed(optimiser.step, closure)
    torch.set_flush_denormal(False)
    evaluations = len(calls)
    return seconds, evaluations, closure()


def torch_parameters(net, x0):
    """Return x0 as PyTorch keeps it: each layer's weights transposed, then its biases."""
    import torch

    return [
        torch.tensor(part.astype(np.float32)).requires_grad_()
        for W, b in net.unpack(x0)
        for part in (W.T.copy(), b)
    ]


def torch_cost(parameters, A, y):
    """Return the summed cross-entropy."""
    from torch.nn.functional import cross_entropy, linear

    for W, b in zip(parameters[::2], parameters[1::2], strict=True):
        Z = linear(A, W, b)
        A = Z.sigmoid()
    return cross_entropy(Z, y, reduction="sum")


if __name__ == "__main__":
    main()

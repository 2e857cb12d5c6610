"""Seconds for one loss and gradient of 784-300-10 on 60,000 rows, beside peers and the floor.

    python benchmarks/evaluate.py [--repeats 7] [--rows 60000]

In one run, in turn, it times this library; the five matrix products that no implementation can
avoid; PyTorch on the CPU, in batches of 1,000 and all rows at once, and compiled; ``jax.jit`` in
the same ways (``pip install -e .[bench]`` brings both); and scikit-learn's MLPClassifier. It prints
medians, and ratios of medians to this library's.
"""

import argparse
import os
import statistics
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from peers import clock, installed, jax_evaluations, torch_compiled
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_info, threadpool_limits

from soo_lib.losses import Network
from soo_lib.losses.blocks import BLOCK

SIZES = [784, 300, 10]
THREADS = len(os.sched_getaffinity(0))
# The kernels of numpy's linear algebra, seen before another library brings its own. OpenBLAS may
# not know a processor that is younger than itself, and then takes the kernels of an older one.
KERNELS = next(
    f"{lib['internal_api']} {lib.get('architecture')}"
    for lib in threadpool_info()
    if lib["user_api"] == "blas"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--rows", type=int, default=60_000)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(args.rows, SIZES[0]))
    y = rng.integers(0, SIZES[-1], args.rows)
    print(f"{'-'.join(map(str, SIZES))}, {args.rows:,} rows, {THREADS} threads, {KERNELS}: seconds")
    for dtype in (np.float32, np.float64):
        times = measure(contestants(X.astype(dtype), y), args.repeats)
        ours = statistics.median(times["soo_lib"])
        floor = min(statistics.median(times[name]) for name in times if "products" in name)
        best = {
            peer: min(statistics.median(times[name]) for name in times if peer in name)
            for peer in ("PyTorch", "torch.compile", "jax.jit")
            if any(peer in name for name in times)
        }
        print(f"\n{np.dtype(dtype).name:34s}   median      min      max   / soo_lib")
        for name, seconds in times.items():
            middle = statistics.median(seconds)
            print(
                f"  {name:34s} {middle:8.3f} {min(seconds):8.3f} {max(seconds):8.3f}"
                f" {middle / ours:8.2f}"
            )
        print(f"  soo_lib / floor = {ours / floor:.2f}")
        for peer, seconds in best.items():
            print(f"  soo_lib / {peer}'s best variant = {ours / seconds:.2f}")


def contestants(X, y):
    """Map each name to a function that returns the seconds of one evaluation."""
    net = Network(SIZES)
    loss, x = net.loss(X, y, dtype=X.dtype), net.init(0)
    layers = net.unpack(x.astype(X.dtype))
    return {
        "soo_lib": clock(lambda: loss.fun_and_jac(x)),
        "five products, side by side": clock(lambda: products(X, layers, THREADS)),
        "five products, BLAS threads": clock(lambda: products(X, layers, 1)),
        **installed(torch_contestants, X, y, layers),
        **installed(torch_compiled, X, y, layers),
        **installed(jax_evaluations, X, y, net, x),
        "scikit-learn MLPClassifier": scikit_learn(X, y),
    }


def measure(functions, repeats):
    """Time the functions in turn, so that a change in the machine's speed touches all alike."""
    times = {name: [] for name in functions}
    for repeat in range(repeats + 1):
        for name, function in functions.items():
            time.sleep(0.3)  # the last one's idle BLAS threads still spin for a while
            seconds = function()
            if repeat:  # the first round warms up
                times[name].append(seconds)
    return times


def products(X, layers, threads):
    """Do the matrix products of forward and backward propagation alone, into ready buffers."""
    (W1, _), (W2, _) = layers

    def run(blocks):
        A, D1 = np.empty((2, BLOCK, W1.shape[1]), X.dtype)
        D2 = np.empty((BLOCK, W2.shape[1]), X.dtype)
        G1, G2 = np.empty_like(W1), np.empty_like(W2)
        for i in blocks:
            rows = X[i : i + BLOCK]
            n = len(rows)
            np.matmul(rows, W1, out=A[:n])
            np.matmul(A[:n], W2, out=D2[:n])
            np.matmul(A[:n].T, D2[:n], out=G2)
            np.matmul(D2[:n], W2.T, out=D1[:n])
            np.matmul(rows.T, D1[:n], out=G1)

    blocks = range(0, len(X), BLOCK)
    if threads == 1:
        run(blocks)
    else:
        with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, np.array_split(blocks, threads)))


def torch_contestants(X, y, layers):
    import torch

    torch.set_num_threads(THREADS)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    parameters = [
        torch.tensor(part).requires_grad_() for W, b in layers for part in (W.T.copy(), b)
    ]

    def evaluate(batch):
        for part in parameters:
            part.grad = None
        W1, b1, W2, b2 = parameters
        for i in range(0, len(X), batch):
            hidden = torch.sigmoid(torch.nn.functional.linear(X[i : i + batch], W1, b1))
            logits = torch.nn.functional.linear(hidden, W2, b2)
            cost = torch.nn.functional.cross_entropy(logits, y[i : i + batch], reduction="sum")
            (cost / len(X)).backward()

    return {
        "PyTorch, batches of 1,000": clock(lambda: evaluate(BLOCK)),
        "PyTorch, all rows at once": clock(lambda: evaluate(len(X))),
    }


def scikit_learn(X, y):
    """Time an evaluation within MLPClassifier's own L-BFGS."""

    class Timed(MLPClassifier):
        def _loss_grad_lbfgs(self, *args, **kwargs):
            start = time.perf_counter()
            found = super()._loss_grad_lbfgs(*args, **kwargs)
            self.seconds.append(time.perf_counter() - start)
            return found

    def timed():
        peer = Timed(SIZES[1:-1], "logistic", solver="lbfgs", max_iter=1, max_fun=2, alpha=0.0)
        peer.seconds = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            peer.fit(X, y)
        return statistics.median(peer.seconds)

    return timed


if __name__ == "__main__":
    main()

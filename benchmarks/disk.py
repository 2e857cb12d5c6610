"""Training on more rows than memory holds: bytes on disk, converted a block at a time.

    python benchmarks/disk.py [--rows 6000000] [--hidden 300] [--iterations 2] [--folder .]

It writes a file of so many synthetic rows, which is deleted in the end, and runs some iterations of
L-BFGS on its map. It prints the seconds, and the largest resident set of the process, the map's own
pages included. Then it times the loss and gradient of 60,000 rows, in turn as bytes in memory, as
bytes mapped from a file and as the converted float32 array, and prints medians and least seconds,
and their ratios to the array's.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from evaluate import SIZES, measure
from peers import clock

from soo_lib.losses import Network
from soo_lib.solvers import minimize

SCALE, CHUNK = 1 / 255, 20_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=6_000_000)
    parser.add_argument("--hidden", type=int, default=SIZES[1])
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--folder", default=".", help="for the file, 784 bytes a row")
    args = parser.parse_args()
    net = Network([SIZES[0], args.hidden, SIZES[2]])
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        train(net, *write(Path(folder), args.rows), args.iterations)
        compare(net, *write(Path(folder), 60_000), args.repeats)


def write(folder, rows):
    """Return rows of ten patterns with noise, as a map of a file, and the patterns' numbers."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 128, (SIZES[-1], SIZES[0]), dtype=np.uint8)
    y, path = rng.integers(0, SIZES[-1], rows), folder / "rows.u8"
    with path.open("wb") as file:
        for i in range(0, rows, CHUNK):
            chosen = patterns[y[i : i + CHUNK]]
            noise = np.frombuffer(rng.bytes(chosen.size), np.uint8).reshape(chosen.shape)
            file.write(chosen + noise // 2)
    return np.memmap(path, np.uint8, "r", shape=(rows, SIZES[0])), y


def train(net, X, y, iterations):
    print(net)
    start = time.perf_counter()
    loss = net.loss(X, y, l2=1e-4, dtype=np.float32, scale=SCALE)
    made = time.perf_counter() - start
    run = minimize(loss, net.init(0), "lbfgs", maxiter=iterations)
    print(f"{len(X):,} rows, {X.nbytes / 1e9:.1f} GB on disk: the loss made in {made:.1f} s")
    print(f"  L-BFGS, {run.nit} iterations, {run.nfev} evaluations, {run.trace.seconds[-1]:.0f} s")
    print("  loss " + ", ".join(f"{f:.3f}" for f in run.trace.fun))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"  largest resident set {peak / 1e9:.2f} GB")


def compare(net, X, y, repeats):
    x, more = net.init(0), {"l2": 1e-4, "dtype": np.float32}
    losses = {
        "converted array": net.loss((X * SCALE).astype(np.float32), y, **more),
        "bytes in memory": net.loss(np.array(X), y, scale=SCALE, **more),
        "bytes on disk": net.loss(X, y, scale=SCALE, **more),
    }
    times = measure(
        {name: clock(lambda loss=loss: loss.fun_and_jac(x)) for name, loss in losses.items()},
        repeats,
    )
    whole = times["converted array"]
    print(f"{len(X):,} rows, {len(os.sched_getaffinity(0))} threads: seconds an evaluation")
    for name, seconds in times.items():
        for word, summary in (("median", statistics.median), ("least", min)):
            print(
                f"  {name:16} {word:6} {summary(seconds):.3f},"
                f" {summary(seconds) / summary(whole):.2f} of the array's"
            )


if __name__ == "__main__":
    main()

"""One run on a cluster of two workers, one thread each, beside two threads in one process.

    python benchmarks/distributed.py [--repeats 15] [--rows 60000]

In one run, in turn, it measures with 784-300-10 what an evaluation costs where the parts do
nothing, by parts and parameters; the loss and gradient of all rows; the same with a worker killed
in the middle; and what 1,000 evaluations leave behind. A model then says what these figures mean
for more workers than there are here. It prints medians and least seconds: on a machine that does
other things, trust the least.
"""

import argparse
import math
import os
import signal
import statistics
import sys
import threading
import time
from pathlib import Path

import numpy as np

# This file has the name of Dask's package, and Dask's is the one to be found.
sys.path.sort(key=lambda folder: Path(folder).resolve() == Path(__file__).resolve().parent)

from distributed import Client, LocalCluster  # noqa: E402
from evaluate import SIZES, measure  # noqa: E402
from peers import clock  # noqa: E402

from soo_lib.cluster import Distributed
from soo_lib.losses import Loss, Network

NET = Network(SIZES)
BANDWIDTH = 10e9 / 8  # bytes a second


class Nothing(Loss):
    """A loss that takes no time, so that what is measured is the cluster's own."""

    def __init__(self, n_params):
        self.n_params, self.n_samples, self.g = n_params, 1, np.ones(n_params)

    def subset(self, rows):
        return self

    def fun_and_jac(self, x):
        return 1.0, self.g


def nothing(n_params, part):
    return Nothing(n_params)


def rows(start, stop):
    """Return synthetic rows, the same whoever makes them."""
    rng = np.random.default_rng(start)
    X = rng.normal(size=(stop - start, SIZES[0])).astype(np.float32)
    return NET.loss(X, rng.integers(0, SIZES[-1], stop - start), l2=1e-4, dtype=np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--rows", type=int, default=60_000)
    args = parser.parse_args()
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=40
        ) as cluster,
        Client(cluster) as client,
    ):
        overhead = overheads(client, args.repeats)
        a_row = evaluations(client, args.rows, args.repeats)
        model(overhead, a_row)
        memory(client)
        recovery(client, args.rows)


def told(times):
    return {name: (statistics.median(t), min(t)) for name, t in times.items()}


def overheads(client, repeats):
    """Return the least seconds of an evaluation that does nothing, by parameters and parts.

    There are ten in a row, as a solver asks for them; the first wakes processes that had gone idle.
    """
    calls = {}
    for n in (1000, NET.n_params):
        for parts in (2, 8, 32):
            loss = Distributed(nothing, [(n, i) for i in range(parts)], client)
            ten = clock(lambda loss=loss, n=n: [loss.fun_and_jac(np.zeros(n)) for _ in range(10)])
            calls[n, parts] = lambda ten=ten: ten() / 10
    found = told(measure(calls, repeats))
    print("overhead, ms       parts   median   least")
    for (n, parts), (middle, least) in found.items():
        print(f"{n:9,} parameters {parts:5} {1e3 * middle:8.1f} {1e3 * least:7.1f}")
    return {key: least for key, (_, least) in found.items()}


def evaluations(client, m, repeats):
    """Print how two workers do against two threads; return the seconds of a row on one thread."""
    x = NET.init(0)
    here, calls = rows(0, m), {}
    calls["two threads, one process"] = clock(lambda: here.fun_and_jac(x))
    for parts in (2, 8, 32):
        loss = Distributed(rows, cut(m, parts), client)
        calls[f"two workers, {parts} parts"] = clock(lambda loss=loss: loss.fun_and_jac(x))
    found = told(measure(calls, repeats))
    whole = found["two threads, one process"]
    print(f"\n{m:,} rows, seconds               median   least   ratios")
    for name, pair in found.items():
        ratios = " ".join(f"{a / b:7.2f}" for a, b in zip(pair, whole))
        print(f"{name:28} {pair[0]:10.3f} {pair[1]:7.3f} {ratios}")
    return 2 * whole[1] / m


def cut(m, parts):
    ends = np.linspace(0, m, parts + 1).astype(int).tolist()
    return list(zip(ends, ends[1:]))


def model(overhead, a_row):
    """Print T(W) = rows·t/W + a + b·tasks + hops·(h + bytes/bandwidth), from the least times."""
    b = (overhead[1000, 32] - overhead[1000, 2]) / 60  # a part brings a task and a sum
    a = overhead[1000, 2] - 4 * b
    h = max(overhead[NET.n_params, 2] - overhead[1000, 2], 0) / 4  # two there, two back
    hop = h + 8 * NET.n_params / BANDWIDTH
    print(
        f"\nmodel: {1e6 * a_row:.1f} us a row, {1e3 * a:.1f} ms and {1e3 * b:.2f} ms a task, "
        f"{1e3 * hop:.1f} ms a hop of the vector at 10 Gbit/s"
    )
    for m in (60_000, 6_000_000):
        for workers in (4, 16, 64, 256):
            for kind, hops in (("tree", 2 * math.log2(workers) + 2), ("flat", 2 * workers)):
                seconds = m * a_row / workers + a + 2 * workers * b + hops * hop
                print(
                    f"{m:9,} rows, {workers:3} workers, {kind}: {seconds:8.3f} s, "
                    f"efficiency {m * a_row / workers / seconds:.0%}"
                )


def memory(client):
    loss, x = Distributed(nothing, [(NET.n_params, i) for i in range(2)], client), NET.init(0)

    def resident():
        here = int(open("/proc/self/statm").read().split()[1]) * 4096
        there = client.run(lambda: int(open("/proc/self/statm").read().split()[1]) * 4096)
        return [round(size / 1e6) for size in (here, *there.values())]

    print("\nMB of the client (with the scheduler) and the workers after evaluations")
    for count in range(1, 1001):
        loss.fun_and_jac(x)
        if count in (100, 500, 1000):
            print(f"{count:5} {resident()}")


def recovery(client, m):
    x, loss = NET.init(0), Distributed(rows, cut(m, 8), client)
    built = clock(lambda: rows(*cut(m, 8)[0]))() * 4  # half of the parts are built again
    before = loss.fun_and_jac(x)
    usual = clock(lambda: loss.fun_and_jac(x))()
    victim = next(iter(client.run(os.getpid).values()))
    threading.Timer(usual / 2, os.kill, (victim, signal.SIGKILL)).start()
    start = time.perf_counter()
    after = loss.fun_and_jac(x)
    seconds = time.perf_counter() - start
    same = before[0] == after[0] and before[1].tobytes() == after[1].tobytes()
    print(
        f"\na worker killed in the middle: {seconds:.1f} s; usual {usual:.1f} s, half the parts "
        f"built {built:.1f} s, so {seconds - 2 * usual - built:+.1f} s over one more evaluation "
        f"and the rebuild; same digits: {same}"
    )


if __name__ == "__main__":
    main()

"""What an adapter costs: evaluations and products beside bare PyTorch and curvlinops, and solvers.

    python benchmarks/adapters.py [--rows 10000] [--repeats 5]

784-300-10, sigmoid, random rows, in turn within one run; medians. An evaluation is a loss and its
gradient. ``minimize`` runs beside scipy's on a loss that costs nothing, and L-BFGS beside
torch.optim.LBFGS and optax on the network until a loss of 0.3 times the first is met.
"""

import argparse
import copy
import time
from contextlib import suppress

import numpy as np
import torch
from peers import installed
from scipy import optimize
from torch import nn

from soo_lib.losses import Loss, from_torch
from soo_lib.solvers import minimize


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {args.rows:,} rows")
    for dtype in ("float32", "float64"):
        module, X, y = problem(args.rows, getattr(torch, dtype))
        loss = from_torch(module, nn.CrossEntropyLoss(), X, y, dtype=dtype)
        print(f"\n{dtype}: milliseconds, and as a multiple of the first line of a kind")
        show(evaluations(module, X, y, loss), args.repeats)
        show(products(module, X, y, loss), args.repeats)
    print("\nminimize on a loss that costs nothing: microseconds an iteration")
    show(iterations(), args.repeats, 1e6)
    print("\nto 0.3 of the first loss, float64, 2,000 rows: seconds, evaluations")
    module, X, y = problem(2000, torch.float64)
    races = {"soo_lib lbfgs": race_ours, "torch.optim.LBFGS": race_torch, "optax.lbfgs": race_optax}
    for name, run in races.items():
        for _, found in installed(lambda run=run: {"": run(module, X, y)}).items():
            print(f"{name:32}{found[0]:10.2f}{found[1]:8d}")


def problem(rows, dtype):
    """Rows with classes that can be told apart, and a network from a fixed start."""
    torch.manual_seed(0)
    y = torch.randint(10, (rows,))
    X = (torch.randn(10, 784)[y] * 0.2 + torch.randn(rows, 784)).to(dtype)
    module = nn.Sequential(nn.Linear(784, 300), nn.Sigmoid(), nn.Linear(300, 10))
    return module.to(dtype), X, y


def evaluations(module, X, y, loss):
    def bare(blocks):
        def run():
            module.zero_grad()
            for rows in torch.arange(len(X)).split(blocks):
                rows = slice(rows[0], rows[-1] + 1)
                part = nn.functional.cross_entropy(module(X[rows]), y[rows])
                (part * (rows.stop - rows.start) / len(X)).backward()

        return run

    return {
        "bare PyTorch, blocks of 1,000": bare(1000),
        "bare PyTorch, all rows at once": bare(len(X)),
        "from_torch, fun_and_jac": lambda: loss.fun_and_jac(loss.x0),
    }


def products(module, X, y, loss):
    p, shapes = np.ones(loss.n_params), list(module.parameters())
    vector = [torch.ones_like(part) for part in shapes]
    data = list(zip(X.split(1000), y.split(1000)))

    def theirs():
        from curvlinops import GGNLinearOperator, HessianLinearOperator

        how = {"check_deterministic": False, "num_data": len(X)}
        made = [
            kind(module, nn.CrossEntropyLoss(), shapes, data, **how)
            for kind in (HessianLinearOperator, GGNLinearOperator)
        ]
        names = ["curvlinops, Hessian", "curvlinops, Gauss-Newton"]
        return {name: lambda A=A: A @ vector for name, A in zip(names, made)}

    ours = {
        "from_torch, hessp": lambda: loss.hessp(loss.x0, p),
        "from_torch, ggnp": lambda: loss.ggnp(loss.x0, p),
    }
    return {**installed(theirs), **ours}


class Free(Loss):
    """A valley of ten unknowns, whose evaluation is a handful of numpy's operations."""

    n_params = 10

    def fun_and_jac(self, x):
        return optimize.rosen(x), optimize.rosen_der(x)

    def fun(self, x):
        return optimize.rosen(x)

    def jac(self, x):
        return optimize.rosen_der(x)


def iterations():
    loss, x0 = Free(), np.linspace(-1, 1, 10)

    def timed(run):
        def seconds():
            start = time.perf_counter()
            nit = run().nit
            return (time.perf_counter() - start) / nit

        seconds.timed = True
        return seconds

    def scipys(method):
        return timed(lambda: optimize.minimize(loss.fun_and_jac, x0, jac=True, method=method))

    return {
        "scipy BFGS": scipys("BFGS"),
        "soo_lib bfgs": timed(lambda: minimize(loss, x0, "bfgs", gtol=1e-5)),
        "scipy L-BFGS-B": scipys("L-BFGS-B"),
        "soo_lib lbfgs": timed(lambda: minimize(loss, x0, "lbfgs", gtol=1e-5)),
    }


def show(contestants, repeats, unit=1e3):
    seconds = {name: [] for name in contestants}
    for repeat in range(repeats + 1):
        for name, run in contestants.items():
            start = time.perf_counter()
            found = run()
            if repeat:  # the first warms up
                took = found if hasattr(run, "timed") else time.perf_counter() - start
                seconds[name].append(took)
    first = np.median(next(iter(seconds.values())))
    for name, took in seconds.items():
        print(f"{name:32}{unit * np.median(took):10.1f}{np.median(took) / first:8.2f}", flush=True)


SHARE = 0.3


def race_ours(module, X, y):
    loss = from_torch(module, nn.CrossEntropyLoss(), X, y)
    target, start = SHARE * loss.fun(loss.x0), time.perf_counter()

    def enough(intermediate_result):
        if intermediate_result.fun <= target:
            raise StopIteration

    run = minimize(loss, loss.x0, "lbfgs", maxiter=300, callback=enough)
    return time.perf_counter() - start, run.njev


def race_torch(module, X, y):
    """Ended from inside, as it has no callback, once a value that it asks for is low enough."""
    module, values = copy.deepcopy(module), []
    method = torch.optim.LBFGS(
        module.parameters(),
        max_iter=300,
        max_eval=1000,
        history_size=10,
        line_search_fn="strong_wolfe",
    )

    def closure():
        method.zero_grad()
        value = nn.functional.cross_entropy(module(X), y)
        value.backward()
        values.append(value.item())
        if values[-1] <= SHARE * values[0]:
            raise StopIteration
        return value

    start = time.perf_counter()
    with suppress(StopIteration):
        method.step(closure)
    return time.perf_counter() - start, len(values)


def race_optax(module, X, y):
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)
    params = [jnp.asarray(part.detach().numpy()) for part in module.parameters()]
    X, y, count = jnp.asarray(X.numpy()), jnp.asarray(y.numpy()), 0

    def cost(params):
        W, b, V, c = params
        Z = jax.nn.sigmoid(X @ W.T + b) @ V.T + c
        return optax.softmax_cross_entropy_with_integer_labels(Z, y).mean()

    method = optax.lbfgs(memory_size=10)
    state, both = method.init(params), optax.value_and_grad_from_state(cost)

    @jax.jit
    def step(params, state):
        value, g = both(params, state=state)
        change, state = method.update(g, state, params, value=value, grad=g, value_fn=cost)
        return optax.apply_updates(params, change), state, value

    target, value = SHARE * cost(params), np.inf
    jax.block_until_ready(step(params, state))
    start = time.perf_counter()
    while value > target and count < 1000:
        params, state, value = step(params, state)
        count += 1 + int(state[-1].info.num_linesearch_steps)
    return time.perf_counter() - start, count


if __name__ == "__main__":
    main()

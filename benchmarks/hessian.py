"""Seconds and memory for a network's second derivatives, beside PyTorch and the floor.

    python benchmarks/hessian.py [--repeats 9] [--torch 1]

In one run, in turn, it times the Hessian's layer blocks of 64-32-32-10 on scikit-learn's 1,797
digits by this library, by the matrix products that no implementation can avoid, and by
torch.func.hessian layer by layer (``pip install -e .[bench]`` brings it; it takes 7 GB and minutes;
``--torch 0`` leaves it out). Then it times Hessian-vector and Gauss-Newton products and Kronecker
factors beside gradients, and beside those of JAX, curvlinops and BackPACK; and the paper's
procedure HESS as printed, at the most rows that 2 GB hold. It prints medians, and the medians of
ratios within a round.
"""

import argparse
import resource
import statistics
import tracemalloc

import numpy as np
from evaluate import KERNELS, THREADS, measure
from peers import backpack_factors, clock, curvlinops_products, installed, jax_products
from sklearn.datasets import load_digits

from soo_lib.curvature import ggn_product, kronecker_factors, layer_hessians
from soo_lib.losses import Network

BUDGET = 2e9  # bytes that the procedure as printed may fill


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--torch", type=int, default=1, help="rounds with PyTorch")
    args = parser.parse_args()
    digits = load_digits()
    net = Network([64, 32, 32, 10])
    loss, x = net.loss(digits.data / 16, digits.target), net.init(0)
    rng = np.random.default_rng(0)
    large = Network([784, 300, 10])
    large = large.loss(rng.normal(size=(10_000, 784)), rng.integers(0, 10, 10_000))

    print(f"64-32-32-10, 1,797 rows, float64, {THREADS} threads, {KERNELS}, all layer blocks")
    ours = {"soo_lib.layer_hessians": clock(lambda: layer_hessians(loss, x))}
    compare({"the products alone": products(loss, x), **ours}, args.repeats)
    print("Each 20 times in a row, as a solver asks for them: means")
    gradient = {"the gradient": clock(lambda: loss.fun_and_jac(x))}
    compare(in_a_row({**gradient, **vectors(loss, x)}), args.repeats)
    print("\n784-300-10, 10,000 rows")
    start = large.net.init(0)
    gradient = {"the gradient": clock(lambda: large.fun_and_jac(start))}
    compare({**gradient, **vectors(large, start)}, args.repeats, "hessp at most 3.5")

    print("\nPeak memory")
    memory("64-32-32-10, layer_hessians", lambda: layer_hessians(loss, x))
    memory("64-32-32-10, hessp", lambda: loss.hessp(x, x))
    memory("784-300-10, hessp", lambda: large.hessp(start, start))
    memory("784-300-10, kronecker_factors", lambda: kronecker_factors(large, start))
    print(f"  {'the whole process so far':38s} {resident():6.0f} MB")

    as_printed(loss, x)
    if args.torch:
        torch_blocks = torch_contestant(loss, x)
        if torch_blocks:
            print("\nPyTorch, all layer blocks of 64-32-32-10 once more")
            many = clock(lambda: [layer_hessians(loss, x) for _ in range(20)])
            ours = {"soo_lib.layer_hessians, mean of 20": lambda: many() / 20}
            peer = {"torch.func.hessian, layer by layer": torch_blocks}
            compare({**ours, **peer}, args.torch, "at least 80")
            print(f"  {'the whole process, with PyTorch':38s} {resident():6.0f} MB")


def compare(functions, repeats, target=""):
    """Print the seconds of each, and their ratio to the first one's; return the medians."""
    times = measure(functions, repeats)
    base = next(iter(times.values()))
    print(f"{'':38s}   median      min      max    ratio {target and f'({target})'}")
    for name, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, base))
        print(
            f"  {name:36s} {statistics.median(seconds):8.4f} {min(seconds):8.4f}"
            f" {max(seconds):8.4f} {ratio:8.2f}"
        )
    return [statistics.median(seconds) for seconds in times.values()]


def in_a_row(functions, times=20):
    """Return functions that time so many calls in a row and give the mean.

    After the first call data and threads are at hand.
    """

    def mean(function):
        return lambda: statistics.fmean(function() for _ in range(times))

    return {name: mean(function) for name, function in functions.items()}


def vectors(loss, x):
    """Return our products and those of others, each as a function that times it."""
    return {
        "loss.hessp": clock(lambda: loss.hessp(x, x)),
        "ggn_product": clock(lambda: ggn_product(loss, x, x)),
        "kronecker_factors": clock(lambda: kronecker_factors(loss, x)),
        **installed(jax_products, loss, x),
        **installed(curvlinops_products, loss, x),
        **installed(backpack_factors, loss, x),
    }


def products(loss, x):
    """Do the products of eqs 66 and 68-70 alone, all rows at once, into ready buffers.

    They are W H Wᵀ with the samples side by side, and for each layer the upper triangle of every
    x xᵀ times that of every H_Z: [K (K + 1) / 2, m] [m, n (n + 1) / 2].
    """
    rng, m, ready = np.random.default_rng(0), loss.n_samples, []
    for layer, ((n_in, n_out), (W, _)) in enumerate(zip(loss.net.shapes, loss.net.unpack(x))):
        K = n_in + 1
        pairs, H = rng.normal(size=(K * (K + 1) // 2, m)), rng.normal(size=(n_out, n_out, m))
        triangle = H[np.triu_indices(n_out)]
        buffers = [np.empty((len(pairs), len(triangle)))]
        if layer:
            buffers += [np.empty((n_in, n_out * m)), np.empty((n_in, n_in, m))]
        ready.append((W, pairs, H, triangle, buffers))

    def run():
        for W, pairs, H, triangle, (block, *buffers) in ready:
            np.matmul(pairs, triangle.T, out=block)
            if buffers:
                half, whole = buffers
                np.matmul(W, H.reshape(len(H), -1), out=half)
                np.matmul(W, half.reshape(len(W), len(H), -1), out=whole)

    return clock(run)


def memory(name, function):
    tracemalloc.start()
    function()
    print(f"  {name:38s} {tracemalloc.get_traced_memory()[1] / 1e6:6.0f} MB")
    tracemalloc.stop()


def resident():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def as_printed(loss, x):
    """Run procedure HESS on the middle layer: Y = np.kron(I, X), a dense D of (n m)² numbers."""
    rng, (n_in, n) = np.random.default_rng(0), loss.net.shapes[1]

    def bytes_of(m, n_in, n):  # of D; of Y and Y D; of E; of H_W
        return 8 * ((n * m) ** 2 + 2 * n * n_in * n * m + n * m * n + (n * n_in) ** 2)

    def multiplications(m, n_in, n):  # for Y D, and then for its product with Yᵀ
        return n * n_in * n * m * (n * m + n * n_in)

    m = max(m for m in range(1, loss.n_samples) if bytes_of(m, n_in, n) <= BUDGET)
    X, H, part = rng.normal(size=(n_in, m)), rng.normal(size=(n, m, n)), loss.subset(slice(m))

    def procedure():
        Y = np.kron(np.eye(n), X)
        D, E = np.zeros((n * m, n * m)), np.zeros((n * m, n))
        for i in range(m):
            D[i * n : (i + 1) * n, i * n : (i + 1) * n] = H[:, i]
            E[i * n : (i + 1) * n] = H[:, i]
        return Y @ D @ Y.T, Y @ E, H.sum(axis=1)

    print(f"\nProcedure HESS as printed: the middle layer alone, {m} rows")
    ours = clock(lambda: layer_hessians(part, x))
    times = compare({"soo_lib, every layer": ours, "np.kron(I, X), dense D": clock(procedure)}, 1)
    memory("np.kron(I, X), dense D", procedure)
    more = multiplications(1000, 784, 300) / multiplications(m, n_in, n)
    print(
        f"  by formula, not measured: 1,000 rows through 784-300 need "
        f"{bytes_of(1000, 784, 300) / 1e9:,.0f} GB, {8e-9 * 300_000**2:.0f} of them D, and "
        f"{more * times[-1] / 86400:,.0f} days"
    )


def torch_contestant(loss, x):
    try:
        import torch
    except ImportError:
        print("(PyTorch is not installed: its rows are left out)")
        return None
    torch.set_num_threads(THREADS)
    X, y, x = torch.from_numpy(loss.X), torch.from_numpy(loss.y), torch.from_numpy(x)
    pieces = list(zip(loss.net.shapes, loss.net.layer_slices))

    def cost(part, layer):
        A = X
        for at, ((n_in, n_out), where) in enumerate(pieces):
            flat = part if at == layer else x[where]
            A = (torch.sigmoid(A) if at else A) @ flat[:-n_out].reshape(n_in, n_out) + flat[-n_out:]
        return torch.nn.functional.cross_entropy(A, y)

    def blocks():
        return [torch.func.hessian(cost)(x[part], at) for at, (_, part) in enumerate(pieces)]

    return clock(blocks)


if __name__ == "__main__":
    main()

"""Bad input, once: a table a package of what is called and what the error says.

Each row is a call, the name of the argument, and what its message holds beside it: what came, or
what is needed. What is fed at random stands in test_fuzz.py.
"""

import inspect
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import OWN, SCIPYS, Quadratic, complains, overlapping
from scipy.sparse.linalg import LinearOperator

from soo_lib import gradient_test
from soo_lib.curvature import (
    adagrad_diagonal,
    damped,
    exact_diagonal,
    extreme_eigenvalues,
    ggn_product,
    hessian_diagonal,
    kronecker_cholesky,
    kronecker_factors,
    layer_cholesky,
    layer_hessians,
    layer_signs,
    martens,
    operator,
    quadrature,
    smallest_eigenvalue,
    spectral_density,
    squared_gradients,
    trace,
)
from soo_lib.curvature.layers import backward_hessians
from soo_lib.losses import (
    L2,
    Batched,
    Logistic,
    Loss,
    Network,
    Preconditioned,
    Reshuffled,
    Rosenbrock,
    draw,
    partition,
)
from soo_lib.losses.activations import ACTIVATIONS
from soo_lib.solvers import (
    NonlinearCG,
    backtracking,
    dai_yuan,
    minimize,
    minimize_refreshed,
    powell,
    wolfe,
)
from soo_lib.solvers.line_search import LINE_SEARCHES
from soo_lib.stochastic import RULES, minimize_stochastic, warm_up

CURVATURES = "exact", "ggn", "layers", "kronecker"
X = np.array([[1.0, 2.0], [1.0, 0.0], [1.0, -1.0]])
Y = np.array([0, 1, 1])
IMAGES = np.random.default_rng(0).normal(size=(5, 4))
LABELS = np.array([0, 1, 2, 1, 0])
KINDS = adagrad_diagonal, martens, exact_diagonal, layer_cholesky, kronecker_cholesky
ROWS = overlapping(60)  # 60 rows, 3 parameters
NET = Network([4, 5, 3], "tanh")  # 43 parameters
NET_LOSS = NET.loss(np.random.default_rng(1).normal(size=(40, 4)), np.arange(40) % 3, l2=0.02)
AT = NET.init(2) + 0.1


def losses():
    yield from (
        (partial(Logistic, *given), name, got)
        for given, name, got in [
            ((X[:, 0], Y), "X", "(3,)"),
            ((X[None], Y), "X", "(1, 3, 2)"),
            ((X[:0], Y[:0]), "X", "(0, 2)"),
            ((X[:, :0], Y), "X", "(3, 0)"),
            (([], []), "X", "(0,)"),
            ((X, Y[:2]), "y", "(2,)"),
            ((X, Y[:, None]), "y", "(3, 1)"),
            ((X, np.eye(3)), "y", "(3, 3)"),
            ((X * [1, np.nan], Y), "X", "3 NaN"),
            ((X + [np.inf, 0], Y), "X", "3 NaN or infinite"),
            ((X, [0, 1, np.nan]), "y", "1 NaN"),
            ((X, [0, 1, np.inf]), "y", "1 NaN or infinite"),
            ((X, [0, 1, 2]), "y", "2"),
            ((X, [-1, 1, 1]), "y", "-1"),
            ((X, [0, 1, 0.5]), "y", "0.5"),
            ((X, [1, 1, 1]), "y", "only 1"),
            ((X, [0, 0, 0]), "y", "only 0"),
            ((X, ["a", "b", "b"]), "y", "a"),
            (([["a", "b"]] * 3, Y), "X", "a"),
            (([[1, 2], [3], [4, 5]], Y), "X", ""),
            ((X * 1j, Y), "X", "complex"),
            ((X, Y * 1j), "y", "complex"),
            ((X, Y, -1e-9), "l2", "-1e-09"),
            ((X, Y, np.nan), "l2", "nan"),
            ((X, Y, np.inf), "l2", "inf"),
            ((X, Y, None), "l2", "None"),
            ((X, Y, "much"), "l2", "much"),
        ]
    )
    for name, value in [("a", np.nan), ("b", np.inf), ("a", "x"), ("b", None)]:
        yield partial(Rosenbrock, **{name: value}), name, value
    for x in ("ab", ["a", "b"], [1, [2]], [1j, 2], np.array([1j, 2])):
        yield partial(Rosenbrock().fun, x), "x"
    yield lambda: L2(3, -0.1), "l2", -0.1
    yield lambda: L2(0, 0.1), "n_params", 0
    yield lambda: L2(2.5, 0.1), "n_params", 2.5
    yield lambda: L2(3, 0.1, np.ones(2)), "mask", "(2,)", "(3,)"
    yield lambda: L2(3, 0.1, [1, 0, -2]), "mask", -2
    fitted = Logistic(X, Y)
    yield lambda: fitted.predict([1.0, 2.0], X[:, :1]), "X", "(3, 1)", "2"
    yield lambda: fitted.predict([1.0, 2.0], X[0]), "X", "(2,)"
    yield lambda: fitted.predict([1.0], X), "x", "(1,)"
    for rows in (np.array([], int), np.array([], complex), np.array([1j])):
        yield partial(fitted.subset, rows), "rows"
    for name in ("fun", "jac", "fun_and_jac"):
        yield partial(getattr(Loss(), name), [3.0]), "loss", "fun and jac"
    # vectors of a wrong length, of every loss over data and around one
    wrapped = Batched(ROWS, partition(60, 10)), Reshuffled(ROWS, 10, 3)
    for loss in (Rosenbrock(), ROWS, NET_LOSS, *wrapped):
        n = loss.n_params
        for x in (np.ones(n + 1), np.ones(n - 1), np.ones(1), np.ones((n, 1)), 1.0):
            for call in (loss.fun, loss.jac, loss.fun_and_jac, loss.hess):
                yield partial(call, x), "x", np.shape(x), f"({n},)"
            yield partial(loss.hessp, x, np.ones(n)), "x", np.shape(x), f"({n},)"
            yield partial(loss.hessp, np.ones(n), x), "p", np.shape(x), f"({n},)"


def networks():
    yield from (
        (partial(Network, sizes), name, got)
        for sizes, name, got in [
            ([], "sizes", "[]"),
            ([3], "sizes", "[3]"),
            ([3, 1], "sizes", "[3, 1]"),
            ([3, 0, 2], "sizes[1]", 0),
            ([-3, 2], "sizes[0]", -3),
            ([3, 2.5, 2], "sizes[1]", 2.5),
            ([3, True, 2], "sizes[1]", True),
            ([3, "5", 2], "sizes[1]", "5"),
            ([3, None], "sizes[1]", None),
            (5, "sizes", 5),
        ]
    )
    for activation in ("softplus", "Sigmoid", None, ""):
        yield partial(Network, [3, 2], activation), "activation", repr(activation), *ACTIVATIONS
    yield lambda: Network([3, 2]).init(0, scale="fan_out"), "scale", "fan_out", "unit"
    yield from (
        (partial(Network([4, 3]).loss, *given), name, got)
        for given, name, got in [
            ((IMAGES[:, 0], LABELS), "X", "(5,)"),
            ((IMAGES[None], LABELS), "X", "(1, 5, 4)"),
            ((IMAGES[:0], LABELS[:0]), "X", "(0, 4)"),
            ((IMAGES[:, :3], LABELS), "X", "3"),
            ((IMAGES, LABELS[:4]), "y", "(4,)"),
            ((IMAGES, LABELS[:, None]), "y", "(5, 1)"),
            ((IMAGES * np.nan, LABELS), "X", "20 NaN"),
            ((IMAGES + np.array([np.inf, 0, 0, 0]), LABELS), "X", "5 NaN or infinite"),
            ((IMAGES, np.array([0, 1, 2, 1, np.nan])), "y", "1 NaN"),
            ((IMAGES, [0, 1, 2, 3, 0]), "y", "3"),
            ((IMAGES, [0, 1, 2, -1, 0]), "y", "-1"),
            ((IMAGES, [0, 1, 2, 0.5, 0]), "y", "0.5"),
            ((IMAGES, list("abcab")), "y", "a"),
            ((IMAGES.astype(str), np.array(list("abcab"))), "y", "a"),
            ((IMAGES * 1j, LABELS), "X", "complex"),
            ((IMAGES, LABELS * 1j), "y", "complex"),
            ((IMAGES, LABELS, -0.1), "l2", -0.1),
            ((IMAGES, LABELS, np.nan), "l2", "nan"),
            ((IMAGES, LABELS, 0.1, False, np.float16), "dtype", "float16"),
            ((IMAGES, LABELS, 0.1, False, int), "dtype", "int"),
            ((IMAGES, LABELS, 0.1, False, complex), "dtype", "complex"),
            ((IMAGES, LABELS, 0.1, False, "single precision"), "dtype", "single precision"),
            ((IMAGES * 1e300, LABELS, 0.1, False, np.float32), "X", ""),
        ]
    )
    net, six = Network([4, 3]), Network([6, 3])
    loss = net.loss(IMAGES, LABELS)
    for x in (np.zeros(0), np.zeros(1), np.zeros(14), np.zeros(16)):
        for call in (net.unpack, partial(net.predict, X=IMAGES)):
            yield partial(call, x), "x", x.shape, "(15,)"
    yield lambda: loss.fun("weights"), "x"
    yield lambda: loss.fun(np.zeros(15) * 1j), "x"
    yield lambda: loss.subset(np.array([], int)), "rows"
    for rows in (IMAGES[:, :3], IMAGES[0], IMAGES[:0], np.ones((2, 4, 1))):
        yield partial(net.predict, np.zeros(15), rows), "X", rows.shape, "4"
    yield lambda: six.loss(np.zeros((5, 7), np.uint8), LABELS), "X", "(5, 7)", "6"
    yield lambda: six.loss(np.zeros((0, 6), np.uint8), LABELS), "X", "(0, 6)"
    for name in ("scale", "shift"):
        given = partial(six.loss, np.zeros((5, 6)), LABELS, **{name: 2.0})
        yield given, "X", "uint8", "float64"
        yield partial(six.loss, np.zeros((5, 6), np.uint8), LABELS, **{name: np.nan}), name
    two = Network([2, 3, 2])
    layers = two.unpack(np.zeros(17))
    for wrong in (3, None, [1, 2], [layer * 2 for layer in layers], layers[:-1], [[[1], [1, 2]]]):
        yield partial(two.pack, wrong), "layers", "(W, b)"
    yield lambda: two.pack(layers[:1]), "layers", "(2, 3)"
    yield lambda: two.pack([(W.T, b) for W, b in layers]), "layers", "(2, 3)", "(3, 2)"


def batches():
    for size in (0, -1, 2.5, 61, True, None, "10", np.nan):
        yield partial(partition, 60, size), "batch_size", repr(size), 60
        yield partial(draw, 60, size, 3), "batch_size", repr(size), 60
        yield partial(Reshuffled, ROWS, size, 3), "batch_size", repr(size), 60
    for count in (0, -1, 2.5, True, None, 10**400):
        yield partial(draw, 60, 10, count), "n_batches", count
        yield partial(Reshuffled, ROWS, 10, count), "n_batches", count
    for m in (0, -3, 2.5, True):
        yield partial(partition, m, 1), "m", m
        yield partial(draw, m, 1, 1), "m", m
    for seed in ("two", 1.5, -1, [1, 2]):
        yield partial(partition, 9, 3, seed), "seed", repr(seed)
        yield partial(draw, 9, 3, 2, seed), "seed", repr(seed)
        yield partial(Reshuffled, ROWS, 3, 2, seed), "seed", repr(seed)
    for loss in (Rosenbrock(), "logistic", None):
        yield partial(Batched, loss, [[0, 1]]), "loss", repr(loss), "subset"
        yield partial(Reshuffled, loss, 2, 3), "loss", repr(loss), "subset"
    yield lambda: Batched(ROWS, []), "batches"
    yield lambda: Batched(ROWS, [np.arange(3), np.array([], int)]), "batches", "empty"
    yield lambda: Batched(ROWS, np.arange(6).reshape(2, 3)), "batches", "lists of rows"
    for weights in ("row", "sizes", 1):
        yield partial(Batched, ROWS, [np.arange(3)], weights), "weights", weights, "rows"


def preconditioned():
    yield from (
        (partial(Preconditioned, NET_LOSS, P), *said)
        for P, *said in [
            (np.ones(42), "P", 43, 42),
            ([np.ones(25), np.ones(17)], "P", 43, 42),
            ([np.ones(25), (np.eye(6), np.eye(4))], "P", 43, 49),
            (np.r_[np.ones(42), 0.0], "P", "> 0", "0"),
            (np.r_[np.ones(42), -2.0], "P", "> 0", "-2"),
            (np.r_[np.ones(42), np.nan], "P", "finite"),
            (np.ones((43, 43)), "P", "invertible", "singular"),
            (np.ones((43, 42)), "P", "square", "(43, 42)"),
            (np.ones((2, 2, 2)), "P", "(2, 2, 2)"),
            (1.0, "P", "()"),
            ([], "P", 43, 0),
            ("diagonal", "P", "real numbers"),
            ([10**400], "P[0]", "real numbers"),
            ([np.ones(25), (np.eye(6), np.zeros((3, 3)))], "P[1][1]", "singular"),
            ([np.ones(25), (np.eye(6), -np.ones(3))], "P[1][1]", "> 0"),
        ]
    )
    for damping in (0, -1e-3, np.nan, "small", None):
        for kind in KINDS:
            yield partial(kind, NET_LOSS, AT, damping), "damping", "> 0", damping
        yield partial(damped, np.eye(2), np.eye(3), damping), "damping", "> 0", damping
    refreshed = {"loss": NET_LOSS, "x0": AT, "kind": adagrad_diagonal}
    yield from (
        (partial(minimize_refreshed, **{**refreshed, **given}), *said)
        for given, *said in [
            ({"every": 0}, "every", ">= 1", "0"),
            ({"every": -3}, "every", "-3"),
            ({"every": 2.5}, "every", "2.5"),
            ({"rows": 0}, "rows", "0"),
            ({"rows": 41}, "rows", "<= 40", "41"),
            ({"rows": 1, "loss": Rosenbrock(), "x0": np.zeros(2)}, "loss", "Rosenbrock", "subset"),
            ({"maxiter": -1}, "maxiter", "-1"),
            ({"x0": np.zeros(42)}, "x0", "(43,)", "(42,)"),
            ({"x0": np.full(43, np.nan)}, "x0", "finite", "43"),
            ({"method": "sgd"}, "method", "'sgd'"),
            ({"kind": 3}, "kind", "3"),
            ({"callback": 3}, "callback", "function", "3"),
        ]
    )


def curvature():
    for call in (layer_hessians, hessian_diagonal, lambda *given: list(backward_hessians(*given))):
        for bad in ("gauss-newton", "GGN", None, ""):
            yield (
                partial(call, NET_LOSS, AT, bad),
                "curvature",
                repr(bad),
                "exact",
                "ggn",
                "clipped",
            )
    vectors = layer_hessians, hessian_diagonal, kronecker_factors, layer_signs
    for shape in ((0,), (1,), (42,), (44,), (43, 1), (1, 43)):
        for call in (*vectors, lambda *given: list(backward_hessians(*given))):
            yield partial(call, NET_LOSS, np.zeros(shape)), "x", shape, "(43,)"
        yield partial(ggn_product, NET_LOSS, np.zeros(shape), AT), "x", shape, "(43,)"
        yield partial(ggn_product, NET_LOSS, AT, np.zeros(shape)), "p", shape, "(43,)"
    for call in (*vectors, squared_gradients):
        yield partial(call, ROWS, np.zeros(3)), "loss", "Logistic", "Network.loss"
    for call in (layer_signs, smallest_eigenvalue):
        yield partial(call, NET_LOSS, np.nan * AT), "x", "finite"
    for bad in ("hessian", "GGN", None, "", ["exact"]):
        yield partial(operator, NET_LOSS, AT, bad), "curvature", repr(bad), *CURVATURES
    for name in CURVATURES:
        yield partial(operator, NET_LOSS, AT[1:], name), "x", "(42,)", "(43,)"
        yield partial(operator, NET_LOSS, np.inf * AT, name), "x", "finite"
    A = np.eye(4)
    estimators = (
        extreme_eigenvalues,
        spectral_density,
        trace,
        lambda A: quadrature(A, np.ones(3), 2),
    )
    matrices = [
        (None, "None"),
        ("abc", "abc"),
        (np.ones(3), "(1, 3)"),
        (np.ones((3, 2)), "(3, 2)"),
        (np.ones((0, 0)), "(0, 0)"),
        (np.ones((2, 2, 2)), "ndim"),
        (1j * np.eye(3), "complex"),
        (np.array([["a"] * 3] * 3), "<U1"),
        (np.triu(np.ones((3, 3))), "symmetric"),
        (np.diag([1, np.nan, 2]), "NaN"),
        (np.diag([1, np.inf, 2]), "NaN"),
    ]
    for call in estimators:
        yield from ((partial(call, matrix), "A", got) for matrix, got in matrices)
    for n in (3, 600):
        overflowing = LinearOperator((n, n), lambda p: np.nan * p, dtype=float)
        for call in estimators[:3]:
            yield partial(call, overflowing), "A", "finite products"
    yield lambda: quadrature(A, np.ones(3), 2), "v", "(4,)", "(3,)"
    yield lambda: quadrature(A, np.zeros(4), 2), "v", "0"
    yield lambda: quadrature(A, np.full(4, np.nan), 2), "v", "finite"
    yield lambda: quadrature(A, np.ones(4), 0), "steps", 0
    yield lambda: extreme_eigenvalues(A, k=0), "k", 0
    yield lambda: extreme_eigenvalues(A, tol=-1), "tol", -1
    yield lambda: extreme_eigenvalues(A, k=3, products=5), "products", 5, 6
    yield lambda: extreme_eigenvalues(A, seed=-1), "seed", -1
    yield lambda: spectral_density(A, steps=0), "steps", 0
    yield lambda: spectral_density(A, starts=1.5), "starts", 1.5
    yield lambda: spectral_density(A, width=-1), "width", -1
    yield lambda: spectral_density(A, points=1), "points", 1
    yield lambda: trace(A, products=5), "products", 5


def the_gradient_test():
    loss = Rosenbrock()
    for value, got in [
        ("3", "<U1"),
        (np.ones(1), "(1,)"),
        (1 + 0j, "complex128"),
        (None, "object"),
    ]:
        odd = SimpleNamespace(fun=lambda x, value=value: value, jac=lambda x: x)
        yield partial(gradient_test, odd, [1.0]), "value", "one real number", got
    yield lambda: gradient_test(loss, [1.0, np.nan]), "x", "NaN"
    yield lambda: gradient_test(loss, [1.0, np.inf]), "x", "infinite"
    yield lambda: gradient_test(loss, [1.0, 2.0, 3.0]), "x", "(3,)", "(2,)"
    yield lambda: gradient_test(loss, 1.0), "x", "()", "(2,)"
    plain = SimpleNamespace(fun=loss.fun, jac=loss.jac)  # the length of x is all that it goes by
    yield lambda: gradient_test(plain, [[1.0], [2.0, 3.0]]), "x", "a vector"
    yield lambda: minimize(plain, [[1.0], [2.0, 3.0]]), "x0", "a vector"


class Unsized(Loss):
    """A subclass of Loss that forgot n_params."""

    def fun(self, x):
        return float(x @ x)


def solvers():
    run = {"loss": Rosenbrock(), "x0": [0.0, 0.0]}
    yield from (
        (partial(minimize, **{**run, **given}), *said)
        for given, *said in [
            ({"x0": [0, 0, 0]}, "x0", "(3,)", "(2,)"),
            ({"x0": 0.0}, "x0", "()"),
            ({"x0": [[0, 0]]}, "x0", "(1, 2)"),
            ({"x0": [0, np.nan]}, "x0", "1 NaN"),
            ({"x0": [np.inf, -np.inf]}, "x0", "2 NaN or infinite"),
            ({"x0": ["a", "b"]}, "x0", "a"),
            ({"x0": [1j, 0]}, "x0", "complex"),
            ({"x0": None}, "x0"),
            ({"method": "Newton"}, "method", "'Newton'", *OWN, *SCIPYS),
            ({"method": "Nelder-Mead"}, "method", "'Nelder-Mead'", *OWN, *SCIPYS),
            ({"method": None}, "method", "None", *OWN),
            ({"line_search": "armijo"}, "line_search", "'armijo'", *LINE_SEARCHES),
            ({"line_search": ""}, "line_search", "''", *LINE_SEARCHES),
            ({"line_search": 1}, "line_search", "1", *LINE_SEARCHES),
            ({"method": "CG", "line_search": "wolfe"}, "line_search", "'wolfe'", "CG"),
            ({"step": 0}, "step", "0"),
            ({"step": -1.0}, "step", "-1.0"),
            ({"step": np.nan}, "step", "nan"),
            ({"step": None}, "step", "None"),
            ({"maxiter": -1}, "maxiter", "-1"),
            ({"maxiter": 2.5}, "maxiter", "2.5"),
            ({"maxiter": True}, "maxiter", "True"),
            ({"maxiter": None}, "maxiter", "None"),
            ({"gtol": -1e-8}, "gtol", "-1e-08"),
            ({"gtol": np.nan}, "gtol", "nan"),
            ({"ftol": -1e-8}, "ftol", "-1e-08"),
            ({"ftol": "small"}, "ftol", "small"),
            ({"c1": 0.5, "c2": 0.1}, "c1", "0.5", "0.1", "c2"),
            ({"c1": 0.95}, "c1", "0.95", "c2"),
            ({"method": "gradient", "c1": 0.2}, "c1", "0.2", "c2"),
            ({"c1": 0}, "c1", "0"),
            ({"c2": 1}, "c2", "1"),
            ({"line_search": "backtracking", "shrink": 1.5}, "shrink", "1.5"),
            ({"max_trials": 0}, "max_trials", "0"),
            ({"method": "lbfgs", "memory": 0}, "memory", "0"),
            ({"method": "lbfgs", "memory": 2.5}, "memory", "2.5"),
        ]
    )
    for method, name in [("L-BFGS-B", "bounds"), ("CG", "tol"), ("BFGS", "args")]:
        yield partial(minimize, **run, method=method, **{name: (1, 2)}), "settings", name
    yield lambda: minimize(3, np.zeros(3)), "loss", "fun and jac", "3"
    yield lambda: minimize(Loss(), [1.0]), "loss"
    yield lambda: minimize(Unsized(), [1.0]), "Loss", "n_params"
    yield lambda: minimize(SimpleNamespace(fun=np.sum, jac=np.ones_like), []), "x0"
    for rule in (wolfe, backtracking):
        for c1 in (0, 1, -0.1, 1.5, np.nan, np.inf, None, "small"):
            yield partial(rule, c1=c1), "c1", c1
        for max_trials in (0, -1, 2.5, True, None):
            yield partial(rule, max_trials=max_trials), "max_trials", max_trials
    for c2 in (0, 1, -0.1, 1.5, np.nan):
        yield partial(wolfe, c2=c2), "c2", c2
    for c1, c2 in [(0.5, 0.5), (0.5, 0.1), (1e-4, 1e-5)]:
        yield partial(wolfe, c1, c2), "c1", "c2", c1, c2
    for shrink in (0, 1, -0.5, 2, np.nan):
        yield partial(backtracking, shrink=shrink), "shrink", shrink
    yield lambda: NonlinearCG("fletcher_reeves"), "beta", "fletcher_reeves"
    yield lambda: minimize(**run, method="nlcg", beta=0.5), "beta", 0.5
    for value in (np.ones(2), np.ones(1), None, 1j, "x", 10**400):
        odd = partial(minimize, **run, method="nlcg", beta=lambda *_, value=value: value)
        yield odd, "what beta gives", "one real number"
    yield lambda: powell(None), "beta"
    yield lambda: powell(dai_yuan, nu=-1), "nu", -1
    for method in ("gradient", "nlcg", "arc"):
        radius = partial(minimize, **run, method=method, line_search="trust")
        yield radius, "method", method, "newton", "bfgs", "lbfgs", "hessian-free"
    yield partial(minimize, **run, method="newton", line_search="trust", step=0), "step"
    for given, *said in [
        ({"warm": -0.1}, "warm", "-0.1"),
        ({"warm": 2}, "warm", "2"),
        ({"preconditioner": 3}, "preconditioner", "3"),
        ({"preconditioner": lambda x, damping: np.ones(3)}, "P", "2", "3"),
        ({"preconditioner": lambda x, damping: np.zeros(2)}, "preconditioner", "> 0", "0"),
        ({"damping": 0}, "damping"),
        ({"damping": -1.0}, "damping"),
    ]:
        yield partial(minimize, **run, method="hessian-free", **given), *said
    for given in ({"sigma": 0}, {"sigma": np.nan}):
        yield partial(minimize, **run, method="arc", **given), "sigma"
    for method in ("hessian-free", "arc"):
        for given in (0, 1.5):
            yield partial(minimize, **run, method=method, products=given), "products"


SETTINGS = [
    ({"rule": "adamw"}, "rule", "adamw", "adam"),
    ({"rule": ["sgd"]}, "rule", "['sgd']"),
    ({"rule": lambda *given: (0.0, 1.0), "momentum": 0.5}, "rule", "name", "momentum"),
    ({"rule": lambda batch, x, f, g, step: -step * g}, "rule", "(change, step)"),
    ({"rule": lambda batch, x, f, g, step: [-step * g, step]}, "rule", "(change, step)"),
    ({"rule": lambda batch, x, f, g, step: (0.0, step)}, "the rule's change", "(43,)"),
    ({"rule": lambda batch, x, f, g, step: (-step * g, g)}, "the rule's step", "number"),
    ({"batch_size": 0}, "batch_size", 0, 40),
    ({"batch_size": 41}, "batch_size", 41),
    ({"batch_size": 2.5}, "batch_size", 2.5),
    ({"epochs": -1}, "epochs", -1),
    ({"step": 0}, "step", "> 0"),
    ({"step": np.nan}, "step", "nan"),
    ({"seed": -1}, "seed", -1),
    ({"seed": None}, "seed", None),
    ({"callback": 3}, "callback", 3),
    ({"x0": np.zeros(3)}, "x0", "(43,)", "(3,)"),
    ({"x0": np.full(43, np.inf)}, "x0", "finite"),
    ({"schedule": 0.5}, "schedule", "function", 0.5),
    ({"schedule": lambda t: 0.0}, "schedule(0)", "> 0"),
    ({"schedule": lambda t: 0.5 - t}, "schedule(0.5)", "> 0"),
    ({"schedule": lambda t: np.nan}, "schedule(0)", "finite"),
    ({"schedule": lambda t: "fast"}, "schedule(0)", "fast"),
    ({"rule": "sgd", "momentum": 0.9}, "settings", "momentum"),
    ({"rule": "momentum", "momentum": -0.1}, "momentum", -0.1, ">= 0"),
    ({"rule": "nesterov", "momentum": "much"}, "momentum", "much"),
    ({"rule": "adagrad", "eps": -1}, "eps", -1),
    ({"rule": "rmsprop", "beta": 1}, "beta", "< 1"),
    ({"rule": "rmsprop", "eps": None}, "eps", None),
    ({"rule": "adam", "beta1": np.nan}, "beta1", "nan"),
    ({"rule": "adam", "beta2": 1.0}, "beta2", 1.0, "< 1"),
    ({"rule": "adam", "eps": 0.0}, "eps", "> 0"),
    ({"rule": "aprox", "low": np.inf}, "low", "inf"),
    ({"rule": "sls", "c1": 0.0}, "c1", "> 0"),
    ({"rule": "sls", "c1": 1}, "c1", "< 1"),
    ({"rule": "sls", "shrink": 1.0}, "shrink", "< 1"),
    ({"rule": "sls", "growth": 0.9}, "growth", ">= 1"),
    ({"rule": "schedule_free", "momentum": 1.0}, "momentum", "< 1"),
    ({"rule": "schedule_free", "weight_decay": -1}, "weight_decay", -1),
    ({"rule": "lbfgs", "memory": 0}, "memory", 0),
    ({"rule": "adahessian", "beta1": 2}, "beta1", 2),
    ({"rule": "adahessian", "beta2": 2}, "beta2", 2),
    ({"rule": "adahessian", "weight_decay": -0.1}, "weight_decay", -0.1),
    ({"rule": "adahessian", "eps": 0}, "eps", "> 0"),
    ({"rule": "muon", "momentum": 1.5}, "momentum", 1.5),
    ({"rule": "muon", "last": "sgd"}, "last", "sgd", "adam"),
    ({"rule": "muon", "nesterov": 2}, "nesterov", 2, True),
    ({"rule": "muon", "nesterov": [True]}, "nesterov", [True]),
    ({"rule": "muon", "weight_decay": np.inf}, "weight_decay", "inf"),
    ({"rule": "shampoo", "beta1": 1}, "beta1", "< 1"),
    ({"rule": "shampoo", "beta2": 1}, "beta2", "< 1"),
    ({"rule": "shampoo", "graft": "adam"}, "graft", "adam"),
    ({"rule": "shampoo", "decay": 1.1}, "decay", 1.1, "<= 1"),
    ({"rule": "shampoo", "refresh": 0}, "refresh", 0),
    ({"rule": "shampoo", "eps": 0}, "eps", "> 0"),
    ({"rule": "shampoo", "weight_decay": -1}, "weight_decay", -1),
    ({"rule": "soap", "beta1": 1.0}, "beta1", "< 1"),
    ({"rule": "soap", "beta2": 1.0}, "beta2", "< 1"),
    ({"rule": "soap", "decay": 1.0}, "decay", "< 1"),
    ({"rule": "soap", "refresh": 1.5}, "refresh", 1.5),
    ({"rule": "soap", "eps": 0}, "eps", "> 0"),
    ({"rule": "soap", "weight_decay": -1}, "weight_decay", -1),
    ({"rule": "kronecker", "damping": 0.0}, "damping", "> 0"),
    ({"rule": "kronecker", "damping": -1e-2}, "damping", -1e-2),
    ({"rule": "kronecker", "refresh": 0}, "refresh", 0),
    ({"rule": "kronecker", "decay": 1.0}, "decay", "< 1"),
    ({"rule": "kronecker", "momentum": 1.5}, "momentum", 1.5),
    ({"rule": "kronecker", "truncate": -0.1}, "truncate", -0.1),
    ({"rule": "kronecker", "truncate": 0.1, "ekfac": True}, "truncate", "ekfac"),
    ({"rule": "kronecker", "ekfac": None}, "ekfac", None),
]


def stochastic():
    run = {"loss": NET_LOSS, "x0": AT, "batch_size": 10, "epochs": 2}
    yield from (
        (partial(minimize_stochastic, **{**run, **given}), *said) for given, *said in SETTINGS
    )
    for loss in (Rosenbrock(), Quadratic(2), object()):
        yield partial(minimize_stochastic, loss, np.zeros(2)), "loss", "subset"
    for share in (0, 1, -0.1, np.nan, "soon"):
        yield partial(warm_up, share), "share", share
    yield lambda: warm_up(0.1, 3), "then", 3
    yield lambda: warm_up(0.1, lambda t: -1)(0.5), "then(0.444)", "> 0"


PACKAGES = [
    losses,
    networks,
    batches,
    preconditioned,
    curvature,
    the_gradient_test,
    solvers,
    stochastic,
]


@pytest.mark.parametrize(
    "call, name, got",
    [
        pytest.param(call, name, got, id=f"{rows.__name__}-{k}-{name}")
        for rows in PACKAGES
        for k, (call, name, *got) in enumerate(rows())
    ],
)
def test_bad_input_is_named(call, name, got):
    complains(call, name, *got)


def test_every_setting_is_asked_wrongly():
    """A rule that takes one more must check it, and stand in the table with it."""
    asked = [(given.get("rule"), name) for given, name, *_ in SETTINGS]
    for rule, make in RULES.items():
        for name in inspect.signature(make).parameters:
            assert (rule, name) in asked

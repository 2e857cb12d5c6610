"""Your own model as a loss: against our own network, and with every instrument of the library."""

import copy
from functools import cache

import numpy as np
import pytest
from helpers import complains

from soo_lib import gradient_test, minimize, minimize_stochastic
from soo_lib.curvature import (
    extreme_eigenvalues,
    kronecker_factors,
    operator,
    spectral_density,
    trace,
)
from soo_lib.losses import Batched, Network, Preconditioned, from_jax, from_torch, partition
from soo_lib.solvers.minimize import OWN
from soo_lib.solvers.scipy import SCIPY

try:
    import torch
    from torch import nn
except ModuleNotFoundError:
    torch = None
try:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
except ModuleNotFoundError:
    jax = None

needs_torch = pytest.mark.skipif(torch is None, reason="torch is not installed")
needs_jax = pytest.mark.skipif(jax is None, reason="jax is not installed")
SIZES = [4, 5, 3]


def rows(m=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, SIZES[0])), rng.integers(0, SIZES[-1], m)


def mlp():
    """A small network whose weights are drawn by numpy, as those of our own."""
    module = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    with torch.no_grad():
        for layer, (W, b) in zip(module[::2], our_layers()):
            layer.weight.copy_(torch.tensor(W.T))
            layer.bias.copy_(torch.tensor(b))
    return module


def our_layers():
    net = Network(SIZES, "tanh")
    return net.unpack(np.random.default_rng(1).normal(size=net.n_params) / 2)


def ours():
    net = Network(SIZES, "tanh")
    return net.loss(*rows()), net.pack(our_layers())


@cache
def cnn_loss(m=12, dtype="float64"):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12, 3)
    )
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(m, 1, 6, 6)), rng.integers(0, 3, m)
    return from_torch(module, nn.CrossEntropyLoss(), X, y, dtype=dtype)


@cache
def mlp_loss():
    return from_torch(mlp(), nn.CrossEntropyLoss(), *rows())


def jax_model(params, X):
    (W, b), (V, c) = params
    return jnp.tanh(X @ W + b) @ V + c


def jax_criterion(Z, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(Z), y[:, None], axis=1).mean()


@cache  # what is compiled stays with it
def jax_loss():
    def fun(params, X, y):
        return jax_criterion(jax_model(params, X), y)

    return from_jax(fun, our_layers(), rows(), (jax_model, jax_criterion))


MAKERS = {
    "torch mlp": pytest.param(mlp_loss, marks=needs_torch, id="torch mlp"),
    "torch cnn": pytest.param(cnn_loss, marks=needs_torch, id="torch cnn"),
    "jax": pytest.param(jax_loss, marks=needs_jax, id="jax"),
}
each_loss = pytest.mark.parametrize("make", MAKERS.values())
each_twin = pytest.mark.parametrize("make", [MAKERS["torch mlp"], MAKERS["jax"]])


# ---- against our own network


@each_twin
def test_the_same_weights_give_what_our_own_network_gives(make):
    loss, (own, x) = make(), ours()
    p = np.random.default_rng(2).normal(size=loss.n_params)
    np.testing.assert_allclose(loss.x0, x, rtol=1e-15)
    for at in (x, x + p):
        assert np.isclose(loss.fun(at), own.fun(at), rtol=1e-13)
        for name in ("jac", "hess"):
            found, known = getattr(loss, name)(at), getattr(own, name)(at)
            np.testing.assert_allclose(found, known, rtol=1e-11, atol=1e-14)
        for name in ("hessp", "ggnp"):
            found, known = getattr(loss, name)(at, p), getattr(own, name)(at, p)
            np.testing.assert_allclose(found, known, rtol=1e-11, atol=1e-14)
    assert (loss.n_params, loss.n_samples, np.dtype(loss.dtype)) == (own.n_params, 40, float)
    assert loss.layer_slices == own.net.layer_slices
    assert [shape for _, shape in loss.matrices] == own.net.shapes
    for (part, shape), (W, _) in zip(loss.matrices, own.net.unpack(x)):
        np.testing.assert_array_equal(x[part].reshape(shape), W)
    some = [3, 3, 0, -1]
    assert np.isclose(loss.subset(some).fun(x), own.subset(some).fun(x), rtol=1e-13)


@each_twin
def test_blocks_of_rows_make_one_mean(make, monkeypatch):
    loss = make()
    p = np.random.default_rng(2).normal(size=loss.n_params)
    whole = loss.fun_and_jac(loss.x0), loss.hessp(loss.x0, p), loss.ggnp(loss.x0, p)
    monkeypatch.setattr("soo_lib.losses.adapters.BLOCK", 16)  # 16, 16 and 8 of the 40 rows
    (f, g), Hp, Gp = loss.fun_and_jac(loss.x0), loss.hessp(loss.x0, p), loss.ggnp(loss.x0, p)
    for found, known in zip((f, g, Hp, Gp, loss.fun(loss.x0)), (*whole[0], *whole[1:], f)):
        np.testing.assert_allclose(found, known, rtol=1e-12, atol=1e-15)


@needs_torch
def test_a_convolution_has_its_matrix_and_its_products():
    loss = cnn_loss()
    assert loss.named_layers == [("0", slice(0, 30)), ("4", slice(30, 69))]
    assert loss.matrices == [(slice(0, 27), (9, 3)), (slice(30, 66), (12, 3))]
    H, rng = loss.hess(loss.x0), np.random.default_rng(3)
    for p in rng.normal(size=(3, loss.n_params)):
        difference = (loss.jac(loss.x0 + 1e-5 * p) - loss.jac(loss.x0 - 1e-5 * p)) / 2e-5
        np.testing.assert_allclose(loss.hessp(loss.x0, p), difference, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(loss.hessp(loss.x0, p), H @ p, atol=1e-14)
        assert p @ loss.ggnp(loss.x0, p) > 0


@needs_torch
@pytest.mark.parametrize("kind", ["MSELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "L1Loss"])
def test_the_gauss_newton_matrix_by_its_definition(kind):
    """JᵀH_L J with the Jacobian and the criterion's Hessian formed."""
    X, _ = rows(6)
    Y = np.random.default_rng(4).uniform(size=(6, 3))
    Y = Y / Y.sum(axis=1, keepdims=True)  # probabilities, for the cross-entropy
    module, criterion = mlp(), getattr(nn, kind)()
    loss = from_torch(module, criterion, X, Y)
    p, Z = np.random.default_rng(5).normal(size=loss.n_params), module(torch.tensor(X))
    Jp = np.zeros(Z.shape)
    for sign in (-1, 1):
        loss.write(loss.x0 + sign * 1e-5 * p)
        Jp += sign * module(torch.tensor(X)).detach().numpy() / 2e-5
    H = torch.autograd.functional.hessian(lambda z: criterion(z, torch.tensor(Y)), Z.detach())
    expected = np.sum(Jp * np.einsum("ijkl,kl->ij", H.numpy(), Jp))
    assert np.isclose(p @ loss.ggnp(loss.x0, p), expected, rtol=1e-6, atol=1e-12)


# ---- with every instrument


@each_loss
def test_the_gradient_is_right(make):
    loss = make()
    found = gradient_test(loss, loss.x0)
    assert found.ok and abs(found.order - 2) < 0.2


@each_loss
@pytest.mark.parametrize("method", [*OWN, *SCIPY])
def test_every_method_minimises_it(make, method):
    loss = make()
    found = minimize(loss, loss.x0, method, maxiter=8)
    assert found.fun < loss.fun(loss.x0) - 0.05 and len(found.trace) == found.nit + 1


@each_loss
def test_a_radius_does_too(make):
    loss = make()
    found = minimize(loss, loss.x0, "hessian-free", line_search="trust", maxiter=15)
    assert found.fun < loss.fun(loss.x0) - 0.1


@each_loss
def test_it_goes_into_batches_and_changes_of_variables(make):
    loss = make()
    x, m, n = loss.x0, loss.n_samples, loss.n_params
    batched = Batched(loss, partition(m, 7, seed=0), weights="rows")
    assert np.isclose(batched.fun(x), loss.fun(x), rtol=1e-13)
    np.testing.assert_allclose(batched.jac(x), loss.jac(x), rtol=1e-10, atol=1e-15)
    easy = Preconditioned(loss, np.linspace(1, 2, n))
    run = minimize(easy, easy.to_p(x), "lbfgs", maxiter=15)
    assert np.isclose(loss.fun(easy.to_x(run.x)), run.fun) and run.fun < loss.fun(x) - 0.1
    assert gradient_test(easy, easy.to_p(x)).ok


@each_loss
@pytest.mark.parametrize("curvature", ["exact", "ggn"])
def test_its_spectrum_whole_and_layer_by_layer(make, curvature):
    loss = make()
    x = loss.x0
    A = operator(loss, x, curvature)
    M = A @ np.eye(loss.n_params)
    values = np.linalg.eigvalsh(M)
    ends = extreme_eigenvalues(A).values
    np.testing.assert_allclose(ends, values[[0, -1]], rtol=1e-8, atol=1e-12)
    density = spectral_density(A, steps=20, starts=5)
    assert values[0] - 1e-9 <= density.nodes.min() and density.nodes.max() <= values[-1] + 1e-9
    assert np.isclose(trace(A)[0], values.sum(), rtol=1e-8, atol=1e-12)
    for part in loss.layer_slices:
        P = np.eye(loss.n_params)[:, part]
        block = np.stack([P.T @ (A @ p) for p in P.T])
        assert np.isclose(trace(block)[0], np.trace(M[part, part]), rtol=1e-10, atol=1e-12)


@each_loss
@pytest.mark.parametrize("rule", ["sgd", "adam", "sls", "adahessian", "lbfgs"])
def test_rules_without_layers(make, rule):
    loss = make()
    found = minimize_stochastic(loss, loss.x0, rule, 5, 5, step=0.02)
    assert found.success and found.fun < loss.fun(loss.x0)


@each_loss
@pytest.mark.parametrize("rule", ["muon", "shampoo", "soap"])
def test_rules_that_see_matrices(make, rule):
    """They read ``loss.matrices``; with our own network's weights they take its very steps.

    Those of "soap" are not compared: its basis of a null space is rounding.
    """
    loss, how = make(), {"step": 0.02, **({"eps": 1e-3} if rule == "shampoo" else {})}
    found = minimize_stochastic(loss, loss.x0, rule, 5, 4, **how)
    assert found.success and found.fun < loss.fun(loss.x0)
    if make is not cnn_loss and rule != "soap":
        known = minimize_stochastic(*ours(), rule, 5, 4, **how)
        np.testing.assert_allclose(found.x, known.x, rtol=1e-6, atol=1e-9)


@needs_torch
def test_kronecker_factors_are_our_own():
    pytest.importorskip("curvlinops", reason="curvlinops is not installed")
    loss, (own, x) = mlp_loss(), ours()
    for pair, known in zip(loss.kronecker_factors(x), kronecker_factors(own, x), strict=True):
        for found, factor in zip(pair, known):
            np.testing.assert_allclose(found, factor, rtol=1e-9, atol=1e-14)


@needs_torch
def test_kronecker_factors_of_a_convolution():
    """A has the patches with a 1 appended; the pair has the layer's own order and trace."""
    pytest.importorskip("curvlinops", reason="curvlinops is not installed")
    loss = cnn_loss()
    X = loss.data[0].numpy()[:, 0]
    patches = np.lib.stride_tricks.sliding_window_view(X, (3, 3), axis=(1, 2)).reshape(-1, 9)
    patches = np.c_[patches, np.ones(len(patches))]
    (A, G), (B, F) = loss.kronecker_factors(loss.x0)
    np.testing.assert_allclose(A, patches.T @ patches / len(patches), rtol=1e-10)
    assert [len(part) for part in (A, G, B, F)] == [10, 3, 13, 3]
    # of the last layer the pair's trace is that of Gauss-Newton where inputs are of one length
    M = operator(loss, loss.x0, "ggn") @ np.eye(loss.n_params)
    diagonal = np.diag(M)[loss.layer_slices[1]].reshape(13, 3)
    np.testing.assert_allclose(diagonal[-1], np.diag(F), rtol=1e-9)  # the biases' input is 1


@needs_torch
def test_without_curvlinops_the_error_names_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "curvlinops", None)
    with pytest.raises(ModuleNotFoundError, match="pip install 'curvlinops"):
        mlp_loss().kronecker_factors(mlp_loss().x0)


# ---- the module


@needs_torch
def test_the_module_is_left_alone_until_it_is_written():
    module = mlp().train()
    before = copy.deepcopy(module.state_dict())
    loss = from_torch(module, nn.CrossEntropyLoss(), *rows())
    run = minimize(loss, loss.x0, "lbfgs", maxiter=5)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    assert module.training and all(p.grad is None for p in module.parameters())
    assert loss.write(run.x) is module
    X, y = rows()
    value = nn.functional.cross_entropy(module(torch.tensor(X)), torch.tensor(y))
    assert np.isclose(value.item(), run.fun, rtol=1e-13)
    complains(lambda: loss.write(np.full(loss.n_params, np.nan)), "x", "finite")
    assert np.isfinite(module[0].weight.detach().numpy()).all()


@needs_torch
def test_frozen_parameters_stay_and_shared_ones_count_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)
            self.last = nn.Linear(4, 3)
            self.two.weight = self.one.weight
            self.last.bias.requires_grad_(False)

        def forward(self, X):
            return self.last(torch.tanh(self.two(torch.tanh(self.one(X)))))

    torch.manual_seed(0)
    module = Tied()
    loss = from_torch(module, nn.CrossEntropyLoss(), *rows())
    assert loss.n_params == 20 + 4 + 12 and [name for name, _ in loss.named_layers] == [
        "one",
        "two",
        "last",
    ]
    assert gradient_test(loss, loss.x0).ok
    bias = module.last.bias.clone()
    loss.write(loss.x0 + 1)
    assert torch.equal(module.last.bias, bias) and module.two.weight is module.one.weight
    X, y = rows()
    value = nn.functional.cross_entropy(module.double()(torch.tensor(X)), torch.tensor(y))
    assert np.isclose(value.item(), loss.fun(loss.x0 + 1), rtol=1e-6)  # written in float32


@needs_torch
def test_embeddings_normalisation_and_attention():
    """Tokens are whole numbers; the table of an embedding is no matrix for Muon."""

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.norm = nn.Embedding(7, 4), nn.LayerNorm(4)
            self.attend = nn.MultiheadAttention(4, 2, batch_first=True)
            self.last = nn.Linear(4, 3)

        def forward(self, X):
            A = self.norm(self.table(X))
            return self.last(self.attend(A, A, A)[0].mean(1))

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    module = Reader().eval()
    loss = from_torch(module, nn.CrossEntropyLoss(), rng.integers(0, 7, (9, 5)), [0, 1, 2] * 3)
    assert [shape for _, shape in loss.matrices] == [(4, 12), (4, 4), (4, 3)]
    assert gradient_test(loss, loss.x0).ok
    p, x = rng.normal(size=loss.n_params), loss.x0
    difference = (loss.jac(x + 1e-5 * p) - loss.jac(x - 1e-5 * p)) / 2e-5
    np.testing.assert_allclose(loss.hessp(x, p), difference, rtol=1e-5, atol=1e-8)
    assert p @ loss.ggnp(x, p) > 0


@needs_torch
def test_a_batch_normalisation_that_is_fixed_is_a_loss():
    module = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 3))
    module(torch.tensor(rows()[0]).float())  # gathers its statistics
    loss = from_torch(module.eval(), nn.CrossEntropyLoss(), *rows())
    assert gradient_test(loss, loss.x0).ok and [s for _, s in loss.matrices] == [(4, 5), (5, 3)]


@needs_torch
@pytest.mark.parametrize("dtype", ["float32", np.float32, "torch.float32"])
def test_single_precision_inside(dtype):
    if dtype == "torch.float32":
        dtype = torch.float32
    loss = cnn_loss(dtype=dtype)
    f, g = loss.fun_and_jac(loss.x0)
    assert loss.dtype == np.float32 and g.dtype == float
    assert np.isclose(f, cnn_loss().fun(loss.x0), rtol=1e-6)
    assert gradient_test(loss, loss.x0).ok


@needs_torch
@pytest.mark.skipif(torch is None or not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu():
    own, x = ours()
    found = from_torch(mlp(), nn.CrossEntropyLoss(), *rows())
    assert found.data[0].is_cuda
    p = np.random.default_rng(0).normal(size=found.n_params)
    for product in ("hessp", "ggnp"):
        known = getattr(own, product)(x, p)
        np.testing.assert_allclose(getattr(found, product)(x, p), known, rtol=1e-9, atol=1e-13)


@needs_jax
def test_a_pytree_goes_in_and_comes_out():
    loss = jax_loss()
    params = loss.write(loss.x0 + 1)
    for (W, b), (V, c) in zip(params, our_layers()):
        np.testing.assert_allclose(W, V + 1)
        np.testing.assert_allclose(b, c + 1)
    assert [name for name, _ in loss.named_layers] == ["0", "1"]


# ---- bad input


def bad(module=None, criterion=None, X=None, y=None, **how):
    given = rows()
    module, criterion = module or mlp(), criterion or nn.CrossEntropyLoss()
    X, y = given[0] if X is None else X, given[1] if y is None else y
    before = copy.deepcopy(module.state_dict()) if isinstance(module, nn.Module) else {}
    try:
        return from_torch(module, criterion, X, y, **how)
    finally:
        for name, value in before.items():
            torch.testing.assert_close(module.state_dict()[name], value, equal_nan=True)


def with_nan():
    module = mlp()
    module[2].weight.data[0, 0] = np.nan
    return module


def frozen():
    return mlp().requires_grad_(False)


BAD = {
    "no module": (lambda: bad(module=lambda X: X), "module", "torch.nn.Module"),
    "no parameters": (lambda: bad(module=nn.Tanh()), "module", "Tanh"),
    "all frozen": (lambda: bad(module=frozen()), "module", "require a gradient"),
    "NaN in a layer": (lambda: bad(module=with_nan()), "module", "2.weight"),
    "dropout": (
        lambda: bad(module=nn.Sequential(mlp(), nn.Dropout())),
        "module",
        "module.eval()",
        "Dropout",
        "'1'",
    ),
    "batch statistics": (
        lambda: bad(module=nn.Sequential(nn.BatchNorm1d(4), mlp())),
        "module",
        "BatchNorm1d",
    ),
    "batch statistics, always": (
        lambda: bad(nn.Sequential(nn.BatchNorm1d(4, track_running_stats=False), mlp()).eval()),
        "criterion",
        "batch statistics",
    ),
    "dropout in functional form": (
        lambda: bad(
            criterion=lambda z, y: nn.functional.cross_entropy(nn.functional.dropout(z), y)
        ),
        "criterion",
        "dropout",
    ),
    "a sum": (lambda: bad(criterion=nn.CrossEntropyLoss(reduction="sum")), "criterion", "mean"),
    "a sum of one's own": (lambda: bad(criterion=lambda z, y: (z**2).sum()), "criterion", "mean"),
    "no reduction": (
        lambda: bad(criterion=nn.CrossEntropyLoss(reduction="none")),
        "criterion",
        "(40,)",
    ),
    "class weights": (
        lambda: bad(criterion=nn.CrossEntropyLoss(torch.tensor([1.0, 5.0, 9.0]))),
        "criterion",
        "class weights",
    ),
    "no tensor": (lambda: bad(criterion=lambda z, y: 1.0), "criterion", "AttributeError"),
    "no function": (lambda: bad(criterion="cross-entropy"), "criterion", "function"),
    "real labels": (lambda: bad(y=rows()[1] + 0.5), "y", "whole numbers from 0 to 2"),
    "labels out of range": (lambda: bad(y=rows()[1] + 1), "y", "to 3"),
    "labels below": (lambda: bad(y=rows()[1] - 1), "y", "-1"),
    "targets of another shape": (
        lambda: bad(criterion=nn.MSELoss(), y=rows()[1]),
        "y",
        "(m, 3)",
        "got (m)",
    ),
    "no probabilities": (
        lambda: bad(criterion=nn.BCEWithLogitsLoss(), y=np.full((40, 3), 2)),
        "y",
        "between 0 and 1",
    ),
    "another number of rows": (lambda: bad(y=rows()[1][:-1]), "y", "40", "39"),
    "NaN in X": (lambda: bad(X=np.full((40, 4), np.nan)), "X", "finite"),
    "X of words": (lambda: bad(X=["a"] * 40), "X", "numbers"),
    "X of another width": (lambda: bad(X=np.ones((40, 5))), "module", "RuntimeError"),
    "half precision": (lambda: bad(dtype="float16"), "dtype", "float16"),
    "rows": (lambda: bad().subset([40]), "rows", "40"),
    "x": (lambda: bad().fun(np.ones(3)), "x", "(43,)"),
}


@needs_torch
@pytest.mark.parametrize("call, name, got", [(c, n, g) for c, n, *g in BAD.values()], ids=[*BAD])
def test_bad_input_is_named_and_leaves_the_module_alone(call, name, got):
    complains(call, name, *got)


@needs_torch
def test_several_devices_are_refused_by_name():
    module = mlp()
    module.append(nn.Linear(3, 3, device="meta"))
    complains(
        lambda: from_torch(module, nn.CrossEntropyLoss(), *rows()), "module", "3.bias on meta"
    )


BAD_JAX = {
    "no function": (lambda: from_jax(3, [1.0], rows()), "fun"),
    "no parameters": (lambda: from_jax(lambda p, X, y: X.mean(), [], rows()), "params"),
    "NaN": (lambda: from_jax(lambda p, X, y: 0.0, {"W": [np.nan]}, rows()), "params", "'W.0'"),
    "a sum": (lambda: from_jax(lambda p, X, y: (X @ p).sum(), np.ones(4), rows()), "fun", "mean"),
    "rows of different number": (
        lambda: from_jax(lambda p, X, y: 0.0, np.ones(4), (np.ones(3), np.ones(4))),
        "data",
        "(3,), (4,)",
    ),
    "an error of its own": (
        lambda: from_jax(lambda p, X, y: X @ y, np.ones(4), rows()),
        "fun",
        "TypeError",
    ),
    "ggnp that was not told": (
        lambda: from_jax(lambda p, X, y: ((X @ p - y) ** 2).mean(), np.ones(4), rows()).ggnp(
            np.ones(4), np.ones(4)
        ),
        "model_and_criterion",
    ),
    "factors": (lambda: jax_loss().kronecker_factors(jax_loss().x0), "loss", "from_torch"),
}


@needs_jax
@pytest.mark.parametrize(
    "call, name, got", [(c, n, g) for c, n, *g in BAD_JAX.values()], ids=[*BAD_JAX]
)
def test_bad_input_of_jax_is_named(call, name, got):
    complains(call, name, *got)


@pytest.mark.parametrize("maker, package", [(from_torch, "torch"), (from_jax, "jax")])
def test_an_extra_that_is_missing_is_named(maker, package, monkeypatch):
    for name in (package, f"{package}.nn.attention", f"{package}.flatten_util"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'soo-lib\[{package}\]'"):
        maker(None, None, None, None)

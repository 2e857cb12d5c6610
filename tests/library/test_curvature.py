"""Second derivatives: against closed forms, autograd, finite differences and the paper's own."""

import functools
import itertools
import tracemalloc

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from helpers import complains, slope
from hypothesis import given, settings
from hypothesis import strategies as st
from test_network import (
    ACTIVATIONS,
    close,
    data,
    every_activation,
    every_depth,
    reference,
    start,
)
from threadpoolctl import threadpool_limits

from soo_lib import checks
from soo_lib.curvature import (
    backward_hessians,
    ggn_product,
    hessian_diagonal,
    kronecker_cholesky,
    kronecker_factors,
    layer_hessians,
    layer_signs,
    layers,
    squared_gradients,
)
from soo_lib.curvature.layers import CURVATURES
from soo_lib.losses import Batched, Logistic, Network, Preconditioned, partition
from soo_lib.losses.blocks import BLOCK

SIGMA = {
    "sigmoid": lambda z: 1 / (1 + anp.exp(-z)),
    "tanh": anp.tanh,
    "relu": lambda z: anp.where(z > 0, z, 0.0),
    "linear": lambda z: z,
}
EXP = np.exp
SLOPES = {  # σ' and σ'' as functions of z; the library has them as functions of σ(z)
    "sigmoid": (
        lambda z: EXP(-z) / (1 + EXP(-z)) ** 2,
        lambda z: EXP(-z) * (EXP(-z) - 1) / (1 + EXP(-z)) ** 3,
    ),
    "tanh": (lambda z: np.cosh(z) ** -2, lambda z: -2 * np.sinh(z) / np.cosh(z) ** 3),
    "relu": (lambda z: np.where(z > 0, 1.0, 0.0), lambda z: 0 * z),
    "linear": (lambda z: 1 + 0 * z, lambda z: 0 * z),
}
every_curvature = pytest.mark.parametrize("kind", CURVATURES)
GRADIENT = autograd.elementwise_grad


def problem(sizes, activation="sigmoid", m=40, seed=0, **settings):
    net = Network(sizes, activation)
    return net.loss(*data(m, sizes[0], sizes[-1], seed), **settings), start(net, seed)


# ---- independent answers


def logits(x, sizes, activation, X):
    """The last layer's Z, in a form that autograd can read."""
    A, at = X, 0
    for n_in, n_out in itertools.pairwise(sizes):
        W = anp.reshape(x[at : at + n_in * n_out], (n_in, n_out))
        Z = anp.dot(A, W) + x[at + n_in * n_out : at + (n_in + 1) * n_out]
        at += (n_in + 1) * n_out
        A = SIGMA[activation](Z)
    return Z


def softmax_hessian(z):
    p = EXP(z - z.max())
    p /= p.sum()
    return np.diag(p) - np.outer(p, p)


@functools.cache
def oracle(sizes, activation):
    """The Hessian by two autograd passes, and Jᵀ H_L J with autograd's Jacobian J."""
    X, y = data(40, sizes[0], sizes[-1])
    x = start(Network(sizes, activation))
    H = autograd.hessian(reference(sizes, activation, X, y))(x)
    J = autograd.jacobian(logits)(x, sizes, activation, X)
    Z = logits(x, sizes, activation, X)
    ggn = sum(j.T @ softmax_hessian(z) @ j for j, z in zip(J, Z)) / len(X)
    return H, ggn


def per_sample(loss, x, kind="exact"):
    """Eqs 66-70 and 83 with a Python loop over the samples and dense arrays: slow and plain.

    Gives the blocks, and lists over layers of lists over samples of z, ∂L/∂x of the layer's
    outputs (None for the last), and H_Z.
    """
    net, slopes = loss.net, SLOPES[loss.net.activation]
    layers = net.unpack(x)
    blocks = [np.zeros(2 * [part.stop - part.start]) for part in net.layer_slices]
    seen = [[] for _ in layers]
    for row, label in zip(loss.X.astype(float), loss.y):
        inputs, zs = [row], []
        for W, b in layers:
            zs.append(inputs[-1] @ W + b)
            inputs.append(SIGMA[net.activation](zs[-1]))
        H = softmax_hessian(zs[-1])
        D = EXP(zs[-1]) / EXP(zs[-1]).sum() - np.eye(len(H))[label]
        g = None
        for layer in reversed(range(len(layers))):
            seen[layer].append((zs[layer], g, H))
            one = np.append(inputs[layer], 1)
            blocks[layer] += np.kron(np.outer(one, one), H) / loss.n_samples
            if layer:
                W, z = layers[layer][0], zs[layer - 1]
                first, second = slopes[0](z), slopes[1](z)
                g = W @ D
                bend = second * g
                kept = {"exact": bend, "ggn": 0 * bend, "clipped": bend * (bend > 0)}[kind]
                H = np.diag(first) @ (W @ H @ W.T) @ np.diag(first) + np.diag(kept)
                D = first * g
    return blocks, seen


# ---- against autograd


@every_activation
@every_depth
def test_hessian_and_blocks_against_autograd(sizes, activation):
    expected, _ = oracle(tuple(sizes), activation)
    loss, x = problem(sizes, activation)
    H = loss.hess(x)
    close(H, expected, 1e-10)
    np.testing.assert_array_equal(H, H.T)
    blocks = layer_hessians(loss, x)
    assert len(blocks) == len(loss.net.layer_slices)
    for block, part in zip(blocks, loss.net.layer_slices):
        close(block, expected[part, part], 1e-10)
        close(block, block.T, 1e-14)
        assert block.dtype == np.float64


@every_activation
@every_depth
def test_products_against_autograd(sizes, activation):
    hessian, ggn = oracle(tuple(sizes), activation)
    loss, x = problem(sizes, activation)
    for p in np.random.default_rng(5).normal(size=(3, len(x))):
        close(loss.hessp(x, p), hessian @ p, 1e-10)
        close(ggn_product(loss, x, p), ggn @ p, 1e-10)
    product = autograd.hessian_vector_product(reference(sizes, activation, loss.X, loss.y))(x, p)
    close(loss.hessp(x, p), product, 1e-10)


@every_activation
@every_depth
def test_gauss_newton_against_autograd(sizes, activation):
    hessian, ggn = oracle(tuple(sizes), activation)
    loss, x = problem(sizes, activation)
    whole = np.array([ggn_product(loss, x, p) for p in np.eye(len(x))])
    close(whole, ggn, 1e-10)
    for block, part in zip(layer_hessians(loss, x, "ggn"), loss.net.layer_slices):
        close(block, ggn[part, part], 1e-10)
        assert np.linalg.eigvalsh(block)[0] > -1e-14
        # No σ'' term is left within a layer ...
        if activation in ("relu", "linear"):
            close(block, hessian[part, part], 1e-10)
    # ... but the blocks between layers differ, even in a linear network.
    if len(sizes) == 2:
        close(ggn, hessian, 1e-10)
    else:
        assert np.abs(ggn - hessian).max() > 0.01 * np.abs(hessian).max()


@every_activation
@every_depth
@every_curvature
def test_blocks_and_layers_against_a_loop_over_samples(sizes, activation, kind):
    loss, x = problem(sizes, activation, m=15)
    expected, seen = per_sample(loss, x, kind)
    for block, peer in zip(layer_hessians(loss, x, kind), expected):
        close(block, peer, 1e-12)
    close(hessian_diagonal(loss, x, kind), np.concatenate([np.diag(H) for H in expected]), 1e-12)
    order = []
    for layer, inputs, H, bend in backward_hessians(loss, x, kind):
        order.append(layer)
        z, g, peer = zip(*seen[layer])
        assert inputs.shape == (15, sizes[layer] + 1)
        np.testing.assert_array_equal(inputs[:, -1], 1)
        close(H, np.array(peer), 1e-12)
        if layer == len(sizes) - 2:
            np.testing.assert_array_equal(bend, np.zeros((15, sizes[-1])))
        else:
            np.testing.assert_allclose(
                bend, SLOPES[activation][1](np.array(z)) * np.array(g), rtol=0, atol=1e-15
            )
    assert order == list(reversed(range(len(sizes) - 1)))


@every_activation
def test_each_layers_hessian_against_autograd(activation):
    """H_Z of one sample, eq. 52, as a second derivative in z itself."""
    sizes = [4, 6, 5, 4, 3]
    loss, x = problem(sizes, activation, m=3)
    layers = loss.net.unpack(x)
    _, seen = per_sample(loss, x)

    def tail(z, layer, label):
        for W, b in layers[layer + 1 :]:
            z = anp.dot(SIGMA[activation](z), W) + b
        return anp.log(anp.sum(anp.exp(z))) - z[label]

    for layer, _, H, _ in backward_hessians(loss, x):
        for i, label in enumerate(loss.y):
            z = seen[layer][i][0]
            close(H[i], autograd.hessian(tail)(z, layer, label), 1e-10)


# ---- closed forms


def test_softmax_regression_in_the_order_of_x():
    loss, x = problem([4, 3])
    W, b = x[:12].reshape(4, 3), x[12:]
    Z = loss.X @ W + b
    one = np.c_[loss.X, np.ones(40)]
    expected = sum(np.kron(np.outer(r, r), softmax_hessian(z)) for r, z in zip(one, Z)) / 40
    close(loss.hess(x), expected)
    for kind in CURVATURES:
        (block,) = layer_hessians(loss, x, kind)
        close(block, expected)
    # one entry by hand: weights (0, 1) and (2, 1), then weight (0, 1) and bias 2
    P = EXP(Z) / EXP(Z).sum(axis=1, keepdims=True)
    p, q, r = P[:, 1], P[:, 2], loss.X
    assert expected[1, 7] == pytest.approx(np.mean(r[:, 0] * r[:, 2] * p * (1 - p)))
    assert expected[1, 14] == pytest.approx(np.mean(-r[:, 0] * p * q))


def test_two_classes_are_logistic_regression():
    """softmax of (0, z) is σ(z): each entry of the logistic Hessian becomes ±[[1, -1], [-1, 1]]."""
    X, y = data(classes=2)
    w = np.array([0.3, -0.8, 0.5, 0.2, -0.4])
    peer = Logistic(np.c_[X, np.ones(len(y))], y)
    net = Network([4, 2])
    loss = net.loss(X, y)
    x = np.c_[np.zeros(5), w].ravel()
    assert loss.fun(x) == pytest.approx(peer.fun(w))
    expected = np.kron(peer.hess(w), [[1, -1], [-1, 1]])
    close(layer_hessians(loss, x)[0], expected)
    close(loss.hess(x), expected)
    p = np.random.default_rng(0).normal(size=5)
    close(loss.hessp(x, np.c_[0 * p, p].ravel())[1::2], peer.hessp(w, p))


@every_curvature
@pytest.mark.parametrize("penalize_bias", [False, True])
def test_the_penaltys_share(kind, penalize_bias):
    (bare, x), l2 = problem([4, 5, 3], "tanh"), 0.3
    loss, _ = problem([4, 5, 3], "tanh", l2=l2, penalize_bias=penalize_bias)
    share = np.full(len(x), l2)
    if not penalize_bias:
        share[[*range(20, 25), *range(40, 43)]] = 0
    p = np.random.default_rng(1).normal(size=len(x))
    near = functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-15)
    near(loss.hess(x) - bare.hess(x), np.diag(share))
    near(loss.hessp(x, p) - bare.hessp(x, p), share * p)
    near(ggn_product(loss, x, p) - ggn_product(bare, x, p), share * p)
    near(hessian_diagonal(loss, x, kind) - hessian_diagonal(bare, x, kind), share)
    pairs = zip(layer_hessians(loss, x, kind), layer_hessians(bare, x, kind))
    for (with_penalty, without), part in zip(pairs, loss.net.layer_slices):
        near(with_penalty - without, np.diag(share[part]))
    for pair, bare_pair in zip(kronecker_factors(loss, x), kronecker_factors(bare, x)):
        for factor, bare_factor in zip(pair, bare_pair):
            np.testing.assert_array_equal(factor, bare_factor)


# ---- finite differences


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "linear"])
@every_depth
def test_against_slopes(sizes, activation):
    """The loss's own gradient along a direction, by least squares; relu's kinks are left out."""
    loss, x = problem(sizes, activation, l2=0.05)
    H = loss.hess(x)
    for d in np.random.default_rng(3).normal(size=(3, len(x))):
        expected = slope(loss.jac, x, d)
        close(loss.hessp(x, d), expected, 1e-9)
        close(H @ d, expected, 1e-9)
        assert d @ expected == pytest.approx(slope(lambda u, d=d: loss.jac(u) @ d, x, d), rel=1e-9)


@every_activation
@every_depth
@pytest.mark.parametrize("penalize_bias", [False, True])
def test_hessp_is_hess_times_p(sizes, activation, penalize_bias):
    loss, x = problem(sizes, activation, l2=0.1, penalize_bias=penalize_bias)
    H = loss.hess(x)
    rng = np.random.default_rng(4)
    for _ in range(3):
        p, q = rng.normal(size=(2, len(x)))
        close(loss.hessp(x, p), H @ p, 1e-12)
        assert q @ loss.hessp(x, p) == pytest.approx(p @ loss.hessp(x, q), rel=1e-9)
        close(loss.hessp(x, p - 2 * q), loss.hessp(x, p) - 2 * loss.hessp(x, q), 1e-11)
    np.testing.assert_array_equal(loss.hessp(x, 0 * p), 0)


# ---- Gauss-Newton and clipped


@every_activation
@every_depth
def test_curvatures_are_ordered(sizes, activation):
    """clipped - exact and clipped - ggn are positive semi-definite, and so is ggn."""
    loss, x = problem(sizes, activation)
    for exact, ggn, clipped in zip(*(layer_hessians(loss, x, kind) for kind in CURVATURES)):
        for difference in (clipped - exact, clipped - ggn, ggn):
            assert np.linalg.eigvalsh(difference)[0] > -1e-14
    if activation in ("sigmoid", "tanh") and len(sizes) > 2:
        assert not np.allclose(layer_hessians(loss, x)[0], layer_hessians(loss, x, "ggn")[0])
        assert not np.allclose(layer_hessians(loss, x)[0], layer_hessians(loss, x, "clipped")[0])


# ---- Kronecker factors


@every_activation
@every_depth
def test_factors_against_a_loop(sizes, activation):
    loss, x = problem(sizes, activation)
    pairs = kronecker_factors(loss, x)
    inputs = {layer: rows for layer, rows, _, _ in backward_hessians(loss, x)}
    _, seen = per_sample(loss, x, "ggn")
    for layer, (A, G) in enumerate(pairs):
        close(A, sum(np.outer(r, r) for r in inputs[layer]) / 40)
        close(G, sum(H for _, _, H in seen[layer]) / 40)
        for factor in (A, G):
            close(factor, factor.T, 1e-15)
            assert np.linalg.eigvalsh(factor)[0] > -1e-14
        assert A[-1, -1] == pytest.approx(1, rel=1e-14)


@every_activation
@every_depth
def test_factors_of_one_sample_are_exact(sizes, activation):
    loss, x = problem(sizes, activation, m=1)
    for (A, G), block in zip(kronecker_factors(loss, x), layer_hessians(loss, x, "ggn")):
        close(np.kron(A, G), block)


def test_factors_are_exact_only_where_inputs_and_curvature_are_uncorrelated():
    loss, x = problem([4, 3])
    x[:12] = 0  # the same softmax for every sample
    ((A, G),) = kronecker_factors(loss, x)
    close(np.kron(A, G), loss.hess(x))
    for sizes in ([4, 3], [4, 5, 3]):
        loss, x = problem(sizes)
        for (A, G), block in zip(kronecker_factors(loss, x), layer_hessians(loss, x, "ggn")):
            assert np.abs(np.kron(A, G) - block).max() > 0.01 * np.abs(block).max()


# ---- signs: appendix C


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_the_sign_rule_is_the_papers_reversed(activation):
    """σ'' g >= 0 iff z <= 0 and g >= 0, or z >= 0 and g <= 0; eqs 88-89 have z the other way."""
    loss, x = problem([4, 20, 15, 3], activation, m=300)
    _, seen = per_sample(loss, x)
    for layer, _, _, bend in backward_hessians(loss, x):
        if layer == 2:
            continue
        z, g, _ = (np.array(part) for part in zip(*seen[layer]))
        right = ((z <= 0) & (g >= 0)) | ((z >= 0) & (g <= 0))
        printed = ((z >= 0) & (g >= 0)) | ((z <= 0) & (g <= 0))
        assert 0.1 < right.mean() < 0.9
        np.testing.assert_array_equal(bend >= 0, right)
        assert not ((bend >= 0) == printed).any()


# ---- any shape


@st.composite
def problems(draw):
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)) + [draw(st.integers(2, 4))]
    activation = draw(st.sampled_from(ACTIVATIONS))
    m, seed = draw(st.integers(1, 12)), draw(st.integers(0, 2**16))
    l2, penalize_bias = draw(st.sampled_from([0.0, 0.1])), draw(st.booleans())
    return problem(sizes, activation, m, seed, l2=l2, penalize_bias=penalize_bias)


@given(problems())
@settings(max_examples=60)
def test_any_shape(case):
    loss, x = case
    net = loss.net
    H, p = loss.hess(x), np.random.default_rng(0).normal(size=len(x))
    peer = reference(net.sizes, net.activation, loss.X, loss.y)
    product = autograd.hessian_vector_product(peer)(x, p) + loss.penalty.weights * p
    scale = np.abs(H).max() + 1e-12  # a single sample can make H vanish
    near = functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-10 * scale)
    near(loss.hessp(x, p), product)
    near(H @ p, product)
    for kind in CURVATURES:
        blocks = layer_hessians(loss, x, kind)
        expected, _ = per_sample(loss, x, kind)
        for block, peer, part in zip(blocks, expected, net.layer_slices):
            near(block, peer + np.diag(loss.penalty.weights[part]))
            if kind == "exact" or net.activation in ("relu", "linear"):
                near(block, H[part, part])
            if kind != "exact":
                assert np.linalg.eigvalsh(block)[0] > -1e-12 * scale
            if kind == "ggn":
                inside = np.zeros(len(x))
                inside[part] = p[part]
                near(ggn_product(loss, x, inside)[part], block @ p[part])
        near(hessian_diagonal(loss, x, kind), np.concatenate([np.diag(b) for b in blocks]))
    for (A, G), (n_in, n_out) in zip(kronecker_factors(loss, x), net.shapes):
        assert A.shape == (n_in + 1, n_in + 1) and G.shape == (n_out, n_out)


# ---- many rows, float32, threads


@every_curvature
@pytest.mark.parametrize("sizes", [[4, 3], [4, 6, 5, 3]])
def test_small_chunks_change_nothing(monkeypatch, sizes, kind):
    loss, x = problem(sizes, m=37)
    signs = layer_signs(loss, x).negative
    blocks, diagonal = layer_hessians(loss, x, kind), hessian_diagonal(loss, x, kind)
    whole = list(backward_hessians(loss, x, kind))
    assert len(whole) == len(sizes) - 1
    # a chunk of one row whatever its size, and one of a few rows with a shorter last one
    for size in (1, 200):
        monkeypatch.setattr(layers, "CHUNK", size)
        chunks = list(backward_hessians(loss, x, kind))
        assert len(chunks) > len(whole)
        for layer, *expected in whole:
            parts = zip(*(part for at, *part in chunks if at == layer))
            for got, peer in zip(parts, expected):
                np.testing.assert_allclose(np.concatenate(got), peer, rtol=0, atol=1e-15)
        for got, expected in zip(layer_hessians(loss, x, kind), blocks):
            close(got, expected, 1e-13)
        close(hessian_diagonal(loss, x, kind), diagonal, 1e-13)
        assert layer_signs(loss, x).negative == signs


def test_many_rows_are_the_mean_of_their_parts():
    m = 2 * BLOCK + 500
    X, y = data(m)
    X += np.linspace(0, 2, m)[:, None]  # so that no block is like another
    net = Network([4, 6, 3], "tanh")
    loss, x = net.loss(X, y), start(net)
    p = np.random.default_rng(0).normal(size=len(x))
    rows = np.array_split(np.arange(m), 7)

    def everything(loss):
        return [
            loss.hessp(x, p),
            ggn_product(loss, x, p),
            *layer_hessians(loss, x),
            hessian_diagonal(loss, x),
            *(factor for pair in kronecker_factors(loss, x) for factor in pair),
        ]

    parts = [[len(r) / m * found for found in everything(loss.subset(r))] for r in rows]
    for got, *expected in zip(everything(loss), *parts):
        close(got, sum(expected), 1e-12)
    peer = reference([4, 6, 3], "tanh", X, y)
    close(loss.hessp(x, p), autograd.hessian_vector_product(peer)(x, p))


@every_activation
def test_float32_stays_close_to_float64(activation):
    sizes = [4, 6, 5, 3]
    double, x = problem(sizes, activation, l2=0.1)
    single, _ = problem(sizes, activation, l2=0.1, dtype=np.float32)
    p = np.random.default_rng(0).normal(size=len(x))

    def everything(loss):
        yield loss.hessp(x, p)
        yield loss.hess(x)
        yield ggn_product(loss, x, p)
        yield from itertools.chain(*kronecker_factors(loss, x))
        for kind in CURVATURES:
            yield from layer_hessians(loss, x, kind)
            yield hessian_diagonal(loss, x, kind)

    for got, expected in zip(everything(single), everything(double), strict=True):
        assert got.dtype == np.float64
        close(got, expected, 2e-5)


def test_the_number_of_threads_changes_no_digit_of_a_product(monkeypatch):
    loss, x = problem([30, 20, 10], m=5500)
    p = np.random.default_rng(0).normal(size=len(x))
    monkeypatch.setattr("soo_lib.losses.blocks.ENOUGH", 1)
    results = []
    for threads in (1, 2, 1):
        monkeypatch.setattr("soo_lib.losses.blocks.THREADS", threads)
        with threadpool_limits(threads, user_api="blas"):
            results.append(np.r_[loss.hessp(x, p), ggn_product(loss, x, p)])
    for again in results[1:]:
        np.testing.assert_array_equal(again, results[0])


@pytest.mark.parametrize(
    "sizes", [[20, 16, 5], [9, 3]]
)  # inputs that are, or are no, multiple of 8
def test_the_number_of_threads_changes_no_digit_of_a_block(sizes, monkeypatch):
    loss, x = problem(sizes, m=1501)
    found = []
    for threads in (1, 2):
        monkeypatch.setattr("soo_lib.losses.blocks.THREADS", threads)
        with threadpool_limits(threads, user_api="blas"):
            found.append(layer_hessians(loss, x))
    for again, block in zip(*found, strict=True):
        np.testing.assert_array_equal(again, block)


@every_activation
def test_nothing_given_is_changed(activation):
    loss, x = problem([4, 5, 3], activation, l2=0.1)
    p = np.ones(len(x))
    for array in (loss.X, loss.y, x, p):
        array.flags.writeable = False
    for call in (
        lambda: [loss.hessp(x, p), ggn_product(loss, x, p), loss.hess(x)],
        lambda: layer_hessians(loss, x, "clipped"),
        lambda: itertools.chain(*kronecker_factors(loss, x)),
    ):
        for first, again in zip(call(), call()):
            np.testing.assert_array_equal(first, again)


@every_activation
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_saturated_units_give_finite_curvature(activation, size):
    loss, x = problem([4, 5, 3], activation)
    for found in (
        loss.hessp(size * x, x),
        ggn_product(loss, size * x, x),
        *layer_hessians(loss, size * x),
        *itertools.chain(*kronecker_factors(loss, size * x)),
    ):
        assert np.isfinite(found).all()


# ---- memory and losses without layers


def refuses(call, *parts):
    """A MemoryError that says so, before anything large is allocated."""
    tracemalloc.start()
    try:
        with pytest.raises(MemoryError) as caught:
            call()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20e6, f"{peak / 1e6:.0f} MB"
    for part in parts:
        assert part in str(caught.value), caught.value


def test_a_block_too_large_is_refused_before_it_is_allocated():
    net = Network([784, 300, 10])
    loss, x = net.loss(np.zeros((3, 784)), [0, 1, 2]), np.zeros(net.n_params)
    # 235,500² doubles; the paper's abstract has 5.35 Mb for all of it
    advice = ("443.7 GB", "235,500 x 235,500", "layer 1", "2 GB", "hessp", "kronecker_factors")
    for kind in CURVATURES:
        refuses(lambda kind=kind: layer_hessians(loss, x, kind), *advice)
    refuses(lambda: layer_signs(loss, x), *advice)
    refuses(lambda: loss.hess(x), "455.1 GB", "238,510 x 238,510", "2 GB", "hessp")


def test_a_later_layers_block_is_looked_at_too(monkeypatch):
    loss, x = problem([2, 20, 20, 3])
    layer_hessians(loss, x)
    monkeypatch.setattr(checks, "MAX_BYTES", 1e6)  # harmless where the check fails to work
    refuses(lambda: layer_hessians(loss, x), "420 x 420", "layer 2", "0.001 GB")
    refuses(lambda: loss.hess(x), "543 x 543")
    monkeypatch.setattr(checks, "MAX_BYTES", 8 * 420**2)  # what just fits is made
    layer_hessians(loss, x)


def test_what_the_refusal_advises_works():
    net = Network([784, 300, 10])
    loss, x = net.loss(*data(20, 784, 10)), net.init(0)
    p = np.random.default_rng(0).normal(size=len(x))
    assert p @ ggn_product(loss, x, p) > 0
    close(loss.hessp(x, p), slope(loss.jac, x, p / 100) * 100, 1e-6)
    assert [A.shape[0] * G.shape[0] for A, G in kronecker_factors(loss, x)] == [235_500, 3010]
    diagonal = hessian_diagonal(loss, x)
    for i in (0, 100_000, 235_499, 235_500, 238_509):
        unit = np.zeros(len(x))
        unit[i] = 1
        assert diagonal[i] == pytest.approx(loss.hessp(x, unit)[i], rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    "call", [layer_hessians, hessian_diagonal, kronecker_factors, layer_signs, squared_gradients]
)
def test_a_loss_without_layers(call):
    X, y = data(classes=2)
    network_loss, x = problem([4, 3])
    batched = [Batched(network_loss, [[0, 1], [2, 3]])]
    if call in (kronecker_factors, squared_gradients):  # they know a mean over parts
        batched = [Batched(Logistic(X, y), [[0, 1], [2, 3]])]
    for loss in (Logistic(X, y), *batched):
        name = "Logistic" if call in (kronecker_factors, squared_gradients) else type(loss).__name__
        complains(lambda loss=loss: call(loss, x), "loss", name, "Network.loss")


def test_what_is_a_mean_over_rows_is_the_mean_over_their_batches():
    loss, x = problem([4, 3])
    batched = Batched(loss, partition(loss.n_samples, 7), weights="rows")
    np.testing.assert_allclose(
        squared_gradients(batched, x), squared_gradients(loss, x), rtol=1e-12
    )
    for ours, theirs in zip(kronecker_factors(batched, x), kronecker_factors(loss, x), strict=True):
        for factor, whole in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(factor, whole, rtol=1e-12, atol=1e-15)
    assert np.isfinite(Preconditioned(batched, kronecker_cholesky(batched, x)).fun(x))


# ---- algorithm 3 as printed


SLIPS = ("start", "kron", "layer")


def algorithm_3(net, x, X, y, slip=None):
    """Algorithm 3 in the paper's own orientation, columns as samples: list of [H_W H_Wb; . H_b].

    ``slip`` brings back one thing as it is printed: the ``start`` (1/n)(Z)(1 - Z), where X has n
    columns; in HESS, the order of ``kron`` and D; ∇L_X of the ``layer`` above.
    """
    first, second = SLOPES[net.activation]
    W = [W.T for W, _ in net.unpack(x)]
    m, A, Z = len(y), [X.T], []
    for weights, (_, b) in zip(W, net.unpack(x)):
        Z.append(weights @ A[-1] + b[:, None])
        A.append(SIGMA[net.activation](Z[-1]))
    P = EXP(Z[-1]) / EXP(Z[-1]).sum(axis=0)
    D = (P - np.eye(len(P))[:, y]) / m
    if slip == "start":
        H = [np.outer(z, 1 - z) / X.shape[1] for z in Z[-1].T]
    else:
        H = [(np.diag(p) - np.outer(p, p)) / m for p in P.T]  # eq. 83
    blocks, g = [], np.zeros_like(D)
    for layer in reversed(range(len(W))):
        blocks.insert(0, hess(H, A[layer], sample_major=slip == "kron"))
        if layer:
            above, g, z = g, W[layer].T @ D, Z[layer - 1]
            bent = np.resize(above, g.shape) if slip == "layer" else g
            H = [
                np.diag(first(z[:, i])) @ W[layer].T @ H[i] @ W[layer] @ np.diag(first(z[:, i]))
                + np.diag(second(z[:, i]) * bent[:, i])
                for i in range(m)
            ]
            D = first(z) * g
    return blocks


def hess(H, A, sample_major):
    """Procedure HESS: H_W = Y D Yᵀ with Y = kron(I, X) and a dense D."""
    n, m = len(H[0]), len(H)
    Y, D, E = np.kron(np.eye(n), A), np.zeros((n * m, n * m)), np.zeros((n * m, n))
    for i in range(m):
        at = slice(i * n, (i + 1) * n) if sample_major else slice(i, None, m)  # kron is unit-major
        D[at, at], E[at] = H[i], H[i]
    return np.block([[Y @ D @ Y.T, Y @ E], [(Y @ E).T, sum(H)]])


@pytest.fixture(scope="module")
def small_net():
    """A 3-4-5-3 net, its layer blocks by finite differences, and the paper's order of weights."""
    net = Network([3, 4, 5, 3])
    X, y = data(20, n=3)
    loss, x = net.loss(X, y), start(net)
    differences = np.array([slope(loss.jac, x, d) for d in np.eye(len(x))])
    blocks = []
    for (n_in, n_out), part in zip(net.shapes, net.layer_slices):
        order = np.arange(part.start, part.stop)
        weights = order[: n_in * n_out].reshape(n_in, n_out).T.ravel()  # W_jk, j the unit
        order = np.r_[weights, order[n_in * n_out :]]
        blocks.append(differences[np.ix_(order, order)])
    return net, x, X, y, blocks


def test_algorithm_3_corrected(small_net):
    *case, expected = small_net
    for got, peer in zip(algorithm_3(*case), expected, strict=True):
        close(got, peer, 3e-10)


@pytest.mark.parametrize("slip", SLIPS)
def test_algorithm_3_as_printed_is_wrong(small_net, slip):
    *case, expected = small_net
    errors = [
        np.linalg.norm(got - peer) / np.linalg.norm(peer)
        for got, peer in zip(algorithm_3(*case, slip), expected)
    ]
    if slip == "start":
        assert min(errors) > 2, errors
    elif slip == "kron":
        assert min(errors) > 0.1, errors
    else:
        assert errors[-1] < 1e-9 and min(errors[:-1]) > 1e-3, errors

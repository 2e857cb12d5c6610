"""The rungs of the ladder, each against a dense matrix made in another way."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments import ladder
from soo_lib.curvature import kronecker_factors, layer_hessians, operator
from soo_lib.datasets import load_digits
from soo_lib.losses import Network

DATA = load_digits(60, standardize=False)
NET = Network([64, 5, 4, 10], "tanh")
LOSS = NET.loss(DATA.X_train, DATA.y_train, l2=1e-3)
X0 = NET.init(0)
G = LOSS.jac(X0)
DAMPING = 1e-2


def memory():
    return SimpleNamespace(m=0.0, rule=None, rng=np.random.default_rng(0))


def blocks(H):
    return [H[part, part] for part in NET.layer_slices]


def solved(parts, penalty=LOSS.penalty.l2):
    """-(B + (λ + damping) I)⁻¹g with a dense block for each layer."""
    return -np.concatenate(
        [
            np.linalg.solve(B + (penalty + DAMPING) * np.eye(len(B)), G[part])
            for B, part in zip(parts, NET.layer_slices)
        ]
    )


def test_the_full_rung_solves_with_the_whole_gauss_newton_matrix():
    H = operator(LOSS, X0, "ggn") @ np.eye(NET.n_params)
    expected = -np.linalg.solve(H + DAMPING * np.eye(len(H)), G)
    np.testing.assert_allclose(ladder.full(LOSS, X0, G, DAMPING, None), expected, atol=1e-9)
    alone = ladder.layers(LOSS, X0, G, DAMPING, None)
    np.testing.assert_allclose(alone, solved(blocks(H), penalty=0.0), atol=1e-9)
    assert np.linalg.norm(alone - expected) > 0.1 * np.linalg.norm(expected)


@pytest.mark.parametrize("curvature", ["exact", "clipped"])
def test_a_layer_of_another_curvature(curvature):
    """Where a block is indefinite the absolute values of its eigenvalues, and never an ascent."""
    p, low = ladder.layers(LOSS, X0, G, DAMPING, None, curvature), np.inf
    for H, part in zip(layer_hessians(LOSS, X0, curvature), NET.layer_slices):
        values, V = np.linalg.eigh(H + DAMPING * np.eye(len(H)))
        low = min(low, values[0])
        expected = -V @ (V.T @ G[part] / np.maximum(np.abs(values), DAMPING * (values[0] < 0)))
        np.testing.assert_allclose(p[part], expected, atol=1e-8)
    assert p @ G < 0 and (low < 0) == (curvature == "exact")


def test_the_nearest_pair_is_van_loans():
    """The best of rank one by a singular value decomposition of the rearranged block."""
    H = operator(NET.loss(DATA.X_train, DATA.y_train), X0, "ggn") @ np.eye(NET.n_params)
    for B, (A, C), kfac in zip(
        blocks(H), ladder.nearest_pairs(LOSS, X0), kronecker_factors(LOSS, X0)
    ):
        k, j = len(A), len(C)
        s = np.linalg.svd(
            B.reshape(k, j, k, j).transpose(0, 2, 1, 3).reshape(k * k, j * j), compute_uv=False
        )
        least = np.sqrt(np.sum(s[1:] ** 2))
        assert np.linalg.norm(B - np.kron(A, C)) == pytest.approx(least, rel=1e-6)
        assert np.linalg.norm(B - np.kron(*kfac)) > 1.02 * least


def test_the_rungs_of_pairs_solve_with_them():
    pairs = kronecker_factors(LOSS, X0)
    dense = [np.kron(*pair) for pair in pairs]
    np.testing.assert_allclose(ladder.pair(LOSS, X0, G, DAMPING, None), solved(dense), atol=1e-9)
    near = [np.kron(*pair) for pair in ladder.nearest_pairs(LOSS, X0)]
    np.testing.assert_allclose(ladder.nearest(LOSS, X0, G, DAMPING, None), solved(near), atol=1e-9)
    total = DAMPING + LOSS.penalty.l2
    spread = [np.kron(*ladder.damped(*pair, DAMPING)) for pair in pairs]
    expected = -np.concatenate(
        [
            np.linalg.solve(B + LOSS.penalty.l2 * np.eye(len(B)), G[part])
            for B, part in zip(spread, NET.layer_slices)
        ]
    )
    np.testing.assert_allclose(ladder.kfac(LOSS, X0, G, DAMPING, None), expected, atol=1e-9)
    blocks_ = blocks(operator(LOSS, X0, "ggn") @ np.eye(NET.n_params))
    bases = [np.kron(*(np.linalg.eigh(F)[1] for F in pair)) for pair in pairs]
    p = ladder.ekfac(LOSS, X0, G, DAMPING, None)
    for Q, B, part in zip(bases, blocks_, NET.layer_slices):
        B = B - np.diag(LOSS.penalty.weights[part])
        expected = -Q @ (Q.T @ G[part] / (np.diag(Q.T @ B @ Q) + total))
        np.testing.assert_allclose(p[part], expected, atol=1e-9)


def test_drawn_labels_are_right_on_average():
    kept = memory()
    exact = ladder.pair(LOSS, X0, G, 1.0, None)
    p = np.mean([ladder.sampled(LOSS, X0, G, 1.0, kept) for _ in range(40)], axis=0)
    assert np.linalg.norm(p - exact) < 0.1 * np.linalg.norm(exact)


def test_the_diagonal_and_the_gradient():
    H = operator(LOSS, X0, "ggn") @ np.eye(NET.n_params)
    np.testing.assert_allclose(
        ladder.diagonal(LOSS, X0, G, DAMPING, None), -G / (np.diag(H) + DAMPING), rtol=1e-9
    )
    np.testing.assert_array_equal(ladder.gradient(LOSS, X0, G, None, None), -G)


def test_muon_is_the_steepest_in_the_spectral_norm_and_shampoo_without_memory_is_too():
    p, q = (ladder.RUNGS[rung][0](LOSS, X0, G, 0.0, memory()) for rung in ("Muon", "Shampoo"))
    for part, (n_in, n_out) in zip(NET.layer_slices, NET.shapes):
        P, whole = (v[part].reshape(n_in + 1, n_out) for v in (p, G))
        size = 0.2 * np.sqrt(max(n_in, n_out))
        assert np.sum(P * whole) == pytest.approx(-size * np.linalg.norm(whole, "nuc"))
        W, D = (v[part][: n_in * n_out].reshape(n_in, n_out) for v in (G, q))
        U, _, Vt = np.linalg.svd(W, full_matrices=False)
        np.testing.assert_allclose(D / np.linalg.norm(D), -U @ Vt / np.linalg.norm(Vt), atol=1e-3)


@pytest.mark.parametrize("rung", ladder.RUNGS)
def test_every_rung_descends_and_its_first_step_is_within_the_wolfe_conditions(rung):
    found = ladder.run("4 x 4 pixels", rung, ladder.RUNGS[rung][1][0], 0, 3)
    assert (np.diff(found["fun"]) < 0).all() and len(found["fun"]) == 4
    assert found["evaluations"][0] == 1 and found["seconds"] > 0

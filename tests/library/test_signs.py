"""Negative curvature: against dense eigenvalues, at saddles, minima and flat points."""

import numpy as np
import pytest
from scipy.optimize import minimize
from test_curvature import SLOPES, per_sample, problem
from test_network import data, every_activation, every_depth

from soo_lib.curvature import layer_signs, smallest_eigenvalue
from soo_lib.losses import Network


@every_activation
@every_depth
def test_layer_signs_against_eigvalsh(sizes, activation):
    loss, x = problem(sizes, activation, l2=0.01)
    signs = layer_signs(loss, x)
    _, seen = per_sample(loss, x)
    H = loss.hess(x)
    scale = np.abs(H).max()
    assert len(signs.negative) == len(sizes) - 2
    for layer, share in enumerate(signs.negative):
        z, g, _ = (np.array(part) for part in zip(*seen[layer]))
        assert share == np.mean(SLOPES[activation][1](z) * g < 0)
    expected = [np.linalg.eigvalsh(H[part, part])[0] for part in loss.net.layer_slices]
    np.testing.assert_allclose(signs.smallest, expected, rtol=0, atol=1e-12 * scale)
    assert signs.full == pytest.approx(np.linalg.eigvalsh(H)[0], rel=1e-8, abs=1e-10 * scale)
    assert signs.gnorm == np.abs(loss.jac(x)).max()
    value, vector = smallest_eigenvalue(loss, x)
    assert value == signs.full  # the same start, the same answer
    np.testing.assert_allclose(H @ vector, value * vector, rtol=0, atol=1e-7 * scale)
    assert np.linalg.norm(vector) == pytest.approx(1)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "linear"])
def test_a_saddle_that_no_layer_block_shows(activation):
    """All parameters 0, classes of equal size: the gradient vanishes, and the blocks between the
    layers alone make the Hessian indefinite. A penalty turns the saddle into a minimum."""
    X, _ = data(m=30)
    y = np.arange(30) % 3
    X += 2 * np.eye(3, 4)[y]
    net = Network([4, 2, 3], activation)
    loss, x = net.loss(X, y), np.zeros(net.n_params)
    signs = layer_signs(loss, x)
    assert signs.gnorm < 1e-15
    assert min(signs.smallest) > -1e-14 and signs.negative == [0]
    assert signs.full < -0.01
    assert signs.full == pytest.approx(np.linalg.eigvalsh(loss.hess(x))[0], rel=1e-8)
    _, vector = smallest_eigenvalue(loss, x)
    assert max(loss.fun(0.1 * vector), loss.fun(-0.1 * vector)) < loss.fun(x)
    heavy = net.loss(X, y, l2=1.0, penalize_bias=True)
    kept = layer_signs(heavy, x)
    assert kept.gnorm < 1e-15 and kept.full == pytest.approx(signs.full + 1, rel=1e-6)
    assert kept.full > 0


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_a_minimum(activation):
    loss, x = problem([4, 5, 3], activation, l2=0.05, penalize_bias=True)
    found = minimize(
        loss.fun_and_jac, x, jac=True, hess=loss.hess, method="trust-exact", options={"gtol": 1e-9}
    )
    signs = layer_signs(loss, found.x)
    assert signs.gnorm < 1e-8
    # Swapping units moves no value, but turning them does: the minimum is strict.
    assert 1e-3 < signs.full <= min(signs.smallest) + 1e-12
    assert signs.full == pytest.approx(np.linalg.eigvalsh(loss.hess(found.x))[0], rel=1e-7)


@pytest.mark.parametrize("sizes", [[3, 4], [6, 5, 4], [2, 2]])
@pytest.mark.parametrize("scale", [1, 0, 1e4])
@pytest.mark.parametrize("l2", [0, 0.3])
def test_smallest_eigenvalue_among_many_equal_ones(sizes, scale, l2):
    """Without a penalty softmax does not see a constant added to all logits: 0 comes many times.
    A saturated net has the penalty's curvature alone, or none."""
    loss, x = problem(sizes, "relu", l2=l2, penalize_bias=True)
    expected = np.linalg.eigvalsh(loss.hess(scale * x))[0]
    assert smallest_eigenvalue(loss, scale * x)[0] == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_a_flat_point():
    """Six sigmoid layers with a small penalty: eigenvalues crowd within 1e-4 of 0."""
    loss, x = problem([8, 6, 6, 6, 6, 6, 6, 3], m=60, l2=1e-4)
    found = minimize(loss.fun_and_jac, x, jac=True, method="L-BFGS-B")
    signs, eigenvalues = layer_signs(loss, found.x), np.linalg.eigvalsh(loss.hess(found.x))
    assert np.sum(np.abs(eigenvalues) < 2e-4) > 100
    assert signs.full == pytest.approx(eigenvalues[0], rel=1e-6, abs=1e-12)

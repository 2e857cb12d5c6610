"""Losses with closed forms: Rosenbrock, the L2 penalty and logistic regression."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from helpers import overlapping, slope
from scipy.optimize import rosen, rosen_der, rosen_hess
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from soo_lib.gradient_test import gradient_test
from soo_lib.losses import L2, Logistic, Loss, Rosenbrock, as_loss
from soo_lib.solvers import minimize


def random(*shape):
    return np.random.default_rng(0).normal(size=shape)


MASK = np.array([1, 1, 0, 1])
LOSSES = {
    "rosenbrock": Rosenbrock(),
    "rosenbrock a=-2 b=3": Rosenbrock(a=-2, b=3),
    "l2": L2(4, 0.3),
    "l2 with a mask": L2(4, 0.3, MASK),
    "logistic": overlapping(n=4),
    "logistic with l2": overlapping(n=4, l2=0.7),
    "logistic on some rows": overlapping(n=4, l2=0.7).subset(np.arange(5, 25)),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


@every_loss
def test_gradient_test(loss):
    for seed, x in enumerate(random(3, loss.n_params)):
        result = gradient_test(loss, x, seed=seed)
        assert result.ok, result


@every_loss
def test_hessian_is_the_slope_of_the_gradient(loss):
    for x, d in random(3, 2, loss.n_params):
        H = loss.hess(x)
        np.testing.assert_allclose(H, H.T, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(H @ d, slope(loss.jac, x, d), rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(loss.hessp(x, d), H @ d, rtol=1e-12, atol=1e-13)


@every_loss
def test_value_and_gradient_together_are_the_same_as_one_by_one(loss):
    x = random(loss.n_params)
    f, g = loss.fun_and_jac(x)
    assert isinstance(f, float) and f == loss.fun(x)
    assert g.dtype == np.float64 and g.shape == (loss.n_params,)
    np.testing.assert_array_equal(g, loss.jac(x))


# ---- Rosenbrock


def test_rosenbrock_by_hand():
    loss = Rosenbrock()  # a = 1, b = 50: figures 1 and 2
    assert loss.fun([0, 0]) == 1
    np.testing.assert_array_equal(loss.jac([0, 0]), [-2, 0])
    np.testing.assert_array_equal(loss.hess([0, 0]), [[2, 0], [0, 100]])
    np.testing.assert_array_equal(loss.hess([1, 1]), [[402, -200], [-200, 100]])
    np.testing.assert_array_equal(loss.hessp([1, 1], [1, 2]), [2, 0])
    valley = Rosenbrock(a=2, b=3)
    assert valley.fun([2, 4]) == 0 and not valley.jac([2, 4]).any()
    assert valley.fun([1, 2]) == 1 + 3
    np.testing.assert_array_equal(valley.jac([1, 2]), [-2 - 12, 6])
    np.testing.assert_array_equal(valley.hess([1, 2]), [[2 + 12, -12], [-12, 6]])


def test_rosenbrock_with_b_100_is_scipys():
    loss = Rosenbrock(b=100)
    for x in random(5, 2):
        assert loss.fun(x) == pytest.approx(rosen(x), rel=1e-13)
        np.testing.assert_allclose(loss.jac(x), rosen_der(x), rtol=1e-12)
        np.testing.assert_allclose(loss.hess(x), rosen_hess(x), rtol=1e-12)


def test_rosenbrock_against_autograd():
    def f(x):
        return (1.5 - x[0]) ** 2 + 7 * (x[1] - x[0] ** 2) ** 2

    loss = Rosenbrock(a=1.5, b=7)
    for x in random(5, 2):
        np.testing.assert_allclose(loss.jac(x), autograd.grad(f)(x), rtol=1e-12)
        np.testing.assert_allclose(loss.hess(x), autograd.hessian(f)(x), rtol=1e-12)


# ---- L2


def test_l2_by_hand():
    x, p = np.array([1.0, -2.0, 3.0]), np.array([1.0, 1.0, 2.0])
    loss = L2(3, 0.5)
    assert loss.fun(x) == 0.25 * 14
    np.testing.assert_array_equal(loss.jac(x), 0.5 * x)
    np.testing.assert_array_equal(loss.hess(x), 0.5 * np.eye(3))
    masked = L2(3, 0.5, np.array([1, 0, 1]))
    assert masked.fun(x) == 0.25 * 10
    np.testing.assert_array_equal(masked.jac(x), [0.5, 0, 1.5])
    np.testing.assert_array_equal(masked.hessp(x, p), [0.5, 0, 1])
    assert L2(3, 0).fun(x) == 0 and not L2(3, 0).jac(x).any()


# ---- logistic regression


def test_logistic_by_hand():
    X, y = np.array([[1.0, 2.0], [1.0, -1.0], [0.0, 3.0]]), np.array([1, 0, 1])
    x = np.array([0.3, -0.4])
    h = 1 / (1 + np.exp(-X @ x))
    loss, penalized = Logistic(X, y), Logistic(X, y, l2=0.2)
    value = -np.mean(y * np.log(h) + (1 - y) * np.log(1 - h))
    assert loss.fun(x) == pytest.approx(value, rel=1e-14)
    assert penalized.fun(x) == pytest.approx(value + 0.1 * 0.25, rel=1e-14)
    gradient = X.T @ (h - y) / 3
    np.testing.assert_allclose(loss.jac(x), gradient, rtol=1e-13)
    np.testing.assert_allclose(penalized.jac(x), gradient + 0.2 * x, rtol=1e-13)
    hessian = X.T @ np.diag(h * (1 - h)) @ X / 3
    np.testing.assert_allclose(loss.hess(x), hessian, rtol=1e-13)
    np.testing.assert_allclose(penalized.hess(x), hessian + 0.2 * np.eye(2), rtol=1e-13)
    assert loss.fun(np.zeros(2)) == pytest.approx(np.log(2), rel=1e-15)
    assert (loss.n_samples, loss.n_params) == (3, 2)


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_logistic_against_autograd(l2):
    loss = overlapping(n=4, l2=l2)
    signs = 2.0 * loss.y - 1

    def f(x):
        return anp.mean(anp.log(1 + anp.exp(-signs * (loss.X @ x)))) + l2 / 2 * anp.sum(x**2)

    for x in random(5, 4):
        assert loss.fun(x) == pytest.approx(f(x), rel=1e-13)
        np.testing.assert_allclose(loss.jac(x), autograd.grad(f)(x), rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(loss.hess(x), autograd.hessian(f)(x), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("l2", [1e-3, 0.1])
def test_minimum_is_scikit_learns(l2):
    loss = overlapping(m=200, n=4, l2=l2)
    peer = LogisticRegression(C=1 / (200 * l2), fit_intercept=False, tol=1e-12, max_iter=10_000)
    peer.fit(loss.X, loss.y)
    found = minimize(loss, np.zeros(4), gtol=1e-12)
    assert found.success
    np.testing.assert_allclose(found.x, peer.coef_[0], rtol=1e-6)
    np.testing.assert_array_equal(loss.predict(found.x, loss.X), peer.predict(loss.X))
    assert np.abs(loss.jac(peer.coef_[0])).max() < 1e-7


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_huge_logits_are_finite(size):
    """Far from undecided: the loss is 0 for a right row and |z| for a wrong one."""
    loss = Logistic([[1.0], [1.0], [-1.0], [-1.0]], [1, 1, 0, 1])
    x = np.array([size])
    right = np.array([1, 1, 1, 0]) if size > 0 else np.array([0, 0, 0, 1])
    assert loss.fun(x) == pytest.approx(1e4 * np.mean(1 - right))
    np.testing.assert_allclose(loss.jac(x), [0.25 if size > 0 else -0.75], rtol=1e-12)
    np.testing.assert_allclose(loss.hess(x), [[0.0]], atol=1e-300)
    assert np.isfinite(loss.hessp(x, np.ones(1))).all()


def test_subset_is_the_same_loss_on_those_rows():
    loss = overlapping(l2=0.2)
    rows, x = np.array([3, 8, 5, 40, 41]), random(3)
    part = loss.subset(rows)
    assert part.n_samples == 5 and part.n_params == 3
    z = loss.X[rows] @ x
    value = np.mean(np.log1p(np.exp(z)) - loss.y[rows] * z) + 0.1 * x @ x
    assert part.fun(x) == pytest.approx(value, rel=1e-14)
    one_class = loss.subset(np.flatnonzero(loss.y == 1))
    assert np.isfinite(one_class.fun(x))


def test_predict():
    loss = overlapping()
    x = np.array([0.1, 1.0, -0.5])
    labels = loss.predict(x, loss.X)
    np.testing.assert_array_equal(labels, (expit(loss.X @ x) > 0.5).astype(int))
    assert set(labels) == {0, 1}


def test_data_may_be_lists_integers_and_booleans():
    X, y = [[1, 2], [1, -1], [1, 0]], [True, False, True]
    assert Logistic(X, y).fun([0.5, 1]) == Logistic(np.array(X, float), [1, 0, 1]).fun([0.5, 1])
    single = np.array(X, np.float32)
    assert Logistic(single, y).fun([0.5, 1]) == Logistic(X, y).fun([0.5, 1])


def test_a_loss_needs_only_value_gradient_and_hessian():
    class Cubic(Loss):
        n_params = 2

        def fun(self, x):
            return float(np.sum(x**3))

        def jac(self, x):
            return 3 * x**2

        def hess(self, x):
            return np.diag(6 * x)

    x = np.array([1.0, 2.0])
    f, g = Cubic().fun_and_jac(x)
    assert f == 9 and list(g) == [3, 12] and Cubic().why_no_minimum(x) == ""
    np.testing.assert_array_equal(Cubic().hessp(x, np.array([1.0, 1.0])), [6, 12])


# ---- is there a minimum?


def line(points, labels):
    """Logistic regression with an intercept on points of a line."""
    return Logistic(np.c_[np.ones(len(points)), points], np.array(labels))


@pytest.mark.parametrize("x", [[-2.5, 1.0], [-250.0, 100.0], [-25e3, 1e4]])
def test_separable_data_have_no_minimum(x):
    assert "no minimum" in line([0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 1, 1]).why_no_minimum(np.array(x))


def test_overlap_or_a_penalty_tell_of_no_separation():
    x = np.array([-40.0, 20.0])
    assert line([0, 1, 2.01, 2, 3, 4], [0, 0, 0, 1, 1, 1]).why_no_minimum(x) == ""
    separable = line([0, 1, 3, 4], [0, 0, 1, 1])
    for other in (x, -x, 0 * x):  # the perceptron finds what x does not show
        assert separable.why_no_minimum(other)
    assert Logistic(separable.X, separable.y, l2=1e-6).why_no_minimum(x) == ""


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_separation_has_no_units(scale):
    separable = line([0, 1, 3, 4], [0, 0, 1, 1])
    x = np.array([-40.0, 20.0 / scale])
    assert Logistic(separable.X * [1, scale], separable.y).why_no_minimum(x)


@pytest.mark.parametrize("method", ["newton", "lbfgs", "bfgs", "nlcg"])
def test_a_run_on_separable_data_says_so(method):
    found = minimize(line([0, 1, 3, 4], [0, 0, 1, 1]), np.zeros(2), method=method)
    assert "can be separated" in found.message


# ---- what is a loss


@every_loss
def test_lists_are_vectors(loss):
    x, p = random(2, loss.n_params)
    for name in ("fun", "jac", "hess"):
        listed = getattr(loss, name)(x.tolist())
        np.testing.assert_array_equal(listed, getattr(loss, name)(x))
    np.testing.assert_array_equal(loss.hessp(x.tolist(), p.tolist()), loss.hessp(x, p))


def test_whatever_has_what_a_solver_asks_for_is_a_loss():
    class Apart:
        """Without a base class, and without hessp."""

        n_params = 1

        def fun(self, x):
            return float(x[0] ** 2)

        jac = fun_and_jac = hess = ggnp = gnorm = why_no_minimum = fun

    class Whole(Apart):
        hessp = Apart.fun

    assert isinstance(Whole(), Loss) and isinstance(Rosenbrock(), Loss)
    assert not isinstance(Apart(), Loss)
    completed = as_loss(Apart(), [3.0])
    assert isinstance(completed, Loss) and completed.fun([3.0]) == 9 and completed.n_params == 1


def test_a_loss_says_what_it_is():
    data_loss = Logistic(np.ones((5, 3)), [0, 1, 0, 1, 0])
    assert repr(data_loss) == "<Logistic: 3 parameters, 5 samples>"
    assert repr(Rosenbrock()) == "<Rosenbrock: 2 parameters>" and "Loss" in repr(Loss())

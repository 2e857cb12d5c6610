"""Hessian-free and cubic steps: each model's minimum by a dense solve, saddles, networks."""

import functools

import numpy as np
import pytest
from helpers import Quadratic, Saddle, Watched, complains, overlapping
from problems import Changed, Squares, helical_valley
from scipy.optimize import minimize as scipy_minimize
from sklearn.datasets import load_digits

from soo_lib.curvature import ggn_product, martens
from soo_lib.losses import Batched, Loss, Network, Rosenbrock, partition
from soo_lib.solvers import Cubic, HessianFree, Recorder, minimize, minimize_refreshed
from soo_lib.solvers.stop import Status

BOTH = ["hessian-free", "arc"]
every_method = pytest.mark.parametrize("method", BOTH)
rng = np.random.default_rng(0)


class Model(Loss):
    """Any symmetric H at any point, whatever the loss."""

    def __init__(self, H):
        self.H, self.n_params = H, len(H)

    def hess(self, x):
        return self.H


def symmetric(eigenvalues, seed=0):
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=2 * [len(eigenvalues)]))[0]
    return Q @ np.diag(eigenvalues) @ Q.T


# ---- one step against a dense solve


@pytest.mark.parametrize("damping", [1e-3, 1.0, 100.0])
def test_hessian_free_solves_newtons_damped_equation(damping):
    H, g = symmetric(np.geomspace(1, 30, 8)), rng.normal(size=8)
    rule = HessianFree(damping)
    p = rule(Model(H), None, g)
    np.testing.assert_allclose(p, -np.linalg.solve(H + damping * np.eye(8), g), atol=1e-8)
    np.testing.assert_allclose(rule.pHp, p @ H @ p, rtol=1e-6)
    assert not rule.note


def test_martens_stops_before_the_equation_is_solved():
    """Long before n products, where the model's value hardly falls any more."""
    n = 400
    H, g = np.diag(np.geomspace(1, 1e3, n)), rng.normal(size=n)
    loss = Watched(Model(H))
    rule = HessianFree(damping=1e-6, products=10**4)
    p = rule(loss, None, g)
    assert 20 < loss.nhessp < n
    exact = -g / (np.diag(H) + 1e-6)

    def model(p):
        return g @ p + 0.5 * p @ H @ p

    assert p @ g < 0 and model(p) < 0.99 * model(exact) < 0
    assert np.linalg.norm(p - exact) > 1e-6 * np.linalg.norm(exact)
    assert HessianFree(products=7)(few := Watched(Model(H)), None, g) @ g < 0
    assert few.nhessp == 7


# ---- Martens' three additions: a preconditioner, a warm start, the way back


def test_a_preconditioner_spans_another_space():
    """After four products: the model's minimum in the space of M⁻¹g, (M⁻¹A)M⁻¹g, ..., dense."""
    H, g, asked = symmetric(np.geomspace(1, 30, 8)), rng.normal(size=8), []
    P = np.geomspace(0.5, 4, 8)
    p = HessianFree(0.3, 4, lambda x, damping: asked.append(damping) or P)(Model(H), np.ones(8), g)
    A, column, space = H + 0.3 * np.eye(8), g / P**2, []
    for _ in range(4):
        space.append(column)
        column = A @ column / P**2
    K = np.transpose(space)
    np.testing.assert_allclose(p, -K @ np.linalg.solve(K.T @ A @ K, K.T @ g), rtol=1e-6)
    assert asked == [0.3]
    whole = HessianFree(0.3, preconditioner=lambda x, damping: P)(Model(H), np.ones(8), g)
    np.testing.assert_allclose(whole, -np.linalg.solve(A, g), atol=1e-8)


def test_martens_diagonal_is_made_at_each_point_with_the_present_damping():
    net, loss = digits()
    seen = []

    def watched(x, damping):
        seen.append((x.copy(), damping))
        return martens(loss, x, damping)

    found = minimize(
        loss, net.init(0), "hessian-free", maxiter=6, damping=1.0, preconditioner=watched
    )
    assert len(seen) == found.nit == 6 and len({damping for _, damping in seen}) > 1
    np.testing.assert_array_equal(seen[0][0], net.init(0))
    assert (np.diff(found.trace.fun) < 0).all()


def test_a_warm_start_goes_on_where_the_last_one_ended():
    """Cut off after five products, each time at one point: the model falls from call to call."""
    H, g = symmetric(np.geomspace(1, 300, 40)), rng.normal(size=40)
    exact = -np.linalg.solve(H + 0.01 * np.eye(40), g)
    for warm in (0.0, 1.0):
        rule, left = HessianFree(0.01, 5, warm=warm), []
        for _ in range(4):
            loss = Watched(Model(H))
            p = rule(loss, None, g)
            left.append((p - exact) @ (H + 0.01 * np.eye(40)) @ (p - exact))
            np.testing.assert_allclose(rule.pHp, p @ H @ p, rtol=1e-8)
        assert (np.diff(left) < 0).all() if warm else np.ptp(left) == 0
        assert loss.nhessp == (6 if warm else 5)
    assert not rule.fresh
    rule(Model(H), None, -g)  # the model is higher there than at 0
    np.testing.assert_array_equal(rule.p, HessianFree(0.01, 5)(Model(H), None, -g))
    assert rule.fresh


class Bowl(Loss):
    """Flatter than its model says, or steeper, the further out: the loss is not the model."""

    def __init__(self, H, bend):
        self.H, self.bend, self.n_params = H, bend, len(H)

    def fun(self, x):
        return float(0.5 * x @ self.H @ x + self.bend * np.sum(x**4))

    def jac(self, x):
        return self.H @ x + 4 * self.bend * x**3

    def hess(self, x):
        return self.H


@pytest.mark.parametrize("bend", [0.0, 1.0, 30.0])
def test_backtracking_takes_the_lowest_point_of_the_path(bend):
    loss, x = Bowl(symmetric(np.geomspace(0.01, 10, 60), 3), bend), np.full(60, 0.4)
    g = loss.jac(x)
    points = [HessianFree(1e-4, i)(loss, x, g) for i in range(1, 61)]  # CG's path, step by step
    last = next(i for i, p in enumerate(points) if (p == points[-1]).all())
    kept = []
    for i in range(1, last + 1):  # as many as 1.3^j, from the first
        if i + 1 > 1.3 ** len(kept):
            kept.append(i - 1)
    path = [points[i] for i in kept] + [points[last]]
    falls = [loss.fun(x + p) for p in path]
    best = len(path) - 1
    while best and falls[best - 1] < falls[best]:
        best -= 1
    looked = Watched(loss)
    rule = HessianFree(1e-4, backtrack=True)
    p = rule(looked, x, g)
    np.testing.assert_array_equal(p, path[best])
    assert looked.nfev == len(path) - best + (best > 0)
    assert (best < len(path) - 1) == (bend > 0)
    np.testing.assert_allclose(rule.pHp, p @ loss.H @ p, rtol=1e-6)


@pytest.mark.parametrize(
    "how", [{"warm": 0.95}, {"backtrack": True}, {"warm": 1, "backtrack": 1}], ids=str
)
def test_with_all_of_them_digits_and_saddles(how):
    net, loss = digits()
    found = minimize(
        loss,
        net.init(0),
        "hessian-free",
        maxiter=60,
        preconditioner=functools.partial(martens, loss),
        **how,
    )
    assert found.fun < 0.1 and (np.diff(found.trace.fun) < 0).all()
    for y in (1e-6, 0.1):
        found = minimize(Saddle(), [1.0, y], "hessian-free", maxiter=200, **how)
        assert found.success and abs(found.x[1] - 0.5**0.5) < 1e-6


def cubic_minimum(H, g, sigma):
    """The global minimum of the cubic model, by scipy from many starts."""

    def model(s):
        return g @ s + 0.5 * s @ H @ s + sigma / 3 * np.linalg.norm(s) ** 3

    starts = 3 * np.random.default_rng(1).normal(size=(30, len(g)))
    found = [scipy_minimize(model, s, method="BFGS", options={"gtol": 1e-9}) for s in starts]
    return min(found, key=lambda f: f.fun).x, model


@pytest.mark.parametrize("sigma", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("eigenvalues", [[1, 2, 5], [-2, 1, 3], [-3, -1, -0.5], [0, 0, 1]], ids=str)
def test_the_cubic_models_minimum(eigenvalues, sigma):
    H, g = symmetric(np.array(eigenvalues, float)), rng.normal(size=3)
    rule = Cubic(sigma)
    s = rule(Model(H), None, g)
    best, model = cubic_minimum(H, g, sigma)
    # minimum of the model in the whole space, as three vectors span it unless it stopped early
    assert model(s) <= model(best) + 0.02 * abs(model(best))
    shift = sigma * np.linalg.norm(s)
    residual = np.linalg.norm(g + H @ s + shift * s)
    assert residual <= 0.11 * min(1.0, np.linalg.norm(s)) * np.linalg.norm(g) + 1e-9
    assert s @ g < 0
    np.testing.assert_allclose(rule.pHp, s @ H @ s, rtol=1e-6, atol=1e-9)
    assert ("negative" in rule.note) == (min(eigenvalues) < 0) or residual > 1e-9


def test_the_hard_case():
    """g has nothing along the direction that bends down: the model alone shows the way."""
    rule = Cubic(1.0)
    y, yTy = rule._minimum([-2.0, 1.0], [0.0], 0.0)  # no gradient at all
    np.testing.assert_allclose(np.abs(y), [2, 0], atol=1e-6)  # λ = 2 = σ‖y‖
    np.testing.assert_allclose(yTy, -8, rtol=1e-6)


def test_a_refused_step_costs_no_product():
    H, g = symmetric(np.geomspace(1, 30, 8)), rng.normal(size=8)
    loss, rule = Watched(Model(H)), Cubic()
    first = rule(loss, None, g)
    before = loss.nhessp
    rule.restart()
    second = rule(loss, None, g)
    assert loss.nhessp <= before + 1
    assert np.linalg.norm(second) < np.linalg.norm(first) and rule.sigma == 2.0
    rule.update(second, g, g + H @ second)
    assert rule.space is None and rule.refused == 0


def test_the_agreement_of_loss_and_model():
    loss, x, s = Quadratic(), np.ones(5), rng.normal(size=5)
    rule = HessianFree()
    rule.p, rule.pHp = 2 * s, 4 * s @ loss.A @ s  # s is half the step that was proposed
    if loss.fun(x + s) > loss.fun(x):
        s = rule.p = -loss.jac(x) / 100
        rule.pHp = s @ loss.A @ s
    np.testing.assert_allclose(rule.agreement(s, loss.jac(x), loss.jac(x + s)), 1.0)
    worse = rule.agreement(s, loss.jac(x), loss.jac(x) + 10 * loss.A @ s)
    assert worse < 1.0


def test_the_trust_is_adapted():
    for rule, name, up, down in ((HessianFree(), "damping", 1.5, 10), (Cubic(), "sigma", 2, 10)):
        rule.p, rule.pHp = s, _ = np.array([-1.0, 0.0]), 1.0
        rule.least = rule.top = 0.0
        g = np.array([2.0, 0.0])
        before = getattr(rule, name)
        rule.update(s, g, g + 1.2 * s)  # nearly as the quadratic model foretold
        assert getattr(rule, name) == before / (1.5 if name == "damping" else 2)
        setattr(rule, name, before)
        rule.update(s, g, g + s)  # as it foretold; the cubic model fell short
        assert getattr(rule, name) == before / down
        rule.update(s, g, g + 20 * s)  # far too long
        assert getattr(rule, name) == before / down * up


def test_the_trust_stays_within_bounds():
    """λ and σ that no longer matter fall no further, and come back soon."""
    H, g = np.diag([1.0, 4.0]), np.array([1.0, 1.0])
    for rule, name in ((HessianFree(), "damping"), (Cubic(), "sigma")):
        for _ in range(200):
            s = rule(Model(H), None, g)
            rule.update(s, g, g + H @ s)
        assert 1e-25 < getattr(rule, name) < 1e-10
    rule = Cubic()
    rule(Model(H), None, g)
    for _ in range(1000):
        rule.restart()
    assert rule.sigma == 1e100


@pytest.mark.parametrize("line_search", ["fixed", "backtracking", "wolfe"])
@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1.0, 1e12, 1e200])
def test_no_error_leaves_arc(line_search, scale):
    """On the helical valley σ once fell to 1e-153, and (λ/σ)² overflowed."""
    loss = Changed(Squares(helical_valley, 3), scale)
    for start in ([-1.0, 0.0, 0.0], [3.0, 1e-9, 2.0], [1e6, 1.0, 1.0]):
        found = minimize(loss, start, "arc", line_search, maxiter=1000, gtol=1e-9 * scale)
        assert np.isfinite(found.x).all() and found.message


def test_a_product_whose_norm_is_no_number_is_not_finite():
    loss = Loss()
    loss.n_params, loss.fun = 2, lambda x: float(np.sum((x * 1e150) ** 2))
    loss.jac, loss.hess = lambda x: 2 * x * 1e150 * 1e150, lambda x: 2e300 * np.eye(2)
    for line_search in (None, "fixed", "backtracking", "wolfe"):
        found = minimize(loss, [1e-150, 2e-150], "arc", line_search)
        assert not found.success and found.message and np.isfinite(found.fun)


# ---- whole runs


@every_method
@pytest.mark.parametrize("b", [1.0, 50.0, 1000.0])
def test_rosenbrock(method, b):
    found = minimize(Rosenbrock(b=b), [-1.2, 1.0], method, maxiter=300)
    assert found.success
    np.testing.assert_allclose(found.x, 1, atol=1e-5)
    assert (np.diff(found.trace.fun) <= 0).all()


@every_method
@pytest.mark.parametrize("line_search", [None, "backtracking", "wolfe"])
@pytest.mark.parametrize("y", [1e-6, -1e-4, 0.1])
def test_they_leave_a_saddle(method, line_search, y):
    found = minimize(Saddle(), [1.0, y], method, line_search, maxiter=200)
    assert found.success
    np.testing.assert_allclose(found.x, [0, np.sign(y) / np.sqrt(2)], atol=1e-6)
    noted = any("negative curvature" in note for note in found.trace.note)
    assert noted or abs(y) == 0.1  # from where the first step may jump to the valley


@every_method
def test_logistic_regression_takes_few_iterations(method):
    loss = overlapping(m=300, n=6, l2=1e-3)
    exact = minimize(loss, np.zeros(6), "newton", gtol=1e-11)
    found = minimize(loss, np.zeros(6), method)
    assert found.success and found.nit < 50
    np.testing.assert_allclose(found.x, exact.x, atol=1e-5)


@functools.cache
def digits():
    X, y = load_digits(return_X_y=True)
    net = Network([64, 12, 10], "tanh")
    return net, net.loss(X[:300] / 16, y[:300], l2=1e-3)


@every_method
def test_digits(method):
    """Fewer iterations than L-BFGS for the same loss, and more visits."""
    net, loss = digits()
    x0 = net.init(0)
    lbfgs = minimize(loss, x0, "lbfgs", maxiter=60)
    found = minimize(loss, x0, method, maxiter=60)
    first = int(np.argmax(found.trace.fun <= lbfgs.fun))
    assert 0 < first < 45 and found.nhev == 0
    assert found.nhessp == found.trace.nhessp[-1] > found.nit
    assert found.trace.evaluations[first] > lbfgs.trace.evaluations[-1]
    assert np.mean(net.predict(found.x, loss.X) == loss.y) > 0.98


def test_hessian_free_multiplies_with_the_gauss_newton_matrix():
    """On a network, in p, over batches and behind the recorder; elsewhere with the Hessian."""
    net, loss = digits()
    x, v = net.init(1), rng.normal(size=net.n_params)
    ggn = ggn_product(loss, x, v)
    assert not np.allclose(ggn, loss.hessp(x, v), rtol=1e-3)
    recorder = Recorder(Batched(loss, partition(300, 100)))
    np.testing.assert_allclose(recorder.ggnp(x, v), ggn, rtol=1e-9, atol=1e-14)
    assert recorder.nhessp == 1
    rule = HessianFree(damping=0.5, products=3)
    p = rule(Recorder(loss), x, loss.jac(x))
    np.testing.assert_allclose(rule.pHp, p @ ggn_product(loss, x, p), rtol=1e-6)
    logistic = overlapping()
    x, v = np.ones(3), v[:3]
    np.testing.assert_array_equal(logistic.ggnp(x, v), logistic.hessp(x, v))


def test_martens_diagonal_saves_products():
    """Inputs in very different units: CG in p = P x needs fewer products for the same loss."""
    units = np.geomspace(1e-2, 1e2, 8)
    X = rng.normal(size=(200, 8)) * units
    net = Network([8, 6, 3], "tanh")
    y = np.argmax(X[:, :3] / units[:3] + X[:, 3:6] / units[3:6], axis=1)
    loss = net.loss(X, y, l2=1e-4)
    x0 = net.init(0) * 0.3

    def run(kind):
        return minimize_refreshed(loss, x0, kind, every=5, method="hessian-free", maxiter=40)

    plain = run(lambda loss, x: np.ones(loss.n_params))
    found = run(functools.partial(martens, damping=1e-8))
    first = int(np.argmax(found.trace.fun <= plain.fun))
    assert found.fun < plain.fun and found.trace.nhessp[first] < 0.7 * plain.nhessp


@every_method
def test_a_run_whose_products_are_no_numbers_goes_on(method):
    class Broken(Quadratic):
        def hess(self, x):
            return np.full((5, 5), np.nan)

    found = minimize(Broken(), np.ones(5), method, maxiter=5)
    assert "not finite" in found.trace.note[1] and found.fun < Quadratic().fun(np.ones(5))


@every_method
@pytest.mark.parametrize(
    "arguments",
    [
        {"damping": 0},
        {"damping": -1.0},
        {"sigma": 0},
        {"sigma": np.nan},
        {"products": 0},
        {"products": 1.5},
    ],
    ids=str,
)
def test_bad_settings_are_named(method, arguments):
    (name,) = arguments
    if (name == "damping" and method == "arc") or (name == "sigma" and method == "hessian-free"):
        with pytest.raises(ValueError, match=name):
            minimize(Rosenbrock(), [0, 0], method, **arguments)
    else:
        complains(lambda: minimize(Rosenbrock(), [0, 0], method, **arguments), name)


def test_a_warm_start_that_finds_no_decrease_ends_in_words():
    """It used to start warm again for ever."""

    class Uphill(Quadratic):
        def jac(self, x):
            return -super().jac(x)

    found = minimize(Uphill(3), np.ones(3), "hessian-free", warm=0.5, maxiter=20)
    assert found.status is Status.WRONG_GRADIENT, found.message


@pytest.mark.parametrize("n", [3, 6, 20])
def test_hessian_free_on_small_logistic_losses(n):
    loss = overlapping(m=200, n=n, l2=1e-3)
    twin, found = (minimize(loss, np.zeros(n), m, gtol=1e-6) for m in ("Newton-CG", "hessian-free"))
    assert twin.success and found.success
    assert found.trace.evaluations[-1] <= 3 * twin.trace.evaluations[-1]

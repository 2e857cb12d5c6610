"""Mini-batch methods: PyTorch's trajectories, closed forms, what a run costs and how it ends."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import complains, overlapping

from soo_lib.curvature import damped, kronecker_factors
from soo_lib.losses import Logistic, Loss, Network, partition
from soo_lib.solvers import LBFGS, minimize
from soo_lib.stochastic import RULES, minimize_stochastic
from soo_lib.stochastic.layer_rules import LAYER_RULES
from soo_lib.stochastic.minimize import Batch

TORCH = json.loads((Path(__file__).parents[1] / "data" / "torch.json").read_text())
EVERY = [(rule, reduced) for rule in RULES for reduced in (False, True)]
every_rule = pytest.mark.parametrize("rule, reduced", EVERY)
# Steps that suit network() below; all but these few are content with 0.1.
STEPS = {"rmsprop": 0.02, "adam": 0.02, "kronecker": 0.05, "sls": 1.0}


class LeastSquares(Loss):
    """½ mean (Xx - y)², with its minimum in closed form."""

    def __init__(self, X, y):
        self.X, self.y = np.asarray(X, float), np.asarray(y, float)
        self.n_samples, self.n_params = self.X.shape
        self.minimum = np.linalg.lstsq(self.X, self.y)[0]

    def subset(self, rows):
        return LeastSquares(self.X[rows], self.y[rows])

    def fun(self, x):
        return 0.5 * float(np.mean((self.X @ x - self.y) ** 2))

    def jac(self, x):
        return self.X.T @ (self.X @ x - self.y) / len(self.y)

    def hess(self, x):
        return self.X.T @ self.X / len(self.y)


def least_squares(m=60, n=4, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, n)) * np.geomspace(1, 3, n)
    return LeastSquares(X, X @ rng.normal(size=n) + noise * rng.normal(size=m))


def network(m=90, l2=0.01, dtype=float, activation="tanh"):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, m)
    X = rng.normal(size=(m, 4)) + 2 * np.eye(4)[y]
    net = Network([4, 5, 3], activation)
    return net.loss(X, y, l2=l2, dtype=dtype), net.init(0)


def steps_of(loss, x0, rule, **settings):
    """A run, and the point before each of its steps."""
    path = []

    def spy(batch, x, f, g, step):
        path.append(x)
        return rule(batch, x, f, g, step)

    return minimize_stochastic(loss, x0, spy, **settings), path


class Careless(LeastSquares):
    """Uses one array for every gradient and product, of all rows and of some."""

    def subset(self, rows):
        part = Careless(self.X[rows], self.y[rows])
        part.array = self.array
        return part

    def jac(self, x):
        self.array[:] = super().jac(x)
        return self.array

    def hessp(self, x, p):
        self.array[:] = super().hessp(x, p)
        return self.array


@every_rule
def test_a_loss_may_use_its_arrays_again(rule, reduced):
    careful = least_squares()
    loss = Careless(careful.X, careful.y)
    loss.array = np.empty(4)
    if rule in LAYER_RULES:
        return
    runs = [
        minimize_stochastic(each, np.zeros(4), rule, 16, 3, 0.05, variance_reduction=reduced)
        for each in (loss, careful)
    ]
    np.testing.assert_array_equal(runs[0].x, runs[1].x)


# ---- against PyTorch


@pytest.mark.parametrize(
    "run", TORCH["runs"], ids=lambda run: f"{run['problem']} {run['rule']} {run['settings']}"
)
def test_every_step_is_pytorchs(run):
    """tests/data/torch.json, made by tools/record_torch.py, to the digits that it keeps."""
    problem = TORCH["problems"][run["problem"]]
    X, y, x0 = problem["X"], problem["y"], np.array(problem["x0"])
    loss = LeastSquares(X, y)
    if run["problem"] == "network":
        loss = Network(TORCH["sizes"], "tanh").loss(X, np.array(y), l2=TORCH["l2"])

    how = {name: TORCH[name] for name in ("batch_size", "epochs", "seed")}
    found, path = steps_of(loss, x0, RULES[run["rule"]](**run["settings"]), step=run["step"], **how)
    assert len(path) == len(run["x"]) == 20
    np.testing.assert_allclose([*path[1:], found.x], run["x"], rtol=1e-9, atol=1e-11)
    named = minimize_stochastic(loss, x0, run["rule"], step=run["step"], **how, **run["settings"])
    np.testing.assert_array_equal(named.x, found.x)


# ---- closed forms


def test_aprox_stops_where_the_tangent_meets_the_bound():
    """One row of least squares without noise: the truncated step solves the row's equation."""
    loss = least_squares(m=3, n=3, noise=0.0)
    x, row = np.ones(3), loss.subset([1])
    a, r = row.X[0], float(row.X[0] @ x - row.y[0])
    g = row.jac(x)
    for step, low, length in [
        (1e-9, 0.0, 1e-9),  # short of the bound: plain SGD
        (1e9, 0.0, 0.5 * r**2 / (r**2 * (a @ a))),  # f/‖g‖²: half way to a's hyperplane
        (1e9, 0.3 * row.fun(x), 0.7 * 0.5 / (a @ a)),
        (1e9, 2 * row.fun(x), 0.0),  # below the "bound" already
    ]:
        change, _ = RULES["aprox"](low)(row, x, row.fun(x), g, step)
        np.testing.assert_allclose(change, -length * g, rtol=1e-12)
    assert not RULES["aprox"]()(row, x, 0.0, 0 * g, 1.0)[0].any()


def test_aprox_bears_steps_that_sgd_does_not():
    loss = least_squares(noise=0.0)
    long = {"batch_size": 1, "epochs": 20, "step": 50.0}
    assert minimize_stochastic(loss, np.zeros(4), "aprox", **long).fun < 1e-8
    assert not minimize_stochastic(loss, np.zeros(4), "sgd", **long).success


def test_kronecker_is_newtons_step_where_the_factors_are_exact():
    """One row has one x xᵀ and one H_Z, so its GGN is A ⊗ G, and without a layer below, H."""
    X, y = np.array([[0.5, -1.0]]), [1]
    loss = Network([2, 3]).loss(X, y)
    x = np.random.default_rng(0).normal(size=loss.n_params)
    (A, G), damping = kronecker_factors(loss, x)[0], 1e-3
    np.testing.assert_allclose(np.kron(A, G), loss.hess(x), atol=1e-12)
    found = minimize_stochastic(loss, x, "kronecker", 1, 1, step=0.3, damping=damping)
    change = -0.3 * np.linalg.solve(np.kron(*damped(A, G, damping)), loss.jac(x))
    np.testing.assert_allclose(found.trace.x[1] - x, change, rtol=1e-8)


def test_damping_is_shared_as_martens_and_grosse_do():
    rng = np.random.default_rng(0)
    A, G = (M @ M.T for M in (rng.normal(size=(4, 4)), 100 * rng.normal(size=(3, 3))))
    B, H = damped(A, G, 0.01)
    a, h = B - A, H - G
    np.testing.assert_allclose(a, a[0, 0] * np.eye(4), atol=1e-10)
    np.testing.assert_allclose(h, h[0, 0] * np.eye(3), atol=1e-10)
    assert np.isclose(a[0, 0] * h[0, 0], 0.01)  # (A + aI) ⊗ (G + hI) ends in ah I
    assert np.isclose(a[0, 0] / h[0, 0], (np.trace(A) / 4) / (np.trace(G) / 3))
    dead = damped(A, 0 * G, 0.01)
    assert all(np.isfinite(np.linalg.inv(F)).all() for F in dead)


@pytest.mark.parametrize("refresh, decay", [(1, 0.0), (3, 0.0), (2, 0.75)])
def test_kronecker_refreshes_averages_and_remembers(refresh, decay):
    """The same run in twelve lines of dense algebra."""
    loss, x = network()
    found = minimize_stochastic(
        loss, x, "kronecker", 20, 2, 0.05, seed=4, refresh=refresh, decay=decay, momentum=0.5
    )
    rng, pairs, v, k = np.random.default_rng(4), None, 0.0, 0
    for rows in [*partition(90, 20, rng), *partition(90, 20, rng)]:
        part = loss.subset(rows)
        if k % refresh == 0:
            new = kronecker_factors(part, x)
            pairs = (
                new
                if pairs is None
                else [
                    [decay * a + (1 - decay) * b for a, b in zip(*both)] for both in zip(pairs, new)
                ]
            )
        g = part.jac(x)
        p = [
            np.linalg.solve(np.kron(*damped(A, G, 1e-2)), g[layer])
            for (A, G), layer in zip(pairs, loss.net.layer_slices)
        ]
        v, k = 0.5 * v + np.concatenate(p), k + 1
        x = x - 0.05 * v
    np.testing.assert_allclose(found.x, x, rtol=1e-8, atol=1e-10)
    # a batch is visited once for its gradient, and once more where its factors are taken
    fresh = sum((20 if i % 5 < 4 else 10) for i in range(0, 10, refresh))
    assert found.njev == 2 * 90 + fresh


@pytest.mark.parametrize("share", [1e-9, 0.1, 0.5, 1e9])
def test_truncated_factors_are_inverted_as_if_their_small_eigenvalues_were_0(share):
    loss, x = network()
    found = minimize_stochastic(loss, x, "kronecker", 90, 1, 0.05, truncate=share)
    g, p, left = loss.jac(x), [], []
    for pair, layer in zip(kronecker_factors(loss, x), loss.net.layer_slices):
        whole = damped(*pair, 1e-2)
        for M, B in zip(pair, whole):
            values, Q = np.linalg.eigh(M)
            values[values <= share * (B - M)[0, 0]] = 0
            left.append(np.sum(values > 0))
            B[:] = (Q * (values + (B - M)[0, 0])) @ Q.T
        p.append(np.linalg.solve(np.kron(*whole), g[layer]))
    np.testing.assert_allclose(found.x, x - 0.05 * np.concatenate(p), rtol=1e-8, atol=1e-10)
    if share == 1e9:  # nothing but the damping is left
        np.testing.assert_allclose(found.x, x - 5 * g, rtol=1e-8, atol=1e-10)
    assert (max(left) == 0) == (share == 1e9)


@pytest.mark.parametrize("how", [{}, {"truncate": 0.1}, {"ekfac": True}])
@pytest.mark.parametrize("sizes", [(1e20, 1.0), (1e5, 1e5), (1e5, 0.0), (0.0, 1e5)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kronecker_bears_factors_that_vanish_or_overflow(how, sizes, dtype):
    """A batch that is classified without doubt has G = 0; large activations overflow in A alone."""
    rng = np.random.default_rng(0)
    net = Network([6, 8, 3], "relu")
    loss = net.loss(rng.normal(size=(50, 6)), rng.integers(0, 3, 50), dtype=dtype)
    x = net.init(0)
    for part, size in zip(net.layer_slices, sizes):
        x[part] *= size
    found = minimize_stochastic(loss, x, "kronecker", 10, 2, **how)
    assert np.isfinite(found.x).all() and found.message


def test_cg_is_the_linear_method_on_a_quadratic():
    """On all rows and with whole steps it ends after as many steps as there are unknowns."""
    loss = least_squares(n=4)
    found = minimize_stochastic(loss, np.zeros(4), "cg", 60, epochs=4, step=1.0)
    np.testing.assert_allclose(found.x, loss.minimum, rtol=1e-10)
    assert found.trace.fun[-2] - loss.fun(loss.minimum) > 1e-6


def test_lbfgs_on_all_rows_is_the_direction_lbfgs():
    loss, x = network()
    found, path = steps_of(loss, x, RULES["lbfgs"](), batch_size=90, epochs=8, step=0.5)
    direction = LBFGS()
    for seen in [*path, found.x]:
        np.testing.assert_array_equal(seen, x)
        g = loss.jac(x)
        s = 0.5 * direction(loss, x, g)
        direction.update(s, g, loss.jac(x + s))
        x = x + s
    fixed = minimize(loss, path[0], "lbfgs", "fixed", step=0.5, maxiter=8)
    np.testing.assert_allclose(fixed.x, found.x, rtol=1e-12)  # there s = (x + s) - x, rounded
    assert found.nfev == 8 * 2 * 90


def test_the_pairs_of_lbfgs_hold_two_gradients_of_one_batch(monkeypatch):
    """y = H_B s exactly for a quadratic, though no two steps see the same batch."""
    loss, pairs = least_squares(), []

    class Watched(LBFGS):
        def __call__(self, batch, x, g):
            self.hessian = batch.loss.hess(x)
            return super().__call__(batch, x, g)

        def update(self, s, g_old, g):
            super().update(s, g_old, g)
            pairs.append((*self.pairs[-1][:2], self.hessian))

    monkeypatch.setattr("soo_lib.stochastic.rules.LBFGS", Watched)
    for reduced in (False, True):
        minimize_stochastic(loss, np.ones(4), "lbfgs", 7, 3, 0.05, variance_reduction=reduced)
    assert len(pairs) == 2 * 3 * 9
    for s, y, H in pairs:
        np.testing.assert_allclose(y, H @ s, rtol=1e-6, atol=1e-12)


# ---- variance reduction


def test_reduced_gradients_are_unbiased_and_exact_at_the_anchor():
    loss, _ = network(m=60)
    rng = np.random.default_rng(0)
    anchor, x = rng.normal(size=(2, loss.n_params))
    parts = partition(60, 10, 0)
    batches = [Batch(loss, rows, (anchor, loss.jac(anchor))) for rows in parts]
    mean = np.mean([batch.jac(x) for batch in batches], axis=0)
    np.testing.assert_allclose(mean, loss.jac(x), atol=1e-14)
    for batch in batches:
        np.testing.assert_allclose(batch.jac(anchor), loss.jac(anchor), atol=1e-14)

    def spread(x, batches):
        return np.mean([np.sum((batch.jac(x) - loss.jac(x)) ** 2) for batch in batches])

    near = [spread(anchor + t * (x - anchor), batches) for t in (0.1, 0.05, 0.025)]
    assert 3 < near[0] / near[1] < 5 and 3 < near[1] / near[2] < 5  # it falls as the distance²
    assert near[0] < 0.2 * spread(anchor, [Batch(loss, rows) for rows in parts])


def test_a_batch_is_a_loss_with_the_derivatives_it_claims():
    loss, x = network()
    anchor = x + 0.3
    batch = Batch(loss, np.arange(20), (anchor, loss.jac(anchor)))
    p, t = np.random.default_rng(1).normal(size=loss.n_params), 1e-6
    slope = (batch.fun_and_jac(x + t * p)[0] - batch.fun_and_jac(x - t * p)[0]) / (2 * t)
    assert np.isclose(slope, batch.jac(x) @ p, rtol=1e-6)
    bend = (batch.jac(x + t * p) - batch.jac(x - t * p)) / (2 * t)
    np.testing.assert_allclose(batch.hessp(x, p), bend, rtol=1e-5, atol=1e-8)
    assert batch.visits == 1 + 2 + 1 + 2 + 1


def test_variance_reduction_arrives_where_sgd_rattles():
    loss = least_squares()
    ends = {}
    for reduced in (False, True):
        found = minimize_stochastic(
            loss, np.zeros(4), "sgd", 5, 60, 0.03, variance_reduction=reduced
        )
        ends[reduced] = np.linalg.norm(found.x - loss.minimum)
    assert ends[True] < 1e-6 and ends[False] > 1e-2


def test_lbfgs_with_reduced_variance_minds_the_condition_number():
    """On more unknowns than it has pairs; with three of them it would be BFGS."""
    ends = []
    for kappa in (10, 800):
        rng = np.random.default_rng(0)
        axes = np.sqrt(800) * np.linalg.qr(rng.normal(size=(800, 31)))[0]
        chances = 1 / (1 + np.exp(-axes @ rng.normal(size=31) / 11))
        X = axes * np.geomspace(1, 1 / kappa, 31) ** 0.5
        loss = Logistic(X, (rng.random(800) < chances).astype(float), l2=1e-6)
        least = minimize(loss, np.zeros(31), gtol=1e-13).fun
        runs = [
            minimize_stochastic(
                loss, np.zeros(31), "lbfgs", 20, 8, step, variance_reduction=True
            ).fun
            for step in (0.03, 0.1, 0.3)
        ]
        ends.append(min(runs) - least)
    assert ends[0] < 1e-9 and ends[1] > 1e-6


# ---- the loop


@pytest.mark.parametrize("loss", [least_squares(), overlapping(60, l2=0.1), network(60)[0]])
def test_one_batch_of_all_rows_is_gradient_descent_to_the_last_digit(loss):
    x0 = np.linspace(-1, 1, loss.n_params)
    found = minimize_stochastic(loss, x0, "sgd", 60, epochs=12, step=0.05)
    full = minimize(loss, x0, "gradient", "fixed", step=0.05, maxiter=12)
    np.testing.assert_array_equal(found.x, full.trace.x[-1])
    for name in ("fun", "gnorm", "step"):
        np.testing.assert_array_equal(getattr(found.trace, name), getattr(full.trace, name))
    np.testing.assert_array_equal(found.trace.evaluations, 60 * np.arange(13))


@every_rule
def test_every_rule_trains_a_network_and_repeats(rule, reduced):
    loss, x0 = network(dtype=np.float32)
    how = {"batch_size": 16, "epochs": 8, "step": STEPS.get(rule, 0.1)}
    if rule == "sls":
        how["c1"] = 0.5  # these classes overlap: batches let the usual 0.1 go too far
    runs = [
        minimize_stochastic(loss, x0, rule, seed=seed, variance_reduction=reduced, **how)
        for seed in (1, 1, 2)
    ]
    assert runs[0].success and runs[0].message == "ran 8 epochs"
    assert runs[0].fun < 0.9 * loss.fun(x0)
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
    np.testing.assert_array_equal(runs[0].trace.fun, runs[1].trace.fun)
    assert np.abs(runs[0].x - runs[2].x).max() > 1e-6


@every_rule
def test_each_row_of_the_trace_is_an_epoch(rule, reduced):
    """Its loss is that of all rows at its point; its counts are the rows that were visited."""
    visits = {"lbfgs": 2, "cg": 3, "adahessian": 2, "sls": 2}.get(rule, 1)
    steps = {**STEPS, "sls": 0.05}  # its first trial is then its step
    loss, x0 = network()
    seen, points = [0], [x0]

    class Counted(type(loss)):
        def __init__(self, part):
            self.__dict__.update(part.__dict__)

        def subset(self, rows):
            seen[0] += len(rows)
            return loss.subset(rows)

    found = minimize_stochastic(
        Counted(loss),
        x0,
        rule,
        40,
        3,
        steps.get(rule, 0.1),
        variance_reduction=reduced,
        callback=points.append,
    )
    trace = found.trace
    assert len(trace) == 4 == len(points) and seen[0] == 3 * 90
    np.testing.assert_array_equal(trace.fun, [loss.fun(x) for x in points])
    np.testing.assert_array_equal(trace.gnorm, [np.abs(loss.jac(x)).max() for x in points])
    first = visits * 90 - 40 * (rule == "cg")  # the first step has no direction to conjugate with
    if rule == "kronecker":
        first += 40
    costs = np.array([first, visits * 90, visits * 90]) + reduced * 180
    np.testing.assert_array_equal(np.diff(trace.evaluations), costs)
    assert found.nfev == found.njev == trace.evaluations[-1]
    assert np.all(np.diff(trace.seconds) > 0)


def test_a_ragged_last_batch_is_used_whole_and_alone():
    loss, sizes = least_squares(m=23), []

    def rule(batch, x, f, g, step):
        sizes.append((len(batch.loss.y), batch.share))
        return -step * g, step

    found = minimize_stochastic(loss, np.zeros(4), rule, 10, 2, 0.01)
    assert sizes == [(10, 1 / 3), (10, 1 / 3), (3, 1 / 3)] * 2 and found.njev == 46


def test_epochs_deal_the_rows_anew():
    loss, dealt = least_squares(m=20), []

    def rule(batch, x, f, g, step):
        dealt.append(batch.loss.y)
        return 0 * g, step

    minimize_stochastic(loss, np.zeros(4), rule, 5, 2, seed=7)
    epochs = np.concatenate(dealt[:4]), np.concatenate(dealt[4:])
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.sort(loss.y))
    assert not np.array_equal(*epochs)


def test_the_looks_at_all_rows_are_not_in_the_seconds():
    """Nor is the callback; nor do they tell the rule anything."""

    class Slow(LeastSquares):
        def fun(self, x):
            import time

            time.sleep(0.05)
            return super().fun(x)

    fast = least_squares()
    slow = Slow(fast.X, fast.y)  # its subsets are fast
    found = minimize_stochastic(slow, np.zeros(4), "sgd", 10, 4, 0.01)
    assert found.trace.seconds[-1] < 0.05
    again = minimize_stochastic(fast, np.zeros(4), "sgd", 10, 4, 0.01)
    np.testing.assert_array_equal(found.x, again.x)


def test_a_run_that_diverges_stops_says_so_and_returns_its_best_point():
    loss, calls = least_squares(), []

    def rule(batch, x, f, g, step):
        calls.append(f)
        step = 0.01 if len(calls) <= 6 else 1e3  # one good epoch
        return -step * g, step

    found = minimize_stochastic(loss, np.zeros(4), rule, 10, 1000)
    assert not found.success and "diverged" in found.message
    assert found.nit < 999 and np.isfinite(calls).all()
    assert found.fun == found.trace.fun[1] == loss.fun(found.x) == np.nanmin(found.trace.fun)
    np.testing.assert_array_equal(found.x, found.trace.x[1])
    assert list(found.trace.step[1:]) == [0.01] + [1e3] * (found.nit - 1)  # the rule's own


def test_a_run_that_ends_above_its_start_has_no_success():
    """A sigmoid saturates, so its loss stays finite however long the step."""
    loss, x0 = network(activation="sigmoid")
    found = minimize_stochastic(loss, x0, "sgd", 10, 3, step=200.0)
    assert not found.success and "above its start" in found.message
    assert found.fun == found.trace.fun.min() and np.isfinite(found.trace.fun).all()
    start = minimize_stochastic(loss, x0, epochs=0, batch_size=10)
    assert start.success and len(start.trace) == 1 and np.array_equal(start.x, x0)


def test_a_start_without_a_finite_loss_is_left_alone():
    loss, _ = network()
    found = minimize_stochastic(loss, np.full(loss.n_params, 1e200), "sgd", 10)
    assert not found.success and "x0" in found.message and len(found.trace) == 1


def test_a_callback_may_stop_the_run():
    def callback(intermediate_result):
        if intermediate_result.nit == 2:
            raise StopIteration

    found = minimize_stochastic(least_squares(), np.zeros(4), "sgd", 10, 9, 0.01, callback=callback)
    assert found.nit == 2 and not found.success and "callback" in found.message


def test_a_progress_bar_when_asked(capsys):
    for progress in (False, True):
        minimize_stochastic(least_squares(), np.zeros(4), "sgd", 10, 3, 0.01, progress=progress)
        assert ("3/3" in capsys.readouterr().err) == progress


# ---- what is asked wrongly


@pytest.mark.parametrize("rule", LAYER_RULES)
def test_a_rule_that_does_not_fit_the_loss(rule):
    """It is refused before the loss has been looked at."""
    loss, looks = least_squares(), []
    loss.fun = looks.append
    complains(lambda: minimize_stochastic(loss, np.zeros(4), rule, 10), "loss", rule)
    assert not looks


class Plain:
    """A loss over data without the base class: the least that mini-batches can use."""

    def __init__(self, loss):
        self.fun, self.jac, self.n_samples = loss.fun, loss.jac, loss.n_samples
        self.subset = lambda rows: Plain(loss.subset(rows))


@pytest.mark.parametrize("rule", ["sgd", "adam", "lbfgs"])
def test_any_object_over_data_will_do(rule):
    loss = least_squares()
    found, known = (
        minimize_stochastic(each, np.zeros(4), rule, 10, 3, 0.01) for each in (Plain(loss), loss)
    )
    np.testing.assert_array_equal(found.trace.fun, known.trace.fun)
    bare = Plain(loss)
    del bare.subset
    complains(lambda: minimize_stochastic(bare, np.zeros(4)), "loss", "over data", "subset")

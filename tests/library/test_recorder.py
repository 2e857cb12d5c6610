"""The recorder: rows, counts, seconds, criteria and callbacks, ours and scipy's alike."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import SCIPYS, Quadratic, Watched, overlapping
from scipy import optimize

from soo_lib.losses import Loss, Rosenbrock
from soo_lib.solvers import Row, minimize
from soo_lib.solvers import recorder as recorder_module

PAIRS = [
    (method, line_search)
    for method in ("gradient", "newton", "nlcg", "bfgs", "lbfgs")
    for line_search in ("fixed", "backtracking", "wolfe")
]
SOLVERS = [*PAIRS, *((method, None) for method in SCIPYS)]
every_solver = pytest.mark.parametrize("method, line_search", SOLVERS)
every_method = pytest.mark.parametrize(
    "method", ["gradient", "newton", "nlcg", "bfgs", "lbfgs", *SCIPYS]
)


# ---- rows and counts


@every_solver
@pytest.mark.parametrize("maxiter", [0, 1, 4, 1000])
def test_one_row_an_iteration_and_every_call_counted(method, line_search, maxiter):
    """The counts of each row are those of a loss that counts for itself."""
    loss = Watched(overlapping())
    seen = [(1, 1, 0, 0)]
    found = minimize(
        loss,
        np.zeros(3),
        method,
        line_search,
        maxiter=maxiter,
        gtol=1e-5,
        callback=lambda x: seen.append(loss.counts),
    )
    trace = found.trace
    assert len(trace) == found.nit + 1 == len(seen)
    assert found.nit == maxiter or found.success
    rows = list(zip(trace.nfev, trace.njev, trace.nhev, trace.nhessp))
    assert rows == seen
    counts = (found.nfev, found.njev, found.nhev, found.nhessp)
    if found.success:  # without it, the gradient at the best point is one more
        assert counts == rows[-1] == loss.counts
    for name in ("fun", "gnorm", "step", "seconds", "note"):
        assert getattr(trace, name).shape == (found.nit + 1,)
    np.testing.assert_array_equal(
        trace.evaluations, np.maximum(trace.nfev, trace.njev) + trace.nhev + trace.nhessp
    )


@every_solver
def test_rows_hold_what_the_iterates_give(method, line_search):
    loss, x0 = overlapping(), np.ones(3)
    found = minimize(loss, x0, method, line_search, gtol=1e-5, maxiter=1000, step=0.9)
    trace = found.trace
    assert found.success and len(trace.x) == len(trace)
    np.testing.assert_array_equal(trace.x[0], x0)
    np.testing.assert_array_equal(trace.x[-1], found.x)
    np.testing.assert_array_equal(trace.fun, [loss.fun(x) for x in trace.x])
    np.testing.assert_array_equal(trace.gnorm, [np.abs(loss.jac(x)).max() for x in trace.x])
    assert trace.fun[-1] == found.fun and trace.gnorm[-1] <= 1e-5 < trace.gnorm[-2]
    assert trace.note[0] == ""
    if line_search is None:
        assert np.isnan(trace.step).all()
    else:
        assert np.isnan(trace.step[0]) and (trace.step[1:] > 0).all()


@every_solver
def test_every_point_that_was_tried_is_kept_in_order(method, line_search):
    class Followed(Loss):
        """Rosenbrock's valley, and every point at which its value was asked for."""

        n_params, inner = 2, Rosenbrock()

        def __init__(self):
            self.asked = []
            self.jac, self.hess = self.inner.jac, self.inner.hess

        def fun(self, x):
            self.asked.append(x.copy())
            return self.inner.fun(x)

    loss = Followed()
    trace = minimize(loss, [-1.2, 1], method, line_search, step=0.01, maxiter=5).trace
    tried = [x for row in trace.trials for x in row]
    assert len(trace.trials) == len(trace) and len(trace.trials[0]) == 1
    np.testing.assert_array_equal(tried, loss.asked[: len(tried)])
    if line_search:  # ours: a search ends with the point it accepts
        np.testing.assert_array_equal([row[-1] for row in trace.trials], trace.x)


def test_a_step_is_the_length_along_the_direction():
    loss = overlapping()
    trace = minimize(loss, np.zeros(3), "gradient", maxiter=5).trace
    for k in range(5):
        expected = trace.x[k] - trace.step[k + 1] * loss.jac(trace.x[k])
        np.testing.assert_allclose(trace.x[k + 1], expected, rtol=1e-12)


def test_the_trace_explains_itself():
    trace = minimize(Rosenbrock(), [0, 0], maxiter=3).trace
    assert repr(trace) == f"Trace(4 rows: {', '.join(Row._fields)})"
    assert Row._fields == (
        "fun",
        "gnorm",
        "step",
        "nfev",
        "njev",
        "nhev",
        "nhessp",
        "seconds",
        "note",
    )
    with pytest.raises(AttributeError, match="'loss'.*fun.*gnorm"):
        trace.loss  # noqa: B018


def test_iterates_of_large_problems_are_not_kept():
    assert len(minimize(Quadratic(n=100), np.zeros(100), maxiter=2).trace.x) == 2
    found = minimize(Quadratic(n=101), np.zeros(101), maxiter=2)
    assert found.trace.x == [] and len(found.trace) == 2


def test_a_restart_is_noted():
    """After a loose search nlcg's direction may climb; it then begins again from -g."""
    trace = minimize(Rosenbrock(b=100), [-1.2, 1.0], "nlcg", "backtracking", maxiter=200).trace
    restarted = trace.note == "restarted from steepest descent"
    assert restarted.any() and not restarted.all()
    k = np.flatnonzero(restarted)[0] - 1
    p = (trace.x[k + 1] - trace.x[k]) / trace.step[k + 1]
    np.testing.assert_allclose(p, -Rosenbrock(b=100).jac(trace.x[k]), rtol=1e-8)


# ---- seconds


@pytest.mark.parametrize("method", ["lbfgs", "L-BFGS-B", "trust-exact"])
def test_seconds_are_the_losss_and_not_the_callbacks(method, monkeypatch):
    class Slow(Rosenbrock):
        def fun(self, x):
            passed.append(1.0)
            return super().fun(x)

    def callback(x):
        passed.append(100.0)

    passed = []  # on a clock of the test's own: machines here do other things too
    monkeypatch.setattr(recorder_module, "time", SimpleNamespace(perf_counter=lambda: sum(passed)))
    found = minimize(Slow(), [0, 0], method, maxiter=5, callback=callback)
    seconds = found.trace.seconds
    assert seconds[0] >= 0 and (np.diff(seconds) >= 0).all()
    assert seconds[-1] == found.nfev == sum(passed) - 500


# ---- beside scipy called directly


@pytest.mark.parametrize("method", SCIPYS)
@pytest.mark.parametrize("maxiter", [1, 3, 8])
def test_scipys_result_is_that_of_a_direct_call(method, maxiter):
    loss, x0 = Rosenbrock(b=100), np.array([-1.2, 1.0])
    options = {"gtol": 0.0, "maxiter": maxiter}
    if method == "L-BFGS-B":
        options["ftol"] = 0.0
    if method == "Newton-CG":
        options = {"xtol": 0.0, "maxiter": maxiter}
    second = {"hess": loss.hess} if method == "trust-exact" else {"hessp": loss.hessp}
    iterates = []
    direct = optimize.minimize(
        loss.fun,
        x0,
        jac=loss.jac,
        method=method,
        options=options,
        callback=iterates.append,
        **(second if method.startswith(("trust", "Newton")) else {}),
    )
    found = minimize(loss, x0, method, maxiter=maxiter, gtol=0)
    assert found.nit == direct.nit == maxiter
    np.testing.assert_array_equal(found.trace.x[-1], direct.x)
    assert found.trace.fun[-1] == direct.fun
    np.testing.assert_array_equal(found.trace.x[1:], iterates)
    assert found.nfev <= direct.nfev and found.nhev <= direct.get("nhev", 0)


@pytest.mark.parametrize("method, name, value", [("CG", "c2", 0.3), ("L-BFGS-B", "maxcor", 2)])
def test_settings_are_scipys_options(method, name, value):
    loss, x0 = Rosenbrock(b=100), np.array([-1.2, 1.0])
    direct = optimize.minimize(
        loss.fun, x0, jac=loss.jac, method=method, options={"maxiter": 10, name: value}
    )
    found = minimize(loss, x0, method, maxiter=10, **{name: value})
    np.testing.assert_array_equal(found.trace.x[-1], direct.x)
    assert not np.array_equal(found.x, minimize(loss, x0, method, maxiter=10).x)


# ---- criteria


@every_method
def test_maxiter_0_returns_the_start(method):
    found = minimize(Rosenbrock(), [0.5, 0.5], method, maxiter=0)
    assert not found.success and "maxiter = 0" in found.message
    assert found.nit == 0 and len(found.trace) == 1 and (found.nfev, found.njev) == (1, 1)
    np.testing.assert_array_equal(found.x, [0.5, 0.5])
    assert found.fun == Rosenbrock().fun([0.5, 0.5])


@every_method
def test_a_start_at_the_minimum_is_success_at_once(method):
    found = minimize(Rosenbrock(), [1.0, 1.0], method, maxiter=0)
    assert found.success and found.nit == 0 and "converged" in found.message
    assert (found.nfev, found.njev, found.nhev, found.nhessp) == (1, 1, 0, 0)


@every_method
def test_gtol_stops_at_the_first_gradient_small_enough(method):
    found = minimize(overlapping(), np.zeros(3), method, gtol=1e-3, maxiter=500)
    assert found.success and "gtol" in found.message
    assert found.trace.gnorm[-1] <= 1e-3 and (found.trace.gnorm[:-1] > 1e-3).all()


@every_method
def test_ftol_stops_at_the_first_change_small_enough(method):
    """Eq. 29."""
    ftol = 1e-6
    found = minimize(overlapping(), np.zeros(3), method, gtol=0, ftol=ftol, maxiter=500)
    assert found.success and "ftol" in found.message
    changes = np.abs(np.diff(found.trace.fun))
    assert changes[-1] <= ftol and (changes[:-1] > ftol).all()


def test_without_ftol_no_change_is_too_small():
    found = minimize(overlapping(), np.zeros(3), "gradient", "fixed", step=1e-20, maxiter=5)
    assert not np.diff(found.trace.fun).any()
    assert found.nit == 5 and not found.success


# ---- callbacks


@every_method
def test_callbacks_in_both_of_scipys_styles(method):
    loss, xs, results = overlapping(), [], []
    found = minimize(loss, np.zeros(3), method, maxiter=4, callback=xs.append)

    def callback(intermediate_result):
        results.append(intermediate_result)

    minimize(loss, np.zeros(3), method, maxiter=4, callback=callback)
    np.testing.assert_array_equal(xs, found.trace.x[1:])
    np.testing.assert_array_equal([r.x for r in results], xs)
    np.testing.assert_array_equal([r.fun for r in results], found.trace.fun[1:])
    assert [r.nit for r in results] == [1, 2, 3, 4]


@every_method
def test_a_callback_may_stop_the_run(method):
    def callback(x):
        calls.append(x)
        if len(calls) == 2:
            raise StopIteration

    calls = []
    loss = Watched(overlapping())
    found = minimize(loss, np.zeros(3), method, callback=callback)
    assert found.nit == len(calls) == 2 and not found.success
    assert found.message == "stopped by the callback"
    assert found.fun == min(loss.values)


def test_stopping_at_the_minimum_is_still_success():
    def callback(x):
        raise StopIteration

    assert minimize(Quadratic(), np.zeros(5), callback=callback).success


@every_method
def test_a_callback_cannot_disturb_the_run(method):
    def scribble(x):
        x[:] = np.nan

    plain = minimize(overlapping(), np.zeros(3), method, maxiter=5)
    scribbled = minimize(overlapping(), np.zeros(3), method, maxiter=5, callback=scribble)
    np.testing.assert_array_equal(plain.x, scribbled.x)
    np.testing.assert_array_equal(plain.trace.x, scribbled.trace.x)


def test_an_error_in_the_loss_or_the_callback_is_not_hidden():
    class Broken(Rosenbrock):
        def fun(self, x):
            raise KeyError("broken")

    def callback(x):
        raise KeyError("broken")

    for method in ("lbfgs", "L-BFGS-B"):
        with pytest.raises(KeyError, match="broken"):
            minimize(Broken(), [0, 0], method)
        with pytest.raises(KeyError, match="broken"):
            minimize(Rosenbrock(), [0, 0], method, callback=callback)

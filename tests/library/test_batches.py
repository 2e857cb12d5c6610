"""Batches, and what eq. 28 makes of them."""

import numpy as np
import pytest
from helpers import overlapping
from hypothesis import given
from hypothesis import strategies as st

from soo_lib.losses import Batched, Network, Preconditioned, Reshuffled, draw, partition
from soo_lib.solvers import minimize

M = 60


def network(hidden=(6, 5)):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(M, 4)), rng.integers(0, 3, M)
    return Network([4, *hidden, 3]).loss(X, y, l2=0.1)


LOSSES = {
    "logistic": overlapping(M),
    "logistic with l2": overlapping(M, l2=0.3),
    "softmax": network([]),
    "network": network(),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def point(loss, seed=0):
    return np.random.default_rng(seed).normal(size=loss.n_params)


# ---- partition and draw


@given(st.integers(1, 300), st.data(), st.none() | st.integers(0, 5))
def test_a_partition_covers_every_row_once(m, data, seed):
    size = data.draw(st.integers(1, m))
    batches = partition(m, size, seed)
    rows = np.concatenate(batches)
    assert np.issubdtype(rows.dtype, np.integer)
    np.testing.assert_array_equal(np.sort(rows), np.arange(m))
    sizes = [len(batch) for batch in batches]
    assert sizes == [size] * (m // size) + [m % size] * (m % size > 0)
    if seed is None:
        np.testing.assert_array_equal(rows, np.arange(m))


def test_a_seed_shuffles_a_partition_repeatably():
    first, again, other = (np.concatenate(partition(100, 7, seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other) and not np.array_equal(first, np.arange(100))


@given(st.integers(1, 100), st.data(), st.integers(1, 10), st.integers(0, 100))
def test_no_row_is_twice_in_a_drawn_batch(m, data, count, seed):
    size = data.draw(st.integers(1, m))
    batches = draw(m, size, count, seed)
    assert len(batches) == count
    for rows in batches:
        assert len(set(rows)) == len(rows) == size
        assert rows.min() >= 0 and rows.max() < m


def test_drawn_batches_overlap_and_every_row_has_its_chance():
    batches = draw(50, 10, 400, seed=0)
    assert len(np.unique(np.concatenate(batches[:5]))) < 50
    counts = np.bincount(np.concatenate(batches), minlength=50)
    assert counts == pytest.approx(np.full(50, 80.0), abs=5 * 8)  # five standard deviations
    again, other = draw(50, 10, 400, seed=0), draw(50, 10, 400, seed=1)
    np.testing.assert_array_equal(batches, again)
    assert not np.array_equal(batches, other)
    rng = np.random.default_rng(0)  # a generator goes on
    assert not np.array_equal(draw(50, 10, 1, rng), draw(50, 10, 1, rng))


# ---- Batched


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * np.abs(b).max())


@every_loss
@pytest.mark.parametrize("seed", [None, 0])
@pytest.mark.parametrize("size", [1, 10, 30, 60])
def test_the_mean_of_equal_batches_is_the_full_loss(loss, size, seed):
    """A mean of means is the mean, hidden layers or not."""
    batched, x = Batched(loss, partition(M, size, seed)), point(loss)
    assert batched.fun(x) == pytest.approx(loss.fun(x), rel=1e-12)
    close(batched.jac(x), loss.jac(x))
    assert (batched.n_params, batched.n_samples) == (loss.n_params, M)


@every_loss
@pytest.mark.parametrize("size", [7, 25, 59])
def test_ragged_batches_must_be_weighted_by_their_rows(loss, size):
    x, batches = point(loss), partition(M, size)
    plain, weighted = Batched(loss, batches), Batched(loss, batches, weights="rows")
    assert weighted.fun(x) == pytest.approx(loss.fun(x), rel=1e-12)
    close(weighted.jac(x), loss.jac(x))
    assert abs(plain.fun(x) - loss.fun(x)) > 1e-6
    assert np.abs(plain.jac(x) - loss.jac(x)).max() > 1e-6


@every_loss
def test_eq_28_as_printed(loss):
    x, batches = point(loss), [np.arange(5), np.array([3, 50, 20]), np.arange(40, 60)]
    parts = [loss.subset(rows) for rows in batches]
    plain, weighted = Batched(loss, batches), Batched(loss, batches, weights="rows")
    assert plain.fun(x) == pytest.approx(np.mean([part.fun(x) for part in parts]), rel=1e-13)
    close(plain.jac(x), np.mean([part.jac(x) for part in parts], axis=0))
    shares = np.array([5, 3, 20]) / 28
    assert weighted.fun(x) == pytest.approx(shares @ [part.fun(x) for part in parts], rel=1e-13)
    close(weighted.jac(x), shares @ np.array([part.jac(x) for part in parts]))


@every_loss
def test_overlapping_batches_are_not_the_full_loss(loss):
    x = point(loss)
    assert abs(Batched(loss, draw(M, 20, 3, seed=0)).fun(x) - loss.fun(x)) > 1e-6


@every_loss
@pytest.mark.parametrize("weights", [None, "rows"])
def test_value_gradient_and_curvature_belong_together(loss, weights):
    batched, x = Batched(loss, partition(M, 25, seed=2), weights), point(loss)
    f, g = batched.fun_and_jac(x)
    assert isinstance(f, float) and f == batched.fun(x)
    np.testing.assert_array_equal(g, batched.jac(x))
    if isinstance(loss, type(LOSSES["logistic"])):
        H = batched.hess(x)
        full = loss.hess(x)
        assert np.allclose(H, full, rtol=1e-12) == (weights == "rows")
        p = point(loss, 5)
        close(batched.hessp(x, p), H @ p)


def test_a_solver_finds_the_same_minimum_through_fixed_batches():
    loss = LOSSES["logistic"]
    full = minimize(loss, np.zeros(3))
    batched = minimize(Batched(loss, partition(M, 10)), np.zeros(3))
    assert batched.success
    np.testing.assert_allclose(batched.x, full.x, rtol=1e-7)


# ---- Reshuffled


def test_batches_of_a_loss_in_other_variables_measure_a_gradient_in_the_first():
    loss, P = overlapping(M, l2=0.3), np.array([0.1, 1.0, 10.0])
    whole = Preconditioned(loss, P)
    g = whole.jac(np.ones(3))
    for part in (Batched(whole, partition(M, 7)), Reshuffled(whole, 7, 2)):
        assert part.gnorm(g) == whole.gnorm(g) != np.abs(g).max()


@pytest.mark.parametrize("method", ["lbfgs", "L-BFGS-B"])
def test_a_loss_of_your_own_may_be_batched(method):
    """What scipy asks for and some rows: no base class of ours."""

    class Plain:
        n_samples, n_params = M, 3

        def __init__(self, loss):
            self.fun, self.jac, self.fun_and_jac = loss.fun, loss.jac, loss.fun_and_jac
            self.subset = lambda rows: Plain(loss.subset(rows))

    found = minimize(Batched(Plain(overlapping(M, l2=0.3)), partition(M, 20)), np.zeros(3), method)
    assert found.success
    Reshuffled(Plain(overlapping(M)), 5, 2).gnorm(found.jac)


@every_loss
def test_reshuffled_draws_anew_at_every_call_and_repeats_by_seed(loss):
    x = point(loss)
    first, again, other = (Reshuffled(loss, 10, 3, seed=seed) for seed in (0, 0, 1))
    values = [first.fun(x) for _ in range(4)]
    assert len(set(values)) == 4
    assert values == [again.fun(x) for _ in range(4)]
    assert not set(values) & {other.fun(x) for _ in range(4)}
    assert not np.array_equal(first.jac(x), first.jac(x))


@every_loss
def test_a_value_and_a_gradient_asked_for_together_share_a_draw(loss):
    x, rng = point(loss), np.random.default_rng(7)
    reshuffled = Reshuffled(loss, 10, 3, seed=7)
    for _ in range(3):
        expected = Batched(loss, draw(M, 10, 3, rng))
        f, g = reshuffled.fun_and_jac(x)
        assert f == pytest.approx(expected.fun(x), rel=1e-13)
        np.testing.assert_allclose(g, expected.jac(x), rtol=1e-12, atol=1e-15)


def test_reshuffled_second_derivatives_draw_too():
    loss = LOSSES["logistic"]
    x, rng = point(loss), np.random.default_rng(7)
    reshuffled = Reshuffled(loss, 10, 3, seed=7)
    expected = Batched(loss, draw(M, 10, 3, rng)).hess(x)
    np.testing.assert_allclose(reshuffled.hess(x), expected, rtol=1e-12, atol=1e-15)
    expected = Batched(loss, draw(M, 10, 3, rng)).hessp(x, x)
    np.testing.assert_allclose(reshuffled.hessp(x, x), expected, rtol=1e-12, atol=1e-15)


def test_reshuffled_is_right_on_average():
    loss = LOSSES["logistic"]
    x = point(loss)
    values = [Reshuffled(loss, 10, 5, seed=seed).fun(x) for seed in range(300)]
    error = np.std(values) / np.sqrt(len(values))
    assert np.mean(values) == pytest.approx(loss.fun(x), abs=4 * error)


# ---- what else will do


def test_whole_numbers_of_numpys_types_will_do():
    assert len(partition(np.int64(10), np.int32(5))) == 2


@pytest.mark.parametrize("method", ["lbfgs", "hessian-free", "arc"])
def test_parts_of_a_bare_loss_are_completed_too(method):
    """It has products, no Gauss-Newton ones, and no Hessian."""

    class Bare:
        n_params, n_samples = 3, M

        def __init__(self, loss):
            self.loss, self.fun, self.jac, self.hessp = loss, loss.fun, loss.jac, loss.hessp
            self.fun_and_jac = loss.fun_and_jac

        def subset(self, rows):
            return Bare(self.loss.subset(rows))

    batched = Batched(Bare(overlapping(M, l2=0.3)), partition(M, 25), weights="rows")
    assert minimize(batched, np.zeros(3), method).success
    with pytest.raises(ValueError, match="no second derivatives"):
        minimize(batched, np.zeros(3), "newton")

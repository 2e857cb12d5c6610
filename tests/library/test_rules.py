"""The newer mini-batch rules: their authors' trajectories, dense versions, what roots promise."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import complains
from scipy.linalg import fractional_matrix_power
from test_stochastic import LeastSquares, least_squares, network

from soo_lib.curvature import backward_roots, ekfac_factors, kronecker_factors, layer_hessians
from soo_lib.losses import Network, partition
from soo_lib.stochastic import (
    RULES,
    constant,
    cosine,
    matrix_root,
    minimize_stochastic,
    newton_schulz,
    warm_up,
)
from soo_lib.stochastic.layer_rules import QUINTIC, _gradients, matrices
from soo_lib.stochastic.minimize import Batch

RECORD = json.loads((Path(__file__).parents[1] / "data" / "rules.json").read_text())
NET = Network(RECORD["sizes"])


def fed(rule, step, x, gradients_, diagonals=None, net=NET, **settings):
    """A rule on a list of gradients and, for adahessian, of u·Hu: the points, and the rule."""
    rule, path = RULES[rule](**settings), []
    for k, g in enumerate(gradients_):
        batch = SimpleNamespace(
            loss=SimpleNamespace(net=net, dtype=float),
            rng=np.random.default_rng(0),
            hessp=lambda x, u, k=k: u * diagonals[k],
        )
        length = step(k) if callable(step) else step
        change, taken = rule(batch, x, 1.0, g, length)
        assert taken == length
        x = x + change
        path.append(x)
    return np.array(path), rule


# ---- against the reference implementations


@pytest.mark.parametrize("run", RECORD["runs"], ids=lambda run: f"{run['rule']} {run['settings']}")
def test_every_step_is_the_references(run):
    """tests/data/rules.json, made by tools/record_rules.py, to the digits that it keeps."""
    step = run["step"]
    if run["rule"] == "schedule_free":  # with its warm-up of three steps

        def step(k):
            return run["step"] * min((k + 1) / 3, 1)

    given = (np.array(RECORD[name]) for name in ("x0", "gradients", "diagonals"))
    path, rule = fed(run["rule"], step, *given, **run["settings"])
    assert len(path) == 8 and np.abs(path[-1] - RECORD["x0"]).max() > 0.1
    np.testing.assert_allclose(path, run["x"], rtol=1e-9, atol=2e-12)
    if "result" in run:
        np.testing.assert_allclose(rule.result, run["result"], rtol=1e-9, atol=2e-12)


def test_the_search_on_a_batch_is_its_authors():
    """The fifteen lines of their class, on batches that are handed to both."""
    given = RECORD["sls"]
    loss, x = LeastSquares(given["X"], given["y"]), np.zeros(3)
    rule = RULES["sls"](**{name: given[name] for name in ("c1", "shrink", "growth")})
    for rows, known in zip(given["batches"], given["x"], strict=True):
        batch = Batch(loss, rows, share=1 / given["n_batches"])
        f, g = batch.fun_and_jac(x)
        change, step = rule(batch, x, f, g, given["step"])
        np.testing.assert_allclose(change, -step * g, rtol=1e-12)
        x = x + change
        np.testing.assert_allclose(x, known, rtol=1e-9, atol=1e-12)
        assert batch.fun(x) <= f - 0.1 * step * (g @ g)


def test_ekfac_factors_are_curvlinops_ekfac():
    given = RECORD["ekfac"]
    loss = Network(given["sizes"], "tanh").loss(given["X"], np.array(given["y"]))
    x = np.array(given["x"])
    for (U, V, S), block in zip(
        ekfac_factors(loss, x, kronecker_factors(loss, x)), given["blocks"]
    ):
        basis = np.kron(U, V)
        np.testing.assert_allclose(basis * S.ravel() @ basis.T, block, rtol=1e-9, atol=1e-11)


# ---- against dense algebra of a few lines


def test_shampoo_is_two_fractional_powers():
    """With memory of every kind: averages, a stale root, a grafted norm."""
    x, gradients_, step = np.array(RECORD["x0"]), np.array(RECORD["gradients"]), 0.1
    how = {"beta1": 0.8, "beta2": 0.9, "decay": 0.7, "refresh": 3, "eps": 1e-3}
    path, _ = fed("shampoo", step, x, gradients_, weight_decay=0.2, **how)
    adams, _ = fed("adam", step, 0 * x, gradients_, beta1=0.8, beta2=0.9)
    adams = np.diff(adams, axis=0, prepend=0 * x[None])
    part, shape = matrices(NET)[0]
    L = R = M = 0
    for k, g in enumerate(gradients_):
        G = g[part].reshape(shape)
        L, R, M = 0.7 * L + 0.3 * G @ G.T, 0.7 * R + 0.3 * G.T @ G, 0.8 * M + 0.2 * G
        if k % 3 == 0:
            left, right = (
                fractional_matrix_power(F / (1 - 0.7 ** (k + 1)) + 1e-3 * np.eye(len(F)), -0.25)
                for F in (L, R)
            )
        P = np.kron(left, right) @ (M / (1 - 0.8 ** (k + 1))).ravel()
        P *= np.linalg.norm(adams[k][part]) / np.linalg.norm(P)
        x = x.copy()
        x[part] -= P + step * 0.2 * x[part]
        np.testing.assert_allclose(path[k][part], x[part], rtol=1e-9)


def test_soap_is_adam_in_a_rotated_space():
    """Adam on Qᵀg with Q = U ⊗ V, as long as the basis is the first; biases are not turned."""
    x, gradients_ = np.array(RECORD["x0"]), np.array(RECORD["gradients"])
    path, _ = fed("soap", 0.1, x, gradients_, refresh=100, eps=1e-300)
    part, shape = matrices(NET)[0]
    G = gradients_[0][part].reshape(shape)
    Q = np.kron(np.linalg.eigh(G @ G.T)[1], np.linalg.eigh(G.T @ G)[1])
    turned, _ = fed(
        "adam", 0.1, 0 * x[part], gradients_[1:, part] @ Q, beta1=0.95, beta2=0.95, eps=1e-300
    )
    np.testing.assert_allclose(path[1:, part] - x[part], turned @ Q.T, rtol=1e-8, atol=1e-12)
    np.testing.assert_array_equal(path[0], x)  # the first batch only makes the basis


def test_muon_is_a_polar_factor_with_newton_schulzs_singular_values():
    """The dense version: a singular value decomposition, and the scalar map on the values."""
    x, gradients_ = np.array(RECORD["x0"]), np.array(RECORD["gradients"])
    path, _ = fed("muon", 0.1, x, gradients_, last="muon", momentum=0.6)
    a, b, c = QUINTIC
    for part, shape in matrices(NET):
        M, at = 0, x
        for k, g in enumerate(gradients_):
            G = g[part].reshape(shape)
            M = 0.6 * M + 0.4 * G
            U, s, Vt = np.linalg.svd(0.4 * G + 0.6 * M, full_matrices=False)
            s = s / np.linalg.norm(s)
            for _ in range(5):
                s = a * s + b * s**3 + c * s**5
            assert (0.3 < s).all() and (s < 1.2).all()
            change = -0.1 * 0.2 * np.sqrt(max(shape)) * (U * s) @ Vt
            np.testing.assert_allclose((path[k] - at)[part], change.ravel(), rtol=1e-9, atol=1e-13)
            at = path[k]
    hidden, _ = fed("muon", 0.1, x, gradients_, momentum=0.6)
    adam, _ = fed("adam", 0.1, x, gradients_, beta2=0.95)
    end = matrices(NET)[0][0].stop
    np.testing.assert_array_equal(hidden[:, :end], path[:, :end])
    np.testing.assert_array_equal(hidden[:, end:], adam[:, end:])


def test_adahessian_estimates_the_diagonal():
    """Of a diagonal Hessian one product gives all; and of a network's the mean over many signs."""
    loss, x = network(m=30)
    X = np.diag([1.0, 2.0, 3.0])
    plain = type(least_squares())(X, np.ones(3))
    found = minimize_stochastic(plain, np.zeros(3), "adahessian", 3, 1, step=0.1, eps=1e-12)
    g, h = plain.jac(np.zeros(3)), np.diag(plain.hess(np.zeros(3)))
    np.testing.assert_allclose(found.trace.x[1], -0.1 * g / h, rtol=1e-10)
    H, squares = loss.hess(x), []
    batch = SimpleNamespace(loss=loss, hessp=loss.hessp, rng=np.random.default_rng(0))
    rule = RULES["adahessian"](beta1=0.0, beta2=0.0, eps=1e-300)
    for _ in range(1500):  # without memory, and for a gradient of ones: Δx = -1/h
        squares.append(rule(batch, x, 1.0, np.ones(len(x)), 1.0)[0] ** -2)
    part, shape = matrices(loss.net)[0]
    i = part.stop  # a bias, where nothing is averaged: E(u·Hu)²
    np.testing.assert_allclose(np.mean(squares, axis=0)[i], H[i] @ H[i], rtol=0.15)
    W = squares[0][part].reshape(shape)
    np.testing.assert_array_equal(W, np.tile(W[0], (len(W), 1)))


@pytest.mark.parametrize("decay", [0.0, 0.75])
def test_ekfac_solves_with_the_rescaled_factors(decay):
    loss, x = network()
    how = {"batch_size": 20, "epochs": 2, "step": 0.05, "seed": 4}
    named = minimize_stochastic(
        loss, x, "kronecker", momentum=0.5, decay=decay, refresh=3, ekfac=True, **how
    )
    rng, pairs, v, k = np.random.default_rng(4), None, 0.0, 0
    for rows in [*partition(90, 20, rng), *partition(90, 20, rng)]:
        part = loss.subset(rows)
        if k % 3 == 0:
            new = kronecker_factors(part, x)
            pairs = (
                new
                if pairs is None
                else [
                    [decay * a + (1 - decay) * b for a, b in zip(*both)] for both in zip(pairs, new)
                ]
            )
            bare = Network(loss.net.sizes, "tanh").loss(part.X, part.y)
            blocks = []
            for H, pair in zip(layer_hessians(bare, x, "ggn"), pairs):
                Q = np.kron(*(np.linalg.eigh(F)[1] for F in pair))
                blocks.append(Q * np.diag(Q.T @ H @ Q) @ Q.T + 1e-2 * np.eye(len(H)))
        g = part.jac(x)
        p = [np.linalg.solve(H, g[layer]) for H, layer in zip(blocks, loss.net.layer_slices)]
        v, k = 0.5 * v + np.concatenate(p), k + 1
        x = x - 0.05 * v
    np.testing.assert_allclose(named.x, x, rtol=1e-8, atol=1e-10)
    assert named.njev == 2 * 90 + 2 * (20 + 20 + 20 + 10)  # the steps 1, 4, 7 and 10: twice more


def test_ekfac_is_the_best_diagonal_in_the_pairs_basis():
    """S is the diagonal of QᵀHQ, H the layer's Gauss-Newton block; the pair's own is another."""
    loss, x = network(l2=0.0)
    pairs, blocks = kronecker_factors(loss, x), layer_hessians(loss, x, "ggn")
    for (A, G), (U, V, S), H in zip(pairs, ekfac_factors(loss, x, pairs), blocks):
        Q = np.kron(U, V)
        np.testing.assert_allclose(S.ravel(), np.diag(Q.T @ H @ Q), rtol=1e-9, atol=1e-12)
        pair, own = (np.linalg.norm(H - M) for M in (np.kron(A, G), Q * S.ravel() @ Q.T))
        assert own < pair
        np.testing.assert_allclose(S.sum(), np.trace(H), rtol=1e-10)


def test_roots_are_roots():
    """The mean of B Bᵀ over the samples is G."""
    loss, x = network(l2=0.0)
    for layer, inputs, B in backward_roots(loss.net, loss.layers(x), loss.X, loss.y):
        A, G = kronecker_factors(loss, x)[layer]
        np.testing.assert_allclose(np.einsum("cmi,cmj->ij", B, B) / 90, G, rtol=1e-10)
        np.testing.assert_allclose(inputs.T @ inputs / 90, A, rtol=1e-10)


# ---- whitening: matrix roots and polar factors


def matrices_of(shapes=((3, 3), (7, 4), (4, 7), (1, 5), (30, 20))):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("G", matrices_of(), ids=lambda G: str(G.shape))
def test_newton_schulz(G):
    U, s, Vt = np.linalg.svd(G, full_matrices=False)
    polar = U @ Vt
    found = np.linalg.svd(newton_schulz(G), compute_uv=False)
    inside = s / np.linalg.norm(s) > 0.01
    assert (found[inside] > 0.67).all() and found.max() < 1.15
    np.testing.assert_allclose(newton_schulz(G, 40, (3, -3.2, 1.2)), polar, atol=1e-9)
    np.testing.assert_allclose(newton_schulz(G.T), newton_schulz(G).T, rtol=1e-12)
    np.testing.assert_allclose(newton_schulz(1e-9 * G), newton_schulz(G), rtol=1e-9, atol=1e-12)
    # the same singular vectors: UᵀXV is diagonal, whatever the steps
    inner = U.T @ newton_schulz(G, 3) @ Vt.T
    np.testing.assert_allclose(inner, np.diag(np.diag(inner)), atol=1e-10)
    np.testing.assert_array_equal(newton_schulz(0 * G), 0 * G)


@pytest.mark.parametrize("G", matrices_of(), ids=lambda G: str(G.shape))
def test_shampoo_without_memory_is_muon(G):
    """(GGᵀ)^-¼ G (GᵀG)^-¼ = UVᵀ, the small squares regular and the large ones in their range."""
    U, _, Vt = np.linalg.svd(G, full_matrices=False)
    found = matrix_root(G @ G.T, 4, 1e-14) @ G @ matrix_root(G.T @ G, 4, 1e-14)
    np.testing.assert_allclose(found, U @ Vt, atol=1e-6)
    # and the steepest descent of its norm: <G, UVᵀ> is the nuclear norm, and no matrix of spectral
    # norm 1 has more
    nuclear = np.linalg.norm(G, "nuc")
    assert np.isclose(np.sum(G * (U @ Vt)), nuclear)
    for D in np.random.default_rng(1).normal(size=(20, *G.shape)):
        assert np.sum(G * D) / np.linalg.norm(D, 2) <= nuclear


@pytest.mark.parametrize("p", [1, 2, 4])
def test_a_matrix_root_to_its_power(p):
    F = matrices_of()[1]
    A = F.T @ F
    root = matrix_root(A, p)
    np.testing.assert_allclose(np.linalg.matrix_power(root, p) @ A, np.eye(4), atol=1e-10)
    np.testing.assert_allclose(root, fractional_matrix_power(A, -1 / p), rtol=1e-9)
    np.testing.assert_allclose(matrix_root(A, p, 0.3), matrix_root(A + 0.3 * np.eye(4), p))


def test_a_singular_factor_has_no_root():
    G = matrices_of()[1]  # (7, 4)
    for A in (G @ G.T, np.zeros((3, 3)), np.diag([1.0, -1e-3])):
        complains(lambda A=A: matrix_root(A, 4), "A", "positive definite", "eps")
    assert np.isfinite(matrix_root(G @ G.T, 4, 1e-8)).all()
    assert np.isnan(matrix_root(np.full((2, 2), np.inf), 2, 1e-8)).all()


def test_the_three_duals_of_the_chapter():
    """Shampoo's, SOAP's and Adam's first steps: of one gradient, UVᵀ, UVᵀ and the signs."""
    net = Network([4, 3])
    g = np.random.default_rng(3).normal(size=net.n_params)
    part, shape = matrices(net)[0]
    U, _, Vt = np.linalg.svd(g[part].reshape(shape), full_matrices=False)
    how = {"x": 0 * g, "step": 1.0, "net": net}
    path, _ = fed("shampoo", gradients_=[g], graft=False, refresh=1, **how)
    np.testing.assert_allclose(path[0][part], -(U @ Vt).ravel(), atol=1e-6)
    path, _ = fed("soap", gradients_=[g, g], **how)  # the first makes the basis
    np.testing.assert_allclose(path[1][part], -(U @ Vt).ravel(), atol=1e-6)
    path, _ = fed("adam", gradients_=[g], **how)
    np.testing.assert_allclose(path[0], -np.sign(g), rtol=1e-6)


def test_where_the_matrices_lie():
    loss, x = network()
    found = _gradients(SimpleNamespace(loss=loss), x)
    for (part, G), (W, _) in zip(found, loss.net.unpack(x), strict=True):
        np.testing.assert_array_equal(G, W)
        assert part.stop - part.start == W.size
    assert matrices(None) == []


# ---- schedules


def test_schedules():
    t = np.linspace(0, 1, 50, endpoint=False)
    assert constant(0.3) == 1.0
    np.testing.assert_allclose([cosine(s) for s in t], (1 + np.cos(np.pi * t)) / 2, atol=1e-15)
    assert cosine(np.nextafter(1, 0)) > 0
    rising = warm_up(0.2, cosine)
    np.testing.assert_allclose([rising(s) for s in (0, 0.1, 0.2, 0.6)], [0.01, 0.5, 1, 0.5])
    assert warm_up(0.1)(0.9) == 1.0


@pytest.mark.parametrize("rule", [*RULES])
def test_any_rule_takes_a_schedule(rule):
    """It is called with the share of the steps done, and what it returns multiplies the step."""
    loss, x0 = network()
    seen, lengths = [], []

    def schedule(t):
        seen.append(t)
        return 1.0 - 0.5 * t

    how = {"batch_size": 30, "epochs": 2, "step": 0.02}
    found = minimize_stochastic(loss, x0, rule, schedule=schedule, **how)
    np.testing.assert_allclose(seen, np.arange(6) / 6)
    if rule != "sls":
        np.testing.assert_allclose(found.trace.step[1:], 0.02 * (1 - np.array([2, 5]) / 12))

    made = RULES[rule]()

    def own(batch, x, f, g, step):
        lengths.append(step)
        change, taken = made(batch, x, f, g, step)
        own.result = getattr(made, "result", x + change)
        return change, taken

    again = minimize_stochastic(loss, x0, own, schedule=schedule, **how)
    np.testing.assert_array_equal(again.x, found.x)
    np.testing.assert_allclose(lengths, 0.02 * (1 - np.arange(6) / 12))
    whole = minimize_stochastic(loss, x0, rule, schedule=constant, **how)
    np.testing.assert_array_equal(whole.x, minimize_stochastic(loss, x0, rule, **how).x)


# ---- the loop's part


def test_schedule_free_returns_the_mean_of_its_points():
    """With constant steps all z weigh alike, and the trace tells of their mean."""
    loss, zs, made = least_squares(), [np.ones(4)], RULES["schedule_free"]()

    def rule(batch, x, f, g, step):
        zs.append(zs[-1] - step * g)
        answer = made(batch, x, f, g, step)
        rule.result = made.result
        return answer

    found = minimize_stochastic(loss, np.ones(4), rule, 10, 3, 0.05)
    np.testing.assert_allclose(found.x, np.mean(zs[1:], axis=0), rtol=1e-12)
    assert found.fun == loss.fun(found.x) == found.trace.fun[-1]
    named = minimize_stochastic(loss, np.ones(4), "schedule_free", 10, 3, 0.05)
    np.testing.assert_array_equal(named.x, found.x)
    sgd = minimize_stochastic(loss, np.ones(4), "sgd", 10, 60, 0.05)
    free = minimize_stochastic(loss, np.ones(4), "schedule_free", 10, 60, 0.05)
    assert free.fun - loss.fun(loss.minimum) < 0.2 * (sgd.fun - loss.fun(loss.minimum))


def test_schedule_free_is_polyaks_average_only_where_it_asks_at_its_own_points():
    """With momentum 0 it is the mean of the points of sgd; with .9 its gradients are others'."""
    loss, points = least_squares(), []

    def noted(batch, x, f, g, step):
        points.append(x - step * g)
        return -step * g, step

    minimize_stochastic(loss, np.ones(4), noted, 10, 3, 0.05)
    polyak = np.mean(points, axis=0)
    apart = [
        np.linalg.norm(
            minimize_stochastic(loss, np.ones(4), "schedule_free", 10, 3, 0.05, momentum=momentum).x
            - polyak
        )
        for momentum in (0.0, 0.9)
    ]
    assert apart[0] < 1e-14 < 1e-3 < apart[1]


def test_a_search_on_batches_arrives_where_all_rows_agree():
    """Without noise one minimum serves every row, and no step length needs to be known."""
    loss = least_squares(noise=0.0)
    found = minimize_stochastic(loss, np.zeros(4), "sls", 5, 40, 1.0)
    assert found.success and found.fun < 1e-16
    for step in (1e-3, 1e3):
        assert minimize_stochastic(loss, np.zeros(4), "sls", 5, 40, step).fun < 1e-12
    assert found.njev > 40 * 60 and np.all(found.trace.step[1:] > 0)


def test_a_search_that_finds_nothing_creeps_on():
    """A wrong gradient: no trial is lower, and the step is the millionth of it."""
    batch, x, rule = Batch(least_squares(), np.arange(60)), np.ones(4), RULES["sls"]()
    f, g = batch.fun_and_jac(x)
    change, step = rule(batch, x, f, -g, 1.0)
    np.testing.assert_allclose(change, 1e-6 * g)
    assert step == 1e-6 and batch.visits == 101
    change, step = rule(batch, x, 1.0, 0 * g, 1.0)
    assert step == 1e-6 and not change.any()
    change, step = rule(batch, x, f, g, 1.0)  # it goes on from where it gave up
    assert np.isclose(step, 2 * 2 * 2 * 0.9**100)


def test_the_value_of_a_batch_is_that_of_its_pair():
    """With the anchor's tilt and without; each is a visit."""
    loss, x = network()
    for anchor in (None, (x + 0.3, loss.jac(x + 0.3))):
        batch = Batch(loss, np.arange(20), anchor)
        before = batch.visits
        assert np.isclose(batch.fun(x), batch.fun_and_jac(x)[0], rtol=1e-14)
        assert batch.visits == before + 2


def test_what_is_drawn_leaves_the_batches_alone():
    loss, seen = least_squares(), {}
    for rule, made in (("sgd", RULES["sgd"]()), ("adahessian", RULES["adahessian"]())):

        def own(batch, x, f, g, step, rule=rule, made=made):
            seen.setdefault(rule, []).append(batch.loss.y[0])
            return made(batch, x, f, g, step)

        minimize_stochastic(loss, np.zeros(4), own, 10, 2, 0.01)
    assert seen["sgd"] == seen["adahessian"]


@pytest.mark.parametrize("rule", ["schedule_free", "adahessian", "muon", "shampoo", "soap"])
def test_a_run_that_diverges_stops_and_says_so(rule):
    """ "sls" is not among them: it has no step too long."""
    loss, x0 = network(activation="relu")
    with np.errstate(all="ignore"):
        found = minimize_stochastic(loss, x0, rule, 10, 50, step=1e200)
    assert not found.success and found.nit < 50 and "diverged" in found.message
    assert found.fun <= loss.fun(x0) and np.isfinite(found.x).all()

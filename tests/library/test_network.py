"""The network: its loss and gradient against independent ones, its parameters, its sums."""

import os
import signal
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from helpers import complains, slope
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_info, threadpool_limits

from soo_lib.curvature import kronecker, kronecker_factors, layer_hessians
from soo_lib.gradient_test import gradient_test
from soo_lib.losses import Network, activations, blocks, network, products
from soo_lib.losses.blocks import BLOCK, STRIPS, as_rows

ACTIVATIONS = ["sigmoid", "tanh", "relu", "linear"]
DEPTHS = {1: [4, 3], 2: [4, 6, 3], 3: [4, 6, 5, 3], 4: [4, 6, 5, 4, 3]}
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_depth = pytest.mark.parametrize("sizes", DEPTHS.values(), ids=map(str, DEPTHS))


def data(m=40, n=4, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, m)
    return rng.normal(size=(m, n)) + 0.5 * y[:, None], y


def start(net, seed=0):
    """A start whose biases are not 0, so that a wrong bias shows."""
    return net.init(seed) + 0.3 * np.random.default_rng(seed + 100).normal(size=net.n_params)


def reference(sizes, activation, X, y, l2=0.0, penalize_bias=False):
    """The loss as a function of x, written without a look at the library; autograd can read it."""
    sigma = {
        "sigmoid": lambda z: 1 / (1 + anp.exp(-z)),
        "tanh": anp.tanh,
        "relu": lambda z: anp.where(z > 0, z, 0.0),
        "linear": lambda z: z,
    }[activation]

    def loss(x):
        A, at, penalty = X, 0, 0.0
        for layer in range(1, len(sizes)):
            rows, columns = sizes[layer - 1], sizes[layer]
            W = anp.reshape(x[at : at + rows * columns], (rows, columns))
            b = x[at + rows * columns : at + rows * columns + columns]
            at += (rows + 1) * columns
            Z = anp.dot(A, W) + b
            A = sigma(Z)
            penalty = penalty + anp.sum(W**2) + (anp.sum(b**2) if penalize_bias else 0.0)
        log_total = anp.log(anp.sum(anp.exp(Z), axis=1))
        return anp.mean(log_total - Z[anp.arange(len(y)), y]) + l2 / 2 * penalty

    return loss


def close(a, b, tolerance=1e-12):
    """Equal to a share of the largest entry: the small entries of a gradient cancel."""
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


# ---- loss and gradient


@every_activation
@every_depth
@pytest.mark.parametrize("l2, penalize_bias", [(0.0, False), (0.1, False), (0.1, True)])
def test_against_autograd(sizes, activation, l2, penalize_bias):
    X, y = data()
    net = Network(sizes, activation)
    loss = net.loss(X, y, l2=l2, penalize_bias=penalize_bias)
    peer = reference(sizes, activation, X, y, l2, penalize_bias)
    x = start(net)
    f, g = loss.fun_and_jac(x)
    assert f == pytest.approx(peer(x), rel=1e-13)
    close(g, autograd.grad(peer)(x))
    assert loss.fun(x) == f
    np.testing.assert_array_equal(loss.jac(x), g)


@every_activation
@every_depth
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradient_test(sizes, activation, dtype):
    net = Network(sizes, activation)
    for penalize_bias in (False, True):
        loss = net.loss(*data(), l2=0.1, penalize_bias=penalize_bias, dtype=dtype)
        result = gradient_test(loss, start(net))
        assert result.ok, result


@every_depth
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "linear"])
def test_hessian_is_the_slope_of_the_gradient(sizes, activation):
    net = Network(sizes, activation)
    loss = net.loss(*data(), l2=0.1)
    x, d = start(net), np.random.default_rng(5).normal(size=net.n_params)
    H = loss.hess(x)
    close(H, H.T)
    close(H @ d, slope(loss.jac, x, d), 1e-8)
    close(loss.hessp(x, d), H @ d)


def test_without_hidden_layers_it_is_softmax_regression():
    X, y = data()
    net = Network([4, 3])
    x, Y, l2 = start(net), np.eye(3)[y], 0.2
    W, b = x[:12].reshape(4, 3), x[12:]
    P = np.exp(X @ W + b)
    P /= P.sum(axis=1, keepdims=True)
    f, g = net.loss(X, y, l2=l2).fun_and_jac(x)
    assert f == pytest.approx(-np.mean(np.log(P[Y == 1])) + l2 / 2 * np.sum(W**2), rel=1e-13)
    close(g[:12].reshape(4, 3), X.T @ (P - Y) / len(y) + l2 * W)
    close(g[12:], (P - Y).mean(axis=0))
    g = net.loss(X, y, l2=l2, penalize_bias=True).jac(x)
    close(g[12:], (P - Y).mean(axis=0) + l2 * b)


def test_by_hand():
    """One sample through one tanh unit."""
    net = Network([1, 1, 2], "tanh")
    x = np.array([0.5, 0.1, 1.0, -1.0, 0.2, 0.0])  # W1, b1, W2 (1 x 2), b2 (2)
    a = np.tanh(0.5 * 2.0 + 0.1)
    gap = (a + 0.2) - (-a)
    p = 1 / (1 + np.exp(-gap))  # probability of class 0
    f, g = net.loss([[2.0]], [1]).fun_and_jac(x)
    assert f == pytest.approx(-np.log(1 - p), rel=1e-14)
    da = (p * 1 + (-p) * -1) * (1 - a * a)
    np.testing.assert_allclose(g, [2 * da, da, a * p, -a * p, p, -p], rtol=1e-13)


@pytest.mark.parametrize(
    "activation, peer_name",
    [("sigmoid", "logistic"), ("tanh", "tanh"), ("relu", "relu"), ("linear", "identity")],
)
@pytest.mark.parametrize("hidden", [[6], [6, 5]])
def test_loss_and_gradient_are_scikit_learns(activation, peer_name, hidden):
    """One step of gradient descent of length 1 from our start tells MLPClassifier's gradient.

    Its penalty is alpha / 2m times the weights' squares.
    """
    X, y = data()
    l2 = 0.05
    net = Network([4, *hidden, 3], activation)
    x = start(net)
    peer = MLPClassifier(
        hidden,
        activation=peer_name,
        alpha=l2 * len(y),
        solver="sgd",
        batch_size=len(y),
        learning_rate_init=1.0,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
    )
    peer.partial_fit(X, y, classes=[0, 1, 2])  # makes its arrays, which our start then fills
    for layer, (W, b) in enumerate(net.unpack(x)):
        peer.coefs_[layer][:], peer.intercepts_[layer][:] = W, b
    np.testing.assert_array_equal(net.predict(x, X), peer.predict(X))
    peer.partial_fit(X, y)
    after = net.pack(list(zip(peer.coefs_, peer.intercepts_)))
    f, g = net.loss(X, y, l2=l2).fun_and_jac(x)
    assert f == pytest.approx(peer.loss_, rel=1e-12)
    close(g, x - after, 1e-11)


@every_activation
def test_float32_stays_close_to_float64(activation):
    X, y = data(m=1500)
    net = Network([4, 6, 5, 3], activation)
    x = start(net)
    f64, g64 = net.loss(X, y, l2=0.01).fun_and_jac(x)
    loss = net.loss(X, y, l2=0.01, dtype=np.float32)
    f32, g32 = loss.fun_and_jac(x)
    assert loss.dtype == np.float32 and loss.X.dtype == np.float32
    assert isinstance(f32, float) and g32.dtype == np.float64
    assert f32 != f64  # it did work in float32 ...
    assert f32 == pytest.approx(f64, rel=1e-5)  # ... whose ε is 1.2e-7
    close(g32, g64, 1e-5)


# ---- rows of bytes


def bytes_on_disk(tmp_path, m=5003):
    """More rows than a block, and no multiple of one."""
    pixels = np.random.default_rng(0).integers(0, 256, (m, 6), dtype=np.uint8)
    np.save(tmp_path / "rows.npy", pixels)
    return pixels, np.load(tmp_path / "rows.npy", mmap_mode="r"), pixels[:, 0] % 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", [1, 2])
def test_bytes_give_the_digits_of_the_converted_array(tmp_path, monkeypatch, dtype, threads):
    monkeypatch.setattr(blocks, "THREADS", threads)
    monkeypatch.setattr(blocks, "ENOUGH", 1)
    pixels, mapped, y = bytes_on_disk(tmp_path)
    net = Network([6, 5, 3], "tanh")
    x, p, rows = net.init(0), net.init(1), [5, 2000, 7, 7]
    whole = net.loss(pixels * 0.013 - 0.4, y, l2=0.01, dtype=dtype)
    for X in (pixels, mapped, np.asfortranarray(pixels)):
        loss = net.loss(X, y, l2=0.01, dtype=dtype, scale=0.013, shift=-0.4)
        assert loss.dtype == dtype and loss.n_samples == len(y)
        for ours, theirs in ((loss, whole), (loss.subset(rows), whole.subset(rows))):
            assert ours.fun(x) == theirs.fun(x)
            for name, vectors in (("jac", [x]), ("hessp", [x, p]), ("ggnp", [x, p])):
                found, expected = (getattr(one, name)(*vectors) for one in (ours, theirs))
                np.testing.assert_array_equal(found, expected)
            for function in (layer_hessians, kronecker_factors):
                found, expected = function(ours, x), function(theirs, x)
                np.testing.assert_array_equal(
                    np.concatenate([*map(np.ravel, flat(found))]),
                    np.concatenate([*map(np.ravel, flat(expected))]),
                )
        np.testing.assert_array_equal(net.predict(x, loss.X), net.predict(x, whole.X))
    np.testing.assert_array_equal(mapped, pixels)


def flat(parts):
    return [piece for part in parts for piece in (part if isinstance(part, tuple) else [part])]


def test_bytes_stay_bytes(tmp_path):
    """Neither a loss nor an evaluation holds the converted rows."""
    _, mapped, y = bytes_on_disk(tmp_path, m=60_000)
    net = Network([6, 3])
    x = net.init(0)
    tracemalloc.start()
    loss = net.loss(mapped, y, scale=0.01)
    loss.fun_and_jac(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60_000 * 6 * 8  # y alone takes a third of that, twice


class Spy(np.ndarray):
    """An array that, and whose descendants, remember what went into their matrix products."""

    seen = []

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **settings):
        inputs = [np.asarray(part) if isinstance(part, Spy) else part for part in inputs]
        if ufunc is np.matmul:
            Spy.seen += inputs
        if out is not None:
            getattr(ufunc, method)(*inputs, out=tuple(map(np.asarray, out)), **settings)
            return out[0]
        found = getattr(ufunc, method)(*inputs, **settings)
        return found.view(Spy) if isinstance(found, np.ndarray) else found


@pytest.mark.parametrize("hidden", [[300], [300, 100]])
def test_saturated_units_make_no_subnormal_numbers(hidden, monkeypatch):
    """In float32 they would: some processors then take many times as long over an evaluation."""
    X, y = data(m=200)
    net = Network([4, *hidden, 3])
    x, p, smallest = 30 * net.init(0), net.init(1), {}
    loss, double = net.loss(X, y, dtype=np.float32), net.loss(X, y)
    calls = {
        "jac": lambda loss: loss.jac(x),
        "hessp": lambda loss: loss.hessp(x, p),
        "ggnp": lambda loss: loss.ggnp(x, p),
        "factors": lambda loss: kronecker_factors(loss, x)[0][1],
    }
    for call in calls.values():
        close(call(loss), call(double), 1e-4)
    loss.X = loss.X.view(Spy)
    for kept in (True, False):
        for name, call in calls.items():
            Spy.seen.clear()
            call(loss)
            numbers = np.abs(np.concatenate([part.ravel() for part in Spy.seen]))
            smallest[name, kept] = numbers[numbers > 0].min()
        for module in (activations, network, kronecker, products):
            monkeypatch.setattr(module, "flush", lambda Z: Z)
    tiny = np.finfo(np.float32).tiny
    assert min(smallest[name, True] for name in calls) > 1e-30
    assert max(smallest[name, False] for name in calls) < tiny


def test_flush_leaves_alone_what_is_seen():
    for dtype, small in ((np.float32, 1e-19), (np.float64, 1e-154)):
        Z = np.array([1, -1e-3, 2 * small, -2 * small, small / 9, -small / 9, 0, np.inf], dtype)
        kept = Z.copy()
        kept[4:6] = 0
        assert activations.flush(Z) is Z and Z.dtype == dtype
        np.testing.assert_allclose(Z, kept, rtol=1e-6, atol=small)
        np.testing.assert_array_equal(Z == 0, kept == 0)


@every_activation
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_huge_logits_are_finite(activation, dtype):
    """Logits of ±1e4: the loss is 0 where the label has the larger, and their gap elsewhere."""
    net = Network([1, 2], activation)
    loss = net.loss([[1.0], [1.0], [-1.0], [-1.0]], [0, 1, 0, 0], dtype=dtype)
    f, g = loss.fun_and_jac(np.array([1e4, -1e4, 0.0, 0.0]))
    assert f == pytest.approx(3 * 2e4 / 4, rel=1e-6)
    np.testing.assert_allclose(g, [0.75, -0.75, -0.25, 0.25], rtol=1e-6)


@every_activation
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_huge_inputs_of_hidden_units_are_finite(activation, dtype, size):
    X, y = data(m=2500)
    net = Network([4, 5, 3], activation)
    f, g = net.loss(X, y, l2=1e-4, dtype=dtype).fun_and_jac(size * start(net))
    assert np.isfinite(f) and np.isfinite(g).all()
    assert net.predict(size * start(net), X.astype(dtype)).shape == (2500,)


def test_an_evaluation_changes_neither_the_data_nor_x():
    for activation in ACTIVATIONS:
        X, y = data(m=30)
        net = Network([4, 5, 3], activation)
        x = start(net)
        for array in (X, y, x):
            array.flags.writeable = False
        loss = net.loss(X, y, l2=0.1)
        first = loss.fun_and_jac(x)
        again = loss.fun_and_jac(x)
        assert first[0] == again[0] and np.array_equal(first[1], again[1])


# ---- many rows


@pytest.mark.parametrize(
    "m", [BLOCK - 1, BLOCK, BLOCK + 1, 2500, STRIPS * BLOCK, STRIPS * BLOCK + 1, 21_300]
)
def test_a_loss_of_many_blocks_is_the_direct_sum(m):
    sizes = [3, 4, 3]
    X, y = data(m, n=3)
    X += np.linspace(0, 2, m)[:, None]  # so that no block is like another
    net = Network(sizes, "tanh")
    x = start(net)
    peer = reference(sizes, "tanh", X, y, 0.1)
    f, g = net.loss(X, y, l2=0.1).fun_and_jac(x)
    assert f == pytest.approx(peer(x), rel=1e-12)
    close(g, autograd.grad(peer)(x))


@pytest.mark.parametrize(
    "sizes, m",
    [([30, 20, 3], 17_500), ([100, 50, 10], 2500), ([400, 200, 10], 600), ([400, 10], 1000)],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_number_of_threads_changes_no_digit(sizes, m, dtype, monkeypatch):
    net = Network(sizes)
    loss = net.loss(*data(m, sizes[0], sizes[-1]), dtype=dtype)
    x = net.init(0)
    monkeypatch.setattr("soo_lib.losses.blocks.ENOUGH", 1)
    results = []
    for threads in (1, 2, 2, 1):
        monkeypatch.setattr("soo_lib.losses.blocks.THREADS", threads)
        with threadpool_limits(threads):  # of BLAS and of OpenMP
            assert {lib["num_threads"] for lib in threadpool_info()} == {threads}
            results.append((loss.fun(x), *loss.fun_and_jac(x)))
    for f, f_again, g in results:
        assert f == f_again == results[0][0]
        np.testing.assert_array_equal(g, results[0][2])


def blas_threads():
    return {lib["num_threads"] for lib in blocks._blas.info()}


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(blocks, "THREADS", 2)
    blocks._pool.cache_clear()  # it may have been made for one
    with threadpool_limits(2):
        yield


def test_linear_algebra_has_one_thread_inside_and_its_own_again_after(two_threads):
    with blocks.calm():
        assert blas_threads() == {1}
        assert blocks.side_by_side(lambda _: blas_threads(), "ab") == [{1}, {1}]
        assert blas_threads() == {1}
    assert blas_threads() == {2}
    with pytest.raises(ZeroDivisionError):
        blocks.side_by_side(lambda n: 1 / n, [1, 0])
    assert blas_threads() == {2}


def test_callers_in_several_threads_give_linear_algebra_its_threads_back(two_threads):
    loss = Network([20, 10, 3]).loss(*data(500, n=20))
    x = loss.net.init(0)
    expected = loss.jac(x)
    with ThreadPoolExecutor(8) as pool:
        for g in pool.map(loss.jac, 200 * [x]):
            close(g, expected)
    assert blas_threads() == {2}


def test_strips_go_to_several_threads_in_order(two_threads):
    together = threading.Barrier(2)

    def run(strip):
        together.wait(30)
        return strip, threading.get_ident()

    (a, first), (b, second) = blocks.side_by_side(run, "ab")
    assert (a, b) == ("a", "b") and first != second


@pytest.mark.parametrize("at", range(4))
def test_an_error_in_a_strip_is_raised_when_no_strip_goes_on(at, two_threads):
    done = []

    def run(n):
        done.append(1 / (n - at))

    with pytest.raises(ZeroDivisionError):
        blocks.side_by_side(run, range(4))
    assert len(done) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(two_threads):
    assert blocks.side_by_side(str, [1, 2, 3]) == ["1", "2", "3"]
    child = os.fork()
    if not child:
        signal.alarm(30)
        os._exit(0 if blocks.side_by_side(str, [1, 2, 3]) == ["1", "2", "3"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("told", ["raise", "ignore"])
def test_numpy_warns_on_threads_as_it_does_here(told, two_threads):
    with np.errstate(divide=told):
        assert blocks.side_by_side(lambda _: np.geterr()["divide"], "ab") == [told, told]


def test_threads_are_asked_only_where_that_pays(two_threads, monkeypatch):
    """And where none can start, as in the browser, THREADS is 1."""
    monkeypatch.setattr(blocks, "_pool", None)
    net, A = Network([3, 4, 3]), np.eye(300)
    net.loss(*data(5000, n=3)).fun(net.init(0))
    np.testing.assert_array_equal(blocks.product(A[:30], A, A), A[:30])
    assert blocks.side_by_side(str.upper, "ab", pays=False) == ["A", "B"]
    calls = (lambda: blocks.product(A, A, A)), (lambda: blocks.side_by_side(str.upper, "ab"))
    for call in calls:
        with pytest.raises(TypeError):
            call()
    monkeypatch.setattr(blocks, "THREADS", 1)
    for call in calls:
        call()


@pytest.mark.parametrize("threads", [1, 2])
def test_product_is_the_matrix_product(threads, monkeypatch):
    monkeypatch.setattr(blocks, "THREADS", threads)
    A, B, C = (
        np.random.default_rng(0).normal(size=size) for size in ((501, 90), (90, 180), (180, 3))
    )
    close(blocks.product(A, B), A @ B)
    close(blocks.product(A, B, C), A @ B @ C)


@pytest.mark.parametrize(
    "m, work, sizes",
    [
        (1797, 3466, [899, 898]),  # the small net of the benchmarks
        (1797, 3300, [1000, 797]),  # too little for two threads
        (1000, 5999, [1000]),
        (1000, 6000, [500, 500]),
        (500, 1e6, [250, 250]),
        (499, 1e6, [499]),
        (1000, 1e6, 4 * [250]),
        (60_000, 10, 60 * [1000]),
        (4001, 1e6, 4 * [1000] + [1]),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_rows_are_cut_alike_whatever_the_number_of_threads(m, work, sizes, threads, monkeypatch):
    monkeypatch.setattr(blocks, "THREADS", threads)
    found = []

    def kernel(X, y, total):
        found.append((int(X[0, 0]), len(X)))
        total += X.sum(axis=0)
        return 1.0

    loss, mean = blocks.average(kernel, np.arange(float(m))[:, None], np.arange(m), 1, work)
    assert [size for _, size in sorted(found)] == sizes
    assert loss == len(sizes) / m and mean == pytest.approx((m - 1) / 2)


def test_a_product_sees_whatever_changes():
    """Nothing is kept from one product to the next."""
    loss, x = Network([4, 5, 3], "tanh").loss(*data(30)), start(Network([4, 5, 3]))
    for product in ("hessp", "ggnp"):
        before = getattr(loss, product)(x, x)
        x[3] += 0.5
        loss.X[7, 2] += 1
        loss.y[7] = (loss.y[7] + 1) % 3
        after = getattr(loss, product)(x, x)
        fresh = loss.net.loss(loss.X.copy(), loss.y.copy())
        np.testing.assert_array_equal(after, getattr(fresh, product)(x.copy(), x.copy()))
        assert not np.allclose(before, after)


def test_subset_is_the_same_loss_on_those_rows():
    X, y = data(m=200)
    sizes = [4, 6, 3]
    net = Network(sizes)
    rows, x = np.random.default_rng(1).permutation(200)[:70], start(net)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        part = net.loss(X, y, l2=0.1, penalize_bias=True, dtype=dtype).subset(rows)
        assert part.n_samples == 70 and part.n_params == net.n_params and part.dtype == dtype
        peer = reference(sizes, "sigmoid", X[rows], y[rows], 0.1, penalize_bias=True)
        f, g = part.fun_and_jac(x)
        assert f == pytest.approx(peer(x), rel=tolerance)
        close(g, autograd.grad(peer)(x), tolerance)


# ---- parameters


def test_layer_slices_lie_end_to_end():
    net = Network([784, 300, 10])
    assert net.n_params == 785 * 300 + 301 * 10 == 238_510  # not the paper's 303,310
    assert net.layer_slices == [slice(0, 235_500), slice(235_500, 238_510)]
    assert net.shapes == [(784, 300), (300, 10)]


def test_unpack_gives_weights_row_by_row_then_biases():
    net = Network([2, 3, 2])
    (W1, b1), (W2, b2) = net.unpack(np.arange(17.0))
    np.testing.assert_array_equal(W1, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(b1, [6, 7, 8])
    np.testing.assert_array_equal(W2, [[9, 10], [11, 12], [13, 14]])
    np.testing.assert_array_equal(b2, [15, 16])


@every_depth
def test_pack_undoes_unpack(sizes):
    net = Network(sizes)
    x = start(net)
    layers = net.unpack(x)
    np.testing.assert_array_equal(net.pack(layers), x)
    packed = net.pack([(np.asfortranarray(W), b.tolist()) for W, b in layers])
    np.testing.assert_array_equal(packed, x)
    assert packed.dtype == np.float64
    for wrong in 3, None, [1, 2], [layer + layer for layer in layers], layers[:-1], [[[1], [1, 2]]]:
        complains(lambda wrong=wrong: net.pack(wrong), "layers", "(W, b)")


def test_unpack_gives_views_and_pack_a_copy():
    net = Network([2, 3, 2])
    x = np.zeros(net.n_params)
    layers = net.unpack(x)
    for k, part in enumerate(part for layer in layers for part in layer):
        assert np.shares_memory(part, x)
        part[:] = k + 1
    np.testing.assert_array_equal(x, np.repeat([1, 2, 3, 4], [6, 3, 6, 2]))
    packed = net.pack(layers)
    packed[:] = 0
    assert x.all()


def test_init_scales():
    net = Network([400, 300, 100, 10])
    for scale in ("fan_in", "unit"):
        x = net.init(3, scale=scale)
        assert x.dtype == np.float64
        for W, b in net.unpack(x):
            assert not b.any()
            spread = np.std(W) * (np.sqrt(len(W)) if scale == "fan_in" else 1)
            # five standard errors of an estimated standard deviation, and of a mean
            assert spread == pytest.approx(1, abs=5 / np.sqrt(2 * W.size))
            assert abs(W.mean()) < 5 * np.std(W) / np.sqrt(W.size)
    np.testing.assert_array_equal(net.init(3), net.init(3, scale="fan_in"))
    assert not np.array_equal(net.init(3), net.init(4))


def test_repr_and_defaults():
    assert repr(Network([3, 2])) == "Network([3, 2], activation='sigmoid')"
    net, (X, y) = Network((4, 5, 3)), data()
    x = start(net)
    expected = reference([4, 5, 3], "sigmoid", X, y)(x)
    assert net.loss(X, y).fun(x) == pytest.approx(expected, rel=1e-13)
    labels = y.astype(float)  # whole numbers of any type will do
    assert net.loss(X.tolist(), labels).fun(x) == net.loss(X, y).fun(x)


@every_activation
@pytest.mark.parametrize("m", [1, 7, 2 * BLOCK + 500])
def test_predict_is_the_largest_output(activation, m):
    sigma = {
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "tanh": np.tanh,
        "relu": lambda z: z * (z > 0),
        "linear": lambda z: z,
    }[activation]
    X, _ = data(m)
    net = Network([4, 6, 5, 3], activation)
    x = start(net)
    (W1, b1), (W2, b2), (W3, b3) = net.unpack(x)
    Z = sigma(sigma(X @ W1 + b1) @ W2 + b2) @ W3 + b3
    labels = net.predict(x, X)
    assert labels.shape == (m,) and np.issubdtype(labels.dtype, np.integer)
    np.testing.assert_array_equal(labels, Z.argmax(axis=1))
    clear = np.diff(np.sort(Z, axis=1))[:, -1] > 1e-4
    single = net.predict(x, X.astype(np.float32))
    np.testing.assert_array_equal(single[clear], labels[clear])


# ---- rows of bytes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [0.0, -0.5])
@pytest.mark.parametrize("scale", [1 / 255, 1.0, 0.3, -7.7])
def test_a_block_of_bytes_has_the_digits_of_the_converted_array(scale, shift, dtype):
    rows = np.arange(256, dtype=np.uint8).reshape(64, 4)
    block = np.asarray(as_rows(rows, 4, dtype, scale, shift))
    np.testing.assert_array_equal(block, (rows * scale + shift).astype(dtype))

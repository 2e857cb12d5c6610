"""A loss on a cluster: of threads where that will do, of processes where some are to be killed."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import parts
import pytest
from helpers import complains
from parts import NET, ROWS, SPECS

from soo_lib.curvature import kronecker_cholesky, kronecker_factors, squared_gradients
from soo_lib.losses import Logistic, Preconditioned
from soo_lib.solvers import Recorder, minimize, minimize_refreshed
from soo_lib.solvers.minimize import OWN
from soo_lib.solvers.scipy import SCIPY

distributed = pytest.importorskip("distributed")
from soo_lib.cluster import Distributed, Part  # noqa: E402

HERE = Path(__file__).parents[1]
X0 = NET.init(0)
WHOLE = NET.loss(*parts.data(), l2=1e-2)
WIDE = [(0, 40), (40, 80), (80, ROWS)]
CLOSE = {"rtol": 1e-12, "atol": 1e-14}


@pytest.fixture(autouse=True)
def time_limit():
    """A minute: a wait without end is a failure, not a hang."""

    def ring(*_):
        raise AssertionError("no answer within 60 s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@contextmanager
def threads(workers):
    """A cluster in this process: scheduler and workers are threads."""
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextmanager
def processes(folder, workers, bare=False):
    """A scheduler and workers, processes of their own without a nanny, and a client.

    ``bare``: without soo_lib, in no folder that holds it, and without the finder of an editable
    install.
    """
    address = folder / "scheduler.json"
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(HERE)}

    def start(role, *options):
        words = ["--scheduler-file", str(address), "--no-dashboard", *options]
        code = f"""
import os, sys
if {bare}:
    sys.meta_path = [f for f in sys.meta_path if "editable" not in repr(f).lower()]
    sys.path = [p for p in sys.path if not os.path.isdir(p + "/soo_lib") and p]
else:
    sys.path.insert(0, {str(HERE.parent)!r})
sys.argv = ["dask", *{words!r}]
from distributed.cli.dask_{role} import main
main()
"""
        with open(folder / f"{role}.log", "a") as log:
            return subprocess.Popen(
                [sys.executable, "-c", code], cwd=folder, env=environment, stdout=log, stderr=log
            )

    started = [start("scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        started += [start("worker", "--nthreads", "1", "--no-nanny") for _ in range(workers)]
        with distributed.Client(scheduler_file=str(address), timeout=30) as client:
            client.wait_for_workers(workers, timeout=50)
            yield client, started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def three():
    with threads(3) as client:
        yield client


@pytest.fixture(scope="module")
def mortal(tmp_path_factory):
    """Three workers; the tests leave ever fewer of them."""
    with processes(tmp_path_factory.mktemp("mortal"), workers=3) as found:
        yield found


@pytest.fixture(params=[WIDE, SPECS], ids=["vectors with the parts", "vectors as tasks"])
def specs(request):
    """Both ways that vectors go: a part for each of three workers, and more."""
    return request.param


def settles(client, most):
    """Futures are let go of by messages: soon, not at once."""
    for _ in range(100):
        if client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) <= most:
            return True
        time.sleep(0.05)
    return False


# ---- what it says


def test_it_is_the_loss_over_all_rows(three):
    loss, p = Distributed(parts.rows, SPECS, three), np.random.default_rng(1).normal(size=len(X0))
    assert loss.n_params == NET.n_params and loss.n_samples == ROWS and loss.dtype == float
    assert loss.penalty.l2 == WHOLE.penalty.l2
    np.testing.assert_allclose(loss.fun(X0), WHOLE.fun(X0), **CLOSE)
    np.testing.assert_allclose(loss.jac(X0), WHOLE.jac(X0), **CLOSE)
    f, g = loss.fun_and_jac(list(X0))
    assert isinstance(f, float) and f == loss.fun(X0)
    np.testing.assert_array_equal(g, loss.jac(X0))
    np.testing.assert_allclose(loss.hess(X0), WHOLE.hess(X0), **CLOSE)
    np.testing.assert_allclose(loss.hessp(X0, p), WHOLE.hessp(X0, p), **CLOSE)
    np.testing.assert_allclose(loss.ggnp(X0, p), WHOLE.ggnp(X0, p), **CLOSE)
    np.testing.assert_allclose(squared_gradients(loss, X0), squared_gradients(WHOLE, X0), **CLOSE)
    for ours, theirs in zip(kronecker_factors(loss, X0), kronecker_factors(WHOLE, X0)):
        for factor, whole in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(factor, whole, **CLOSE)


def test_another_loss(three):
    X, y = parts.data()
    whole, loss = Logistic(X, y > 1, l2=1e-2), Distributed(parts.two_classes, SPECS, three)
    found = minimize(loss, np.zeros(6), "newton")
    assert found.success and found.nhev > 0
    np.testing.assert_allclose(found.x, minimize(whole, np.zeros(6), "newton").x, rtol=1e-9)


@pytest.mark.parametrize(
    "chosen",
    [[5], [0, 92, 16, 15, 47, 47], np.arange(ROWS) % 7 == 3, slice(30, 60)],
    ids=["one", "some", "mask", "slice"],
)
def test_some_of_the_rows(three, chosen):
    loss, whole = Distributed(parts.rows, SPECS, three).subset(chosen), WHOLE.subset(chosen)
    assert loss.n_samples == whole.n_samples and loss.penalty.l2 == whole.penalty.l2
    np.testing.assert_allclose(loss.jac(X0), whole.jac(X0), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(
        loss.subset([0]).fun(X0),
        WHOLE.subset([np.sort(np.arange(ROWS)[chosen])[0]]).fun(X0),
        rtol=1e-12,
    )


def test_the_recorder_and_a_preconditioner_around_it(three):
    loss = Distributed(parts.rows, SPECS, three)
    recorder = Recorder(Preconditioned(loss, kronecker_cholesky(loss, X0)))
    change = Preconditioned(WHOLE, kronecker_cholesky(WHOLE, X0))
    p = change.to_p(X0)
    np.testing.assert_allclose(recorder.jac(p), change.jac(p), rtol=1e-9, atol=1e-12)
    assert recorder.njev == 1
    here = minimize_refreshed(WHOLE, X0, kronecker_cholesky, every=3, maxiter=5)
    there = minimize_refreshed(loss, X0, kronecker_cholesky, every=3, maxiter=5)
    np.testing.assert_allclose(there.trace.fun, here.trace.fun, rtol=1e-6)
    drawn = minimize_refreshed(loss, X0, kronecker_cholesky, every=3, rows=60, maxiter=5)
    assert drawn.fun < 0.9 * WHOLE.fun(X0)


# ---- the same digits, whoever adds


def every_run(client):
    loss = Distributed(parts.rows, SPECS, client)
    runs = [(method, {}) for method in [*OWN, *SCIPY] if method not in ("hessian-free", "arc")]
    runs += [(method, {"products": 3}) for method in ("hessian-free", "arc")]
    runs += [("newton", {"line_search": "trust"}), ("lbfgs", {"line_search": "backtracking"})]
    return {
        (method, *settings): minimize(loss, X0, method, maxiter=1, **settings)
        for method, settings in runs
    }


def test_the_digits_depend_on_nobody(three):
    found = [every_run(three)]
    for workers in (1, 2):
        with threads(workers) as client:
            found.append(every_run(client))
    for key, run in found[0].items():
        for other in found[1:]:
            assert other[key].x.tobytes() == run.x.tobytes(), key
            assert other[key].fun == run.fun and other[key].nfev == run.nfev, key
        assert run.nit == 1, key


def test_the_digits_depend_on_no_way_of_sending(three, monkeypatch):
    loss, p, found = Distributed(parts.rows, WIDE, three), np.linspace(-1, 1, len(X0)), []
    for few in (0, 1e7):
        monkeypatch.setattr("soo_lib.cluster.ROUND_TRIP", few)
        found.append([loss.jac(X0).tobytes(), loss.hessp(X0, p).tobytes()])
    assert found[0] == found[1]


# ---- what travels, and what stays


def test_a_part_travels_as_its_recipe():
    part = Part(parts.rows, SPECS[0])
    assert sys.getsizeof(part) > part.loss.X.nbytes
    packed = pickle.dumps(part)
    assert len(packed) < 1000
    assert pickle.loads(packed).loss.fun(X0) == part.loss.fun(X0)


def test_nothing_is_left(three, specs):
    gc.collect()  # of other tests
    assert settles(three, 0)
    loss = Distributed(parts.rows, specs, three)
    loss.fun_and_jac(X0)
    assert settles(three, len(specs))  # the parts, and nothing of an evaluation
    for _ in range(20):
        loss.fun_and_jac(X0)
    assert settles(three, len(specs))
    some = loss.subset([1, 2, 50])
    some.fun(X0)
    del loss, some
    assert settles(three, 0)


def test_ctrl_c(three, tmp_path):
    loss = Distributed(parts.slow, [(*spec, str(tmp_path)) for spec in SPECS], three)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        loss.fun_and_jac(X0)
    assert settles(three, len(SPECS))
    np.testing.assert_allclose(loss.fun_and_jac(X0)[0], WHOLE.fun(X0), rtol=1e-12)
    del loss
    gc.collect()  # the interrupted frames
    assert settles(three, 0)


def test_a_large_vector_is_no_cause_for_a_warning(three):
    n = 1_500_000  # 12 MB; Dask warns of a graph of 10
    loss = Distributed(parts.sphere, [(n,), (n,)], three)
    x = np.random.default_rng(0).normal(size=n)
    np.testing.assert_allclose(loss.jac(x), x)


# ---- what goes wrong


def test_a_build_that_fails_or_makes_parts_of_two_losses(three):
    with pytest.raises(RuntimeError, match=r"build\(\d+, \d+\) failed .*not on this machine"):
        Distributed(parts.failing, SPECS, three)
    with pytest.raises(RuntimeError, match="build.* failed .*must be over data"):
        Distributed(slice, SPECS, three)
    complains(lambda: Distributed(parts.unequal, SPECS, three), "build", "53", "43")
    gc.collect()  # the frames of the errors
    assert settles(three, 0)


@pytest.mark.parametrize("specs", [[], None, "ab", [1, 2], 5])
def test_bad_specs_are_named(three, specs):
    complains(lambda: Distributed(parts.rows, specs, three), "specs")


def test_other_bad_arguments_are_named(three):
    complains(lambda: Distributed("rows", SPECS, three), "build", "rows")
    complains(lambda: Distributed(parts.rows, SPECS, "tcp://there"), "client", "tcp://there")
    loss = Distributed(parts.rows, SPECS, three)
    complains(lambda: loss.fun(np.ones(3)), "x", "(3,)")
    complains(lambda: loss.hessp(X0, np.ones(3)), "p", "(3,)")
    complains(lambda: loss.subset([ROWS]), "rows")


def test_who_lacks_the_library_is_named(tmp_path):
    with processes(tmp_path, workers=1, bare=True) as (client, _):
        with pytest.raises(RuntimeError, match="the scheduler lacks soo_lib, tcp.* lacks soo_lib"):
            Distributed(parts.rows, SPECS, client)


def test_no_part_is_built_twice(mortal, tmp_path):
    client, workers = mortal
    log = tmp_path / "builds"
    loss = Distributed(parts.rows, [(*spec, str(log)) for spec in SPECS], client)
    for _ in range(20):
        loss.fun_and_jac(X0)
    builders = log.read_text().split()
    assert len(builders) == len(SPECS)
    assert set(builders) == {str(worker.pid) for worker in workers}


def test_a_worker_killed_in_an_evaluation(mortal, specs, tmp_path):
    """The one that had the first sums. Others compute what is lacking, and nothing of that."""
    client, _ = mortal
    workers = len(client.nthreads())
    loss = Distributed(parts.slow, [(*spec, str(tmp_path)) for spec in specs], client)
    loss.fun_and_jac(X0)
    victim = tmp_path / str(client.run(os.getpid)[loss.homes[0]])
    done = {file: file.stat().st_size for file in tmp_path.iterdir()}
    answer, before = [], WHOLE.fun(X0)
    thread = threading.Thread(target=lambda: answer.append(loss.fun_and_jac(X0)), daemon=True)
    thread.start()
    while victim.stat().st_size == done[victim]:
        time.sleep(0.01)
    os.kill(int(victim.name), signal.SIGKILL)
    thread.join(50)
    ((f, g),) = answer
    more = [file.stat().st_size - done[file] for file in done if file != victim]
    assert sum(more) <= len(specs)
    assert len(client.nthreads()) == workers - 1
    again = loss.fun_and_jac(X0)  # by fewer workers from the start
    assert again[0] == f == pytest.approx(before, rel=1e-12) and again[1].tobytes() == g.tobytes()


def test_all_workers_killed(mortal):
    client, workers = mortal
    loss = Distributed(parts.rows, SPECS, client)
    for worker in workers:
        worker.kill()
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="no worker"):
        loss.fun(X0)
    with pytest.raises(RuntimeError, match="worker"):
        Distributed(parts.rows, SPECS, client)
    assert time.monotonic() - start < 40  # each within ten seconds, on a machine of one's own

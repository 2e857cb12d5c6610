"""The recorded runs: complete, repeatable, and kept whatever happens to the run in progress."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import cache

import numpy as np
import pytest
import scipy.linalg
from helpers import complains

from experiments import __main__ as command
from experiments.recorder import RESULTS, as_json, key, module_of, names, record, runs_in
from soo_lib.book.records import load_record
from soo_lib.curvature import damped, ggn_product, kronecker_factors
from soo_lib.datasets import load_digits, load_fashion_mnist
from soo_lib.losses import Network

NAMES = names()
PAPER = [f"fig{i}" for i in range(1, 8)] + [f"table{i}" for i in range(1, 5)]


def untimed(path):
    """A record without its measurements of time."""
    return [
        (
            run["settings"],
            {name: part for name, part in run["result"].items() if not name.startswith("seconds")},
        )
        for run in runs_in(path)
    ]


@cache
def result_of(run, settings):
    """A run as JSON keeps it: once for the experiments, and the quick versions, that share it."""
    return as_json(run(**json.loads(settings)))


def test_every_figure_and_table_of_the_paper_is_an_experiment():
    assert set(PAPER) <= set(NAMES)


def test_each_experiment_has_its_record_and_each_record_its_experiment():
    assert {path.stem for path in RESULTS.glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_record_is_complete(name):
    content = json.loads((RESULTS / f"{name}.json").read_text())
    assert [run["settings"] for run in content["runs"]] == as_json(module_of(name).grid())
    assert content["command"] == f"python -m experiments {name}"
    assert set(content["versions"]) == {"python", "numpy", "scipy", "scikit-learn", "soo-lib"}
    assert content["machine"]["processor"] and content["machine"]["cores"] > 0
    assert content["seconds"] >= max(run["seconds"] for run in content["runs"]) > 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", [0, -1], ids=["first", "last"])  # the first ones share their data
def test_a_slice_of_each_experiment_repeats_its_record(name, place):
    """The first run and the last, cut short: each trajectory begins as the recorded one."""
    module, recorded = module_of(name), runs_in(RESULTS / f"{name}.json")[place]
    cut, settings = getattr(module, "SLICE", {}), recorded["settings"]
    if "rows" in settings and load_fashion_mnist(n_train=1).source == "sample":
        pytest.skip("this machine has the sample of Fashion-MNIST alone")
    found = result_of(module.run, key({**settings, **cut}))
    compared = [what for what, value in found.items() if isinstance(value, list) and value]
    exactly = {what: 1e-4 for what in compared if not what.startswith("seconds")}
    compared = (place == -1 and getattr(module, "REPEATS", None)) or exactly
    assert compared and compared.keys() <= exactly.keys()
    fun = recorded["result"].get("fun", [])
    for what, rtol in compared.items():
        known, new = recorded["result"][what], found[what]
        rows = before_rounding(fun) if len(known) == len(fun) else len(known)
        rows = min(rows, len(new)) if cut else rows
        np.testing.assert_allclose(
            np.array(new[:rows], float),
            np.array(known[:rows], float),
            rtol=rtol,
            atol=1e-6,
            err_msg=what,
        )


@pytest.mark.parametrize("name", NAMES)
def test_the_quick_version_runs(name):
    module = module_of(name)
    known = runs_in(RESULTS / f"{name}.json")[0]["result"]
    quick = as_json(module.grid(quick=True))
    for settings in quick[0], quick[-1]:
        if "rows" in settings and load_fashion_mnist(n_train=1).source == "sample":
            pytest.skip("this machine has the sample of Fashion-MNIST alone")
        cut = getattr(module, "SLICE", {})
        assert result_of(module.run, key({**settings, **cut})).keys() == known.keys()


def before_rounding(fun):
    """How many rows of a run do not hang on the last digits of the processor that made it."""
    return int(np.argmax(np.abs(np.array(fun) - fun[-1]) <= 1e-8)) + 1


def test_a_finished_run_is_not_repeated(tmp_path, monkeypatch):
    ran = []
    run = module_of("fig1").run
    monkeypatch.setattr(
        module_of("fig1"), "run", lambda **settings: ran.append(settings) or run(**settings)
    )
    folders = {"results": tmp_path, "unfinished": tmp_path / "unfinished", "jobs": 1}
    path = record("fig1", quick=True, **folders)
    assert len(ran) == 4 and not any((tmp_path / "unfinished").iterdir())
    before = path.read_text()
    record("fig1", quick=True, **folders)
    assert len(ran) == 4 and path.read_text() == before
    record("fig1", quick=True, again=True, **folders)
    assert len(ran) == 8
    record("fig1", **folders)  # other settings: nothing of the quick version serves
    assert len(ran) == 12 and len(runs_in(path)) == 4


def test_what_was_finished_before_a_failure_is_kept(tmp_path, monkeypatch):
    run, ran = module_of("fig1").run, []

    def fails_at_the_third(**settings):
        ran.append(settings)
        if len(ran) == 3:
            raise KeyboardInterrupt
        return run(**settings)

    monkeypatch.setattr(module_of("fig1"), "run", fails_at_the_third)
    folders = {"results": tmp_path, "unfinished": tmp_path / "unfinished", "jobs": 1}
    with pytest.raises(KeyboardInterrupt):
        record("fig1", quick=True, **folders)
    assert not (tmp_path / "fig1.json").exists()
    assert len(runs_in(tmp_path / "unfinished" / "fig1-quick.json")) == 2
    path = record("fig1", quick=True, **folders)
    assert len(ran) == 5  # the third again, and the fourth
    monkeypatch.undo()
    whole = record("fig1", quick=True, results=tmp_path / "whole", unfinished=tmp_path, jobs=1)
    assert untimed(path) == untimed(whole)


def test_a_figure_and_a_table_share_their_runs(tmp_path, monkeypatch):
    folders = {"results": tmp_path, "unfinished": tmp_path / "unfinished", "jobs": 1}
    path = record("fig1", quick=True, **folders)

    def never(**settings):
        raise AssertionError("this run was done for fig1")

    for name in ("fig1", "fig2"):
        monkeypatch.setattr(module_of(name), "run", never)
    assert untimed(record("fig2", quick=True, **folders)) == untimed(path)


def test_a_dask_cluster_that_loses_a_worker_gives_the_same_record(tmp_path):
    distributed = pytest.importorskip("distributed")
    here = record("fig4", quick=True, jobs=1, results=tmp_path, unfinished=tmp_path / "a")

    address_file, logs = tmp_path / "scheduler.json", open(tmp_path / "dask.log", "w")
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}

    def start(role, *options):
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"distributed.cli.dask_{role}",
                "--scheduler-file",
                str(address_file),
                "--no-dashboard",
                *options,
            ],
            cwd=tmp_path,
            env=environment,
            stdout=logs,
            stderr=logs,
        )

    processes = [start("scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        processes += [start("worker", "--nthreads", "1", "--no-nanny") for _ in range(2)]
        client = distributed.Client(scheduler_file=str(address_file), timeout=60)
        client.wait_for_workers(2, timeout=60)
        partial, killed_at = tmp_path / "b" / "fig4-quick.json", []

        def kill_one_in_the_middle():
            while not partial.exists():
                time.sleep(0.002)
            processes[1].send_signal(signal.SIGKILL)
            killed_at.append(len(runs_in(partial)))

        killer = threading.Thread(target=kill_one_in_the_middle, daemon=True)
        killer.start()
        with command.cluster(client.scheduler.address) as backend:
            there = record(
                "fig4",
                quick=True,
                backend=backend,
                results=tmp_path / "there",
                unfinished=tmp_path / "b",
            )
        killer.join(timeout=60)
        assert 0 < killed_at[0] < len(runs_in(there))
        assert processes[1].wait(timeout=60) == -signal.SIGKILL
        assert untimed(there) == untimed(here)
        client.close()
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()
        logs.close()


def test_the_command_lists_and_complains(capsys):
    command.main([])
    listed = capsys.readouterr().out
    assert all(name in listed for name in NAMES)
    for wrong in (["table9"], ["fig1", "--backend", "dask"], ["fig1", "--scheduler", "tcp://x:1"]):
        with pytest.raises(SystemExit) as caught:
            command.main(wrong)
        assert caught.value.code == 2
        assert {"table9": "table9"}.get(wrong[0], "--scheduler") in capsys.readouterr().err


def test_plain_json():
    value = {"a": np.float64(1 / 3), "b": np.arange(2), "c": (np.nan, np.int64(3)), "d": None}
    assert as_json(value) == {"a": 0.333333333, "b": [0, 1], "c": [None, 3], "d": None}
    json.dumps(as_json(value), allow_nan=False)


def test_a_record_as_a_chapter_reads_it():
    runs = load_record("fig1", RESULTS)
    assert [run.curve for run in runs] == [s["curve"] for s in module_of("fig1").grid()]
    assert runs[0].x.shape == (101, 2) and runs[0].fun.shape == (101,)
    complains(lambda: load_record("fig99", RESULTS), "name", "fig99", "python -m experiments")


def test_the_steps_that_are_tried_close_in_on_the_best():
    """From either end of the ladder, on a valley about .1 and one about a step of .003."""
    field = module_of("minibatch_field")
    for lowest in (0.1, 0.003):
        for start in ((1e-4, 3e-4), (0.03, 0.1), (10, 30)):
            ladder, best = {}, None
            while best is None:
                steps, best = field.tried(ladder, start)
                assert best is not None or set(steps) > set(ladder)  # it goes on until it has it
                ladder = {step: abs(np.log(step / lowest)) for step in steps}
            assert best == lowest
            i = field.LADDER.index(best)
            assert set(field.LADDER[i - 1 : i + 2]) <= set(steps)


def test_the_grid_of_every_rule_follows_what_is_known():
    field = module_of("minibatch_field")
    first = field.points({}, "soap", 128, {})
    assert [(run["step"], run["seed"]) for run in first] == [(0.003, 0), (0.01, 0), (0.03, 0)]
    constant, falling = ("soap", 128, "{}"), ("soap", 128, '{"cosine": true}')
    known = {constant: {0.003: 0.5, 0.01: 0.3, 0.03: np.inf}}
    then = field.points(known, "soap", 128, {})[3:]
    assert [run["step"] for run in then] == 4 * [0.01] + [0.01, 0.03, 0.1]
    assert [run["seed"] for run in then] == [1, 2, 3, 4, 0, 0, 0]
    assert all(run["other"] == {"cosine": True} for run in then[4:])
    known[falling] = {0.01: 0.2, 0.03: 0.3, 0.1: 0.4}  # the best is at an end
    steps = {run["step"] for run in field.points(known, "soap", 128, {}) if run["other"]}
    assert steps == {0.003, 0.01, 0.03, 0.1}


def test_noise_scales_of_single_rows_are_those_of_the_covariance():
    rng = np.random.default_rng(0)
    net = Network([5, 4, 3])
    loss, x = net.loss(rng.normal(size=(8, 5)), rng.integers(3, size=8), l2=0.1), net.init(1)
    found = module_of("noise_scale").measured(loss, x, [loss.subset([i]) for i in range(8)])
    g, n = loss.jac(x), len(x)
    D = np.array([loss.subset([i]).jac(x) - g for i in range(8)])
    cov, H = D.T @ D / 8, np.array([ggn_product(loss, x, e) for e in np.eye(n)])
    pairs = [damped(A, G, 1e-2) for A, G in kronecker_factors(loss, x)]
    P = scipy.linalg.block_diag(*(np.linalg.inv(np.kron(A, G)) for A, G in pairs))
    expected = {"simple": np.trace(cov) / (g @ g)}
    for name, gain, M in (("curved", "gain", np.eye(n)), ("paired", "gain_paired", P)):
        bend = g @ M @ H @ M @ g
        expected[name] = np.trace(M @ H @ M @ cov) / bend
        expected[gain] = (g @ M @ g) ** 2 / bend / 2
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, err_msg=name)


def test_steps_to_a_loss_are_counted_as_a_plain_loop_counts_them():
    """On all rows there is no chance: the rule "sgd" is gradient descent."""
    found = module_of("critical_batch").run("sgd", 1400, 3, 0, most=45)
    data, net = load_digits(), Network([64, 32, 10])
    loss, x, fun = net.loss(data.X_train, data.y_train, l2=1e-4), net.init(0), []
    for _ in range(45):
        fun.append(loss.fun(x))
        x = x - 3 * loss.jac(x)
    first = [int(np.argmax(np.array(fun) <= target)) or None for target in (0.5, 0.2, 0.1)]
    assert found["steps"] == first and first[0] and first[1] and first[2] is None
    np.testing.assert_allclose(found["fun"][:45], fun, rtol=1e-9)

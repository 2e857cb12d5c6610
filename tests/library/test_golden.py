"""The golden trajectories: what our code does now, in their schema, and PyTorch's own steps."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.record_golden import FOLDER, METHODS, RULES, STEPS, files  # noqa: E402

KNOWN = {name: json.loads((FOLDER / name).read_text()) for name in ("rules.json", "methods.json")}


@pytest.mark.parametrize("name", KNOWN)
def test_our_code_makes_them(name):
    for found, known in zip(files()[name]["runs"], KNOWN[name]["runs"], strict=True):
        told = {key for key in known if key not in ("x", "fun", "jac", "lengths")}
        assert {key: found[key] for key in told} == {key: known[key] for key in told}
        for key in known.keys() - told:
            np.testing.assert_allclose(found[key], known[key], rtol=1e-7, atol=1e-9, err_msg=told)


@pytest.mark.parametrize("name", KNOWN)
def test_they_follow_their_schema(name):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    jsonschema.validate(KNOWN[name], json.loads((FOLDER / "schema.json").read_text()))


def test_every_rule_and_method_is_there_and_moves():
    assert {run["rule"] for run in KNOWN["rules.json"]["runs"]} == set(RULES) - {"adahessian"}
    assert {run["method"] for run in KNOWN["methods.json"]["runs"]} == set(METHODS)
    for run in [*KNOWN["rules.json"]["runs"], *KNOWN["methods.json"]["runs"]]:
        assert 2 <= len(run["x"]) == len(run["fun"]) == len(run["jac"]) <= STEPS + 1
        assert np.abs(np.subtract(run["x"][-1], run["x"][0])).max() > 1e-3


PYTORCH = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adagrad": ("Adagrad", {}),
    "rmsprop": ("RMSprop", {}),
    "adam": ("Adam", {}),
}
NAMES = {"beta": "alpha", "beta1": "betas", "beta2": "betas"}


@pytest.mark.parametrize(
    "run",
    [run for run in KNOWN["rules.json"]["runs"] if run["rule"] in PYTORCH],
    ids=lambda run: f"{run['rule']} {run['settings']}",
)
def test_pytorch_takes_the_same_steps(run):
    """The recorded gradients, fed to its optimisers: what the page tells others to do."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    name, options = PYTORCH[run["rule"]]
    settings = {**run["settings"]}
    if "beta1" in settings:
        settings["betas"] = settings.pop("beta1"), settings.pop("beta2")
    options = {**options, **{NAMES.get(key, key): value for key, value in settings.items()}}
    x = torch.tensor(run["x"][0], dtype=torch.float64, requires_grad=True)
    method = getattr(torch.optim, name)([x], lr=run["step"], **options)
    for g, known in zip(run["jac"], run["x"][1:]):
        x.grad = torch.tensor(g, dtype=torch.float64)
        method.step()
        np.testing.assert_allclose(x.detach(), known, rtol=1e-8, atol=1e-10)

"""Write tests/data/rules.json: what the newer rules' reference implementations do, step by step.

    pip install torch schedulefree==1.4.1 pytorch_optimizer==4.1.0 curvlinops-for-pytorch==3.0.1
    git clone https://github.com/IssamLaradji/sls && PYTHONPATH=.:sls python tools/record_rules.py

Each rule is given one fixed list of gradients of a network's tensors, so that nothing but the rule
is compared. Two roundings are switched off for it: PyTorch's Muon rounds to bfloat16, and SOAP's
basis is rounded to float32.
"""

import json
from pathlib import Path

import numpy as np
import torch
from curvlinops import EKFACLinearOperator
from pytorch_optimizer import SOAP, AdaHessian, ScalableShampoo
from schedulefree import SGDScheduleFree
from sls import Sls

FILE = Path(__file__).resolve().parent.parent / "tests" / "data" / "rules.json"
# With these sizes GGᵀ of one gradient has one null vector at most, so it tells SOAP's first basis.
SIZES, STEPS = [4, 3, 4], 8
torch.set_default_dtype(torch.float64)
torch.Tensor.bfloat16 = torch.Tensor.clone  # it is worked on in place
torch.float32 = torch.float64  # pytorch_optimizer.SOAP casts to float32 before its QR


def tensors(x):
    """Return W of each layer as PyTorch keeps it, (n_out, n_in), and its biases."""
    found, start = [], 0
    for n, m in zip(SIZES, SIZES[1:]):
        W, b = np.split(x[start : start + (n + 1) * m], [n * m])
        found += [torch.tensor(W.reshape(n, m).T.copy()), torch.tensor(b)]
        start += (n + 1) * m
    return found


def flat(found):
    return np.concatenate([np.ravel(part.detach().numpy().T) for part in found])


def muon(params, step, momentum=0.95, nesterov=True, last="adam", weight_decay=0.0):
    W, b, V, c = params
    own, rest = ([W, V], []) if last == "muon" else ([W], [V])
    groups = [{"params": [b, c], "weight_decay": 0.0}]
    groups += [{"params": rest, "weight_decay": weight_decay}] if rest else []
    return [
        torch.optim.Muon(
            own,
            lr=step,
            momentum=momentum,
            nesterov=nesterov,
            weight_decay=weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(groups, lr=step, betas=(0.9, 0.95)),
    ]


def soap(params, step, beta1=0.95, beta2=0.95, decay=0.95, refresh=10, weight_decay=0.0):
    groups = [
        {"params": params[::2], "weight_decay": weight_decay},
        {"params": params[1::2], "weight_decay": 0.0},
    ]
    return [
        SOAP(
            groups,
            lr=step,
            betas=(beta1, beta2),
            shampoo_beta=decay,
            precondition_frequency=refresh,
        )
    ]


def shampoo(params, step, eps, weight_decay=0.0, **fixed):
    """Run Google's Shampoo where its formulas are ours: sums, no momentum, no graft.

    Adam takes the biases.
    """
    own = ScalableShampoo(
        params[::2],
        lr=step,
        betas=(0.0, 0.999),
        weight_decay=weight_decay,
        matrix_eps=eps,
        decoupled_weight_decay=True,
        start_preconditioning_step=1,
        graft_type=0,
        nesterov=False,
        preconditioning_compute_steps=1,
        shape_interpretation=False,
        use_svd=True,
    )
    own.param_groups[0]["betas"] = 0.0, 1.0  # sums: its check does not know them, its formulas do
    return [own, torch.optim.Adam(params[1::2], lr=step, betas=(0.0, 0.999))]


def adahessian(params, step, beta1=0.9, beta2=0.999, eps=1e-4, weight_decay=0.0):
    return [AdaHessian(params, lr=step, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay)]


def schedule_free(params, step, momentum=0.9, weight_decay=0.0):
    method = SGDScheduleFree(
        params, lr=step, momentum=momentum, weight_decay=weight_decay, warmup_steps=3
    )
    method.train()
    return [method]


RUNS = [
    (muon, {"last": "muon"}, 0.1),
    (muon, {"momentum": 0.8, "nesterov": False, "weight_decay": 0.3}, 0.05),
    (soap, {}, 0.1),
    (soap, {"beta1": 0.8, "beta2": 0.9, "decay": 0.7, "refresh": 3, "weight_decay": 0.3}, 0.05),
    (shampoo, {"beta1": 0.0, "decay": 1.0, "refresh": 1, "eps": 1e-6, "graft": False}, 0.1),
    (
        shampoo,
        {"beta1": 0.0, "decay": 1.0, "refresh": 1, "eps": 0.1, "graft": False, "weight_decay": 0.3},
        0.1,
    ),
    (adahessian, {}, 0.15),
    (adahessian, {"beta1": 0.7, "beta2": 0.9, "eps": 1e-2, "weight_decay": 0.3}, 0.1),
    (schedule_free, {}, 0.5),
    (schedule_free, {"momentum": 0.7, "weight_decay": 0.3}, 0.2),
]


def trajectory(rule, settings, step, x0, gradients, diagonals):
    params = [part.requires_grad_() for part in tensors(x0)]
    methods, path = rule(params, step, **settings), []
    for g, h in zip(gradients, diagonals):
        for part, gradient in zip(params, tensors(g)):
            part.grad = gradient.clone()
        for method in methods:
            if rule is adahessian:  # its authors' average over the inputs of a unit
                means = [
                    d.abs().mean(1, keepdim=True).expand_as(d) if d.ndim > 1 else d.abs()
                    for d in tensors(h)
                ]
                method.step(hessian=[mean.clone() for mean in means])
            else:
                method.step()
        path.append(digits(flat(params)))
        if rule is schedule_free:
            methods[0].eval()
            result = digits(flat(params))
            methods[0].train()
    return {"x": path, **({"result": result} if rule is schedule_free else {})}


def searched(X, y, batches, n_batches, step, c1, shrink, growth):
    """Run Armijo's search on batches of ½ mean (Xx - y)²."""
    x = torch.zeros(X.shape[1], requires_grad=True)
    method = Sls([x], n_batches, step, c1, shrink, growth)
    path, X, y = [], torch.tensor(X), torch.tensor(y)
    for rows in batches:
        method.zero_grad()
        method.step(lambda rows=rows: 0.5 * ((X[rows] @ x - y[rows]) ** 2).mean())
        path.append(digits(x.detach().numpy()))
    return path


def ekfac(x, X, y, sizes):
    """Return the two layers' blocks of curvlinops' EKFAC, with their biases, in our order."""
    n, h, k = sizes
    net = torch.nn.Sequential(torch.nn.Linear(n, h), torch.nn.Tanh(), torch.nn.Linear(h, k))
    ends, blocks = np.cumsum([(n + 1) * h, (h + 1) * k]), []
    for layer, part, (a, b) in zip((net[0], net[2]), np.split(x, ends[:1]), ((n, h), (h, k))):
        layer.weight.data = torch.tensor(part[: a * b].reshape(a, b).T.copy())
        layer.bias.data = torch.tensor(part[a * b :])
    params = list(net.parameters())
    data = [(torch.tensor(X), torch.tensor(y))]
    whole = EKFACLinearOperator(
        net,
        torch.nn.CrossEntropyLoss(),
        params,
        data,
        fisher_type="type-2",
        separate_weight_and_bias=False,
    )
    M = (whole @ torch.eye(len(x))).numpy()
    start = 0
    for a, b in ((n, h), (h, k)):
        order = np.r_[np.arange(a * b).reshape(b, a).T.ravel(), a * b + np.arange(b)] + start
        blocks.append([digits(row) for row in M[np.ix_(order, order)]])
        start += (a + 1) * b
    return blocks


def digits(values):
    return [float(f"{value:.13g}") for value in values]


def main():
    rng = np.random.default_rng(0)
    n = sum((a + 1) * b for a, b in zip(SIZES, SIZES[1:]))
    x0, *gradients = rng.normal(size=(1 + STEPS, n)).round(3)
    diagonals = rng.normal(size=(STEPS, n)).round(3)
    found = {
        "sizes": SIZES,
        "x0": x0.tolist(),
        "gradients": np.array(gradients).tolist(),
        "diagonals": diagonals.tolist(),
    }
    X = (rng.normal(size=(12, 3)) * [1, 3, 9]).round(3)
    y = rng.normal(size=12).round(3)
    batches = rng.permuted(np.tile(np.arange(12), (6, 1)), axis=1)[:, :4].tolist()
    how = {"n_batches": 3, "step": 0.5, "c1": 0.1, "shrink": 0.7, "growth": 3.0}
    found["sls"] = {
        "X": X.tolist(),
        "y": y.tolist(),
        "batches": batches,
        **how,
        "x": searched(X, y, batches, **how),
    }
    sizes, X, y = [2, 3, 2], rng.normal(size=(9, 2)).round(3), rng.integers(0, 2, 9)
    x = rng.normal(size=17).round(3)
    found["ekfac"] = {
        "sizes": sizes,
        "X": X.tolist(),
        "y": y.tolist(),
        "x": x.tolist(),
        "blocks": ekfac(x, X, y, sizes),
    }
    runs = [
        {
            "rule": rule.__name__,
            "settings": settings,
            "step": step,
            **trajectory(rule, settings, step, x0, gradients, diagonals),
        }
        for rule, settings, step in RUNS
    ]
    lines = ",\n".join(json.dumps(run, separators=(",", ":")) for run in runs)
    FILE.write_text(f'{json.dumps(found)[:-1]}, "runs": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()

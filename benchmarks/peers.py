"""Time what other libraries take for the same: JAX, torch.compile, curvlinops and BackPACK.

``pip install -e .[bench]`` brings them; one that is missing is named and left out. A contestant is
a function that returns the seconds of one evaluation. First calls, which compile, are not timed,
as ``measure`` warms up.
"""

import time
import warnings

import numpy as np

from soo_lib.losses.blocks import BLOCK, THREADS


def clock(function):
    def timed():
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return timed


def installed(make, *args):
    """Return the contestants of ``make``; where its library is missing say so and return none."""
    try:
        return make(*args)
    except ImportError as error:
        print(f"({error.name} is not installed: its rows are left out)")
        return {}


# ---- JAX


def jax_loss(X, y, net):
    """Return the mean loss of our vector x on some rows, and the data, as JAX has them."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", X.dtype == np.float64)

    def cost(x, X, y):
        A = X
        for (n_in, n_out), part in zip(net.shapes, net.layer_slices):
            flat = x[part]
            Z = A @ flat[: n_in * n_out].reshape(n_in, n_out) + flat[n_in * n_out :]
            A = jax.nn.sigmoid(Z)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(Z), y[:, None], axis=1)
        return -chosen.mean()

    return cost, jnp.asarray(X), jnp.asarray(y)


def jax_evaluations(X, y, net, x):
    import jax

    cost, data, labels = jax_loss(X, y, net)
    step, x = jax.jit(jax.value_and_grad(cost)), jax.numpy.asarray(x.astype(X.dtype))
    blocks = [(data[i : i + BLOCK], labels[i : i + BLOCK]) for i in range(0, len(X), BLOCK)]

    def in_blocks():
        found = [step(x, *block) for block in blocks]
        jax.block_until_ready((sum(f for f, _ in found), sum(g for _, g in found)))

    return {
        "jax.jit, blocks of 1,000": clock(in_blocks),
        "jax.jit, all rows at once": clock(lambda: jax.block_until_ready(step(x, data, labels))),
    }


def jax_products(loss, x):
    import jax

    cost, X, y = jax_loss(loss.X, loss.y, loss.net)
    gradient = jax.grad(cost)

    @jax.jit
    def product(x, p):
        return jax.jvp(lambda x: gradient(x, X, y), (x,), (p,))[1]

    x = jax.numpy.asarray(x)
    return {"jax.jit, forward over reverse": clock(lambda: product(x, x).block_until_ready())}


# ---- PyTorch and what stands on it


def torch_compiled(X, y, layers):
    import torch
    from torch.nn.functional import cross_entropy, linear

    torch.set_num_threads(THREADS)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    parameters = [
        torch.tensor(part).requires_grad_() for W, b in layers for part in (W.T.copy(), b)
    ]

    @torch.compile
    def cost(rows, labels):
        A = rows
        for W, b in zip(parameters[::2], parameters[1::2]):
            Z = linear(A, W, b)
            A = torch.sigmoid(Z)
        return cross_entropy(Z, labels, reduction="sum")

    def evaluate(batch):
        for part in parameters:
            part.grad = None
        for i in range(0, len(X), batch):
            (cost(X[i : i + batch], y[i : i + batch]) / len(X)).backward()

    try:
        evaluate(BLOCK)
    except Exception as error:  # a machine without a C++ compiler, among others
        print(f"(torch.compile does not run here: {type(error).__name__}; its row is left out)")
        return {}
    return {"torch.compile, batches of 1,000": clock(lambda: evaluate(BLOCK))}


def torch_model(loss, x):
    import torch

    torch.set_num_threads(THREADS)
    parts = []
    for (n_in, n_out), (W, b) in zip(loss.net.shapes, loss.net.unpack(x)):
        layer = torch.nn.Linear(n_in, n_out, dtype=torch.float64)
        layer.weight.data, layer.bias.data = torch.tensor(W.T.copy()), torch.tensor(b)
        parts += [layer, torch.nn.Sigmoid()]
    model, criterion = torch.nn.Sequential(*parts[:-1]), torch.nn.CrossEntropyLoss()
    return model, criterion, torch.from_numpy(loss.X), torch.from_numpy(loss.y)


def curvlinops_products(loss, x):
    import curvlinops
    import torch

    model, criterion, X, y = torch_model(loss, x)
    parameters, p = [part for part in model.parameters()], torch.from_numpy(x)
    how = model, criterion, parameters, [(X, y)]
    hessian = curvlinops.HessianLinearOperator(*how, check_deterministic=False)
    ggn = curvlinops.GGNLinearOperator(*how, check_deterministic=False)

    def factors():
        exact = curvlinops.FisherType.TYPE2
        kfac = curvlinops.KFACLinearOperator(*how, check_deterministic=False, fisher_type=exact)
        return kfac @ p

    return {
        "curvlinops, Hessian product": clock(lambda: hessian @ p),
        "curvlinops, GGN product": clock(lambda: ggn @ p),
        "curvlinops, K-FAC and a product": clock(factors),
    }


def backpack_factors(loss, x):
    from backpack import backpack, extend
    from backpack.extensions import KFLR

    model, criterion, X, y = torch_model(loss, x)
    model, criterion = extend(model), extend(criterion)

    def factors():
        model.zero_grad()
        with backpack(KFLR()), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it warns of inputs that need no gradient
            criterion(model(X), y).backward()

    return {"BackPACK, gradient and KFLR": clock(factors)}

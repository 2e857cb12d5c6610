"""Mini-batch rules, each of a few lines.

A rule is called with the loss on the present ``batch``, the point ``x``, (n_params,), that loss
``f`` and its gradient ``g``, (n_params,), there, the ``step`` length α, and a ``state`` to remember
things in: ``state.k`` counts the steps from 1, ``state.m`` and ``state.v`` start at 0,
``state.kept`` is an empty dictionary, ``state.batches`` the number of steps in an epoch, and
``state.rng`` draws. It returns the change of x, (n_params,). A rule that chooses its own step says
so in ``state.step``, and one whose result is not x leaves that in ``state.result``, (n_params,).
Whatever else it takes is a setting, of which :func:`soo_lib.stochastic.minimize_stochastic` checks
the range.
"""

import numpy as np

from ..solvers.directions import LBFGS


def sgd(batch, x, f, g, step, state):
    """Δx = -αg (Robbins and Monro 1951)."""
    return -step * g


def momentum(batch, x, f, g, step, state, momentum=0.9):
    """v <- μv + g, Δx = -αv, μ = ``momentum`` (Qian 1999)."""
    state.v = momentum * state.v + g
    return -step * state.v


def nesterov(batch, x, f, g, step, state, momentum=0.9):
    """v <- μv + g, Δx = -α(g + μv), μ = ``momentum`` (Sutskever and others 2013)."""
    state.v = momentum * state.v + g
    return -step * (g + momentum * state.v)


def adagrad(batch, x, f, g, step, state, eps=1e-10):
    """v <- v + g², Δx = -αg/(√v + ``eps``); √v is the diagonal of eq. 14.

    Duchi, Hazan and Singer (2011).
    """
    state.v = state.v + g * g
    return -step * g / (np.sqrt(state.v) + eps)


def rmsprop(batch, x, f, g, step, state, beta=0.99, eps=1e-8):
    """v <- βv + (1 - β)g², Δx = -αg/(√v + ``eps``), β = ``beta`` (Hinton 2012)."""
    state.v = beta * state.v + (1 - beta) * g * g
    return -step * g / (np.sqrt(state.v) + eps)


def adam(batch, x, f, g, step, state, beta1=0.9, beta2=0.999, eps=1e-8):
    """Averages m of g and v of g², freed of their start at 0; Δx = -αm/(√v + ``eps``).

    ``beta1`` and ``beta2`` are the shares that stay from step to step (Kingma and Ba 2015).
    """
    state.m = beta1 * state.m + (1 - beta1) * g
    state.v = beta2 * state.v + (1 - beta2) * g * g
    root = np.sqrt(1 - beta2**state.k)  # the scalars are gathered: passes over n numbers cost
    alpha = step * root / (1 - beta1**state.k)
    return -alpha * state.m / (np.sqrt(state.v) + root * eps)


def aprox(batch, x, f, g, step, state, low=0.0):
    """Δx = -min(α, (f - low)/‖g‖²)g, no further than where f's tangent meets a lower bound of f.

    The truncated model of Asi and Duchi (2019).
    """
    square = float(g @ g)
    return -min(step, max(f - low, 0.0) / square if square else 0.0) * g


def sls(batch, x, f, g, step, state, c1=0.1, shrink=0.9, growth=2.0):
    """Δx = -αg with Armijo's condition on the batch: a line search that sees no other rows.

    The first trial is the last α times ``growth`` to the power of a batch's share of the epoch, and
    ``step`` before there is one; it is multiplied by ``shrink`` until the batch's loss falls by
    ``c1`` α‖g‖², at most 100 times (Vaswani and others 2019); if it never does, or g is 0 but for
    rounding, α is a millionth. Each trial is a visit to the rows.
    """
    square = float(g @ g)
    if state.k == 1:
        state.share = 1.0  # of the step, which a schedule may change
    state.share *= growth ** (1 / state.batches)
    for _ in range(100 if square >= 1e-16 else 0):
        state.step = state.share * step
        if batch.fun(x - state.step * g) <= f - c1 * state.step * square:
            return -state.step * g
        state.share *= shrink
    state.step = 1e-6
    return -state.step * g


def schedule_free(batch, x, f, g, step, state, momentum=0.9, weight_decay=0.0):
    """z <- z - αg from a gradient between z and z's mean, which is the result.

    The gradient is taken at x = (1 - β)z + β·mean, β = ``momentum``; the mean weighs each z by the
    square of the longest step so far, so that a warm-up counts little. ``weight_decay`` adds its
    share of x to g. SGD of Defazio and others (2024), which wants no falling steps.
    """
    if state.k == 1:
        state.z, state.result, state.longest, state.total = x, x, 0.0, 0.0
    g = g + weight_decay * x if weight_decay else g
    state.z = state.z - step * g
    state.longest = max(state.longest, step)
    weight = state.longest * state.longest
    state.total += weight
    state.result = state.result + weight / state.total * (state.z - state.result)
    return (1 - momentum) * state.z + momentum * state.result - x


def lbfgs(batch, x, f, g, step, state, memory=10):
    """The direction "lbfgs", whose ``memory`` pairs hold two gradients of one batch each.

    With variance reduction, near to the method of Zhao, Haskell and Tan (2018).
    """
    if state.k == 1:
        state.direction = LBFGS(memory)
    s = step * state.direction(batch, x, g)
    state.direction.update(s, g, batch.jac(x + s))
    return s


def cg(batch, x, f, g, step, state):
    """p <- -g + βp, Δx = α·(the minimiser along p): α = 1 goes all the way.

    Conjugacy and minimiser are those of the batch's own quadratic model, for inner products by
    sampling (Jiang and Wilford 2013); two Hessian-vector products a step.
    """
    p = -g
    if state.k > 1:
        Hv = batch.hessp(x, state.v)
        p = p + (g @ Hv) / ((state.v @ Hv) or np.inf) * state.v
    state.v = p
    return -step * (g @ p) / (abs(p @ batch.hessp(x, p)) or np.inf) * p

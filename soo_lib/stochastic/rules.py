"""Mini-batch rules, each of a few lines.

A rule is made once a run, with its settings, which it checks, and remembers what it needs from step
to step. It is then called as ``rule(batch, x, f, g, step)`` with the loss on the present ``batch``,
the point ``x``, (n_params,), that loss ``f`` and its gradient ``g``, (n_params,), there, and the
``step`` length α that the schedule asks for. It returns the change of x, (n_params,), and the step
length that it took.

The batch is a :class:`soo_lib.stochastic.minimize.Batch`: a loss, with its ``share`` of the epoch's
steps and ``rng`` to draw from. A rule whose result is another point than x, as "schedule_free" has,
keeps that in its attribute ``result``, (n_params,).
"""

from collections.abc import Callable

import numpy as np

from ..checks import as_number, as_share
from ..solvers.directions import LBFGS

Rule = Callable[..., tuple[np.ndarray, float]]


def sgd() -> Rule:
    """Δx = -αg (Robbins and Monro 1951)."""
    return lambda batch, x, f, g, step: (-step * g, step)


def momentum(momentum: float = 0.9) -> Rule:
    """v <- μv + g, Δx = -αv, μ = ``momentum`` (Qian 1999)."""
    momentum = as_share(momentum, "momentum")
    v = 0.0

    def rule(batch, x, f, g, step):
        nonlocal v
        v = momentum * v + g
        return -step * v, step

    return rule


def nesterov(momentum: float = 0.9) -> Rule:
    """v <- μv + g, Δx = -α(g + μv), μ = ``momentum`` (Sutskever and others 2013)."""
    momentum = as_share(momentum, "momentum")
    v = 0.0

    def rule(batch, x, f, g, step):
        nonlocal v
        v = momentum * v + g
        return -step * (g + momentum * v), step

    return rule


def adagrad(eps: float = 1e-10) -> Rule:
    """v <- v + g², Δx = -αg/(√v + ``eps``); √v is the diagonal of eq. 14.

    Duchi, Hazan and Singer (2011).
    """
    eps = as_number(eps, "eps", 0, above=True)
    v = 0.0

    def rule(batch, x, f, g, step):
        nonlocal v
        v = v + g * g
        return -step * g / (np.sqrt(v) + eps), step

    return rule


def rmsprop(beta: float = 0.99, eps: float = 1e-8) -> Rule:
    """v <- βv + (1 - β)g², Δx = -αg/(√v + ``eps``), β = ``beta`` (Hinton 2012)."""
    beta, eps = as_share(beta, "beta"), as_number(eps, "eps", 0, above=True)
    v = 0.0

    def rule(batch, x, f, g, step):
        nonlocal v
        v = beta * v + (1 - beta) * g * g
        return -step * g / (np.sqrt(v) + eps), step

    return rule


def adam(beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Rule:
    """Averages m of g and v of g², freed of their start at 0; Δx = -αm/(√v + ``eps``).

    ``beta1`` and ``beta2`` are the shares that stay from step to step (Kingma and Ba 2015).
    """
    beta1, beta2 = as_share(beta1, "beta1"), as_share(beta2, "beta2")
    eps = as_number(eps, "eps", 0, above=True)
    m, v, k = 0.0, 0.0, 0

    def rule(batch, x, f, g, step):
        nonlocal m, v, k
        k += 1
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        root = np.sqrt(1 - beta2**k)  # the scalars are gathered: passes over n numbers cost
        alpha = step * root / (1 - beta1**k)
        return -alpha * m / (np.sqrt(v) + root * eps), step

    return rule


def aprox(low: float = 0.0) -> Rule:
    """Δx = -min(α, (f - low)/‖g‖²)g, no further than where f's tangent meets a lower bound of f.

    The truncated model of Asi and Duchi (2019).
    """
    low = as_number(low, "low")

    def rule(batch, x, f, g, step):
        square = float(g @ g)
        return -min(step, max(f - low, 0.0) / square if square else 0.0) * g, step

    return rule


def sls(c1: float = 0.1, shrink: float = 0.9, growth: float = 2.0) -> Rule:
    """Δx = -αg with Armijo's condition on the batch: a line search that sees no other rows.

    The first trial is the last α times ``growth`` to the power of a batch's share of the epoch, and
    ``step`` before there is one; it is multiplied by ``shrink`` until the batch's loss falls by
    ``c1`` α‖g‖², at most 100 times (Vaswani and others 2019); if it never does, or g is 0 but for
    rounding, α is a millionth. Each trial is a visit to the rows.
    """
    c1 = as_number(as_share(c1, "c1"), "c1", 0, above=True)
    shrink = as_number(as_share(shrink, "shrink"), "shrink", 0, above=True)
    growth = as_number(growth, "growth", 1)
    scale = 1.0  # α over the step, which a schedule may change

    def rule(batch, x, f, g, step):
        nonlocal scale
        square = float(g @ g)
        scale *= growth**batch.share
        for _ in range(100 if square >= 1e-16 else 0):
            alpha = scale * step
            if batch.fun(x - alpha * g) <= f - c1 * alpha * square:
                return -alpha * g, alpha
            scale *= shrink
        return -1e-6 * g, 1e-6

    return rule


def schedule_free(momentum: float = 0.9, weight_decay: float = 0.0) -> Rule:
    """z <- z - αg from a gradient between z and z's mean, which is the result.

    The gradient is taken at x = (1 - β)z + β·mean, β = ``momentum``; the mean weighs each z by the
    square of the longest step so far, so that a warm-up counts little. ``weight_decay`` adds its
    share of x to g. SGD of Defazio and others (2024), which wants no falling steps.
    """
    momentum = as_share(momentum, "momentum")
    weight_decay = as_number(weight_decay, "weight_decay", 0)
    z, longest, total = None, 0.0, 0.0

    def rule(batch, x, f, g, step):
        nonlocal z, longest, total
        if z is None:
            z = rule.result = x
        z = z - step * (g + weight_decay * x)
        longest = max(longest, step)
        total += longest * longest
        rule.result = rule.result + longest * longest / total * (z - rule.result)
        return (1 - momentum) * z + momentum * rule.result - x, step

    return rule


def lbfgs(memory: int = 10) -> Rule:
    """The direction "lbfgs", whose ``memory`` pairs hold two gradients of one batch each.

    With variance reduction, near to the method of Zhao, Haskell and Tan (2018).
    """
    direction = LBFGS(memory)

    def rule(batch, x, f, g, step):
        s = step * direction(batch, x, g)
        direction.update(s, g, batch.jac(x + s))
        return s, step

    return rule


def cg() -> Rule:
    """p <- -g + βp, Δx = α·(the minimiser along p): α = 1 goes all the way.

    Conjugacy and minimiser are those of the batch's own quadratic model, for inner products by
    sampling (Jiang and Wilford 2013); two Hessian-vector products a step.
    """
    last = None

    def rule(batch, x, f, g, step):
        nonlocal last
        p = -g
        if last is not None:
            Hv = batch.hessp(x, last)
            p = p + (g @ Hv) / ((last @ Hv) or np.inf) * last
        last = p
        return -step * (g @ p) / (abs(p @ batch.hessp(x, p)) or np.inf) * p, step

    return rule

"""Mini-batch rules, each of a few lines.

A rule is called with the loss on the present ``batch``, the point ``x``, (n_params,), that loss
``f`` and its gradient ``g``, (n_params,), there, the ``step`` length α, and a ``state`` to remember
things in (``state.k`` counts the steps from 1, and ``state.m`` and ``state.v`` start at 0). It
returns the change of x, (n_params,). Whatever else it takes is a setting, of which
:func:`soo_lib.stochastic.minimize_stochastic` checks the range.
"""

import numpy as np

from .curvature import kronecker_factors
from .directions import LBFGS
from .precondition import damped


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


def kronecker(batch, x, f, g, step, state, damping=1e-2, momentum=0.9, refresh=10, decay=0.0):
    """v <- μv + (A ⊗ G)⁻¹g in each layer, Δx = -αv, μ = ``momentum`` (appendix B).

    The factors are those of every ``refresh``-th batch, or with ``decay`` > 0 an average with the
    older ones, plus ``damping`` (Martens and Grosse 2015). They are inverted in float64, and
    multiplied in the network's own precision.
    """
    if (state.k - 1) % refresh == 0:
        new = kronecker_factors(batch.loss, x)
        batch.visits += 1
        state.pairs = [
            tuple(decay * old + (1 - decay) * factor for old, factor in zip(*pairs))
            for pairs in zip(getattr(state, "pairs", new), new)
        ]
        state.inverses = [
            [np.linalg.inv(factor).astype(batch.loss.dtype) for factor in damped(A, G, damping)]
            for A, G in state.pairs
        ]
    p = np.empty_like(g)
    for (A, G), part in zip(state.inverses, batch.loss.net.layer_slices):
        p[part] = (A @ g[part].reshape(len(A), len(G)).astype(A.dtype) @ G).ravel()
    state.v = momentum * state.v + p
    return -step * state.v


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


_all = sgd, momentum, nesterov, adagrad, rmsprop, adam, aprox, kronecker, lbfgs, cg
RULES = {rule.__name__: rule for rule in _all}

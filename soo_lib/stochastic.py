"""Mini-batch methods: rules of a few lines, and one loop over the epochs.

A rule is called with the loss on the present batch, the point, that loss and its gradient there,
the step length, and a ``state`` to remember things in (``state.k`` counts the steps from 1, and
``state.m`` and ``state.v`` start at 0). It returns the change of x. Whatever else it takes is a
setting.
"""

import inspect
from functools import partial
from types import SimpleNamespace

import numpy as np
from tqdm import tqdm

from .checks import as_count, as_number, as_vector
from .curvature import kronecker_factors
from .directions import LBFGS
from .losses import as_loss, over_data
from .precondition import damped
from .sampling import Batch, partition
from .solvers import as_result, calm
from .trace import Recorder


def sgd(batch, x, f, g, step, state):
    """Δx = -αg (Robbins and Monro)."""
    return -step * g


def momentum(batch, x, f, g, step, state, momentum=0.9):
    """v <- μv + g, Δx = -αv (Qian)."""
    state.v = momentum * state.v + g
    return -step * state.v


def nesterov(batch, x, f, g, step, state, momentum=0.9):
    """v <- μv + g, Δx = -α(g + μv)."""
    state.v = momentum * state.v + g
    return -step * (g + momentum * state.v)


def adagrad(batch, x, f, g, step, state, eps=1e-10):
    """v <- v + g², Δx = -αg/(√v + ε) (Duchi, Hazan and Singer; √v is the diagonal of eq. 14)."""
    state.v = state.v + g * g
    return -step * g / (np.sqrt(state.v) + eps)


def rmsprop(batch, x, f, g, step, state, beta=0.99, eps=1e-8):
    """v <- βv + (1 - β)g², Δx = -αg/(√v + ε) (Hinton)."""
    state.v = beta * state.v + (1 - beta) * g * g
    return -step * g / (np.sqrt(state.v) + eps)


def adam(batch, x, f, g, step, state, beta1=0.9, beta2=0.999, eps=1e-8):
    """Averages m of g and v of g², freed of their start at 0; Δx = -αm/(√v + ε) (Kingma and Ba)."""
    state.m = beta1 * state.m + (1 - beta1) * g
    state.v = beta2 * state.v + (1 - beta2) * g * g
    root = np.sqrt(1 - beta2**state.k)  # the scalars are gathered: passes over n numbers cost
    alpha = step * root / (1 - beta1**state.k)
    return -alpha * state.m / (np.sqrt(state.v) + root * eps)


def aprox(batch, x, f, g, step, state, low=0.0):
    """Δx = -min(α, (f - low)/‖g‖²)g, no further than where f's tangent meets a lower bound of f.

    The truncated model of Asi and Duchi.
    """
    square = float(g @ g)
    return -min(step, max(f - low, 0.0) / square if square else 0.0) * g


def kronecker(batch, x, f, g, step, state, damping=1e-2, momentum=0.9, refresh=10, decay=0.0):
    """v <- μv + (A ⊗ G)⁻¹g in each layer, Δx = -αv (appendix B; Martens and Grosse).

    The factors are those of every ``refresh``-th batch; with ``decay`` > 0, averaged with the
    older ones. They are inverted in float64, and multiplied in the network's own precision.
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
    """The direction "lbfgs", whose pairs hold two gradients of one batch.

    With variance reduction, near to the method of Zhao, Haskell and Tan.
    """
    if state.k == 1:
        state.direction = LBFGS(memory)
    s = step * state.direction(batch, x, g)
    state.direction.update(s, g, batch.jac(x + s))
    return s


def cg(batch, x, f, g, step, state):
    """p <- -g + βp, Δx = α·(the minimiser along p): α = 1 goes all the way.

    Conjugacy and minimiser are those of the batch's own quadratic model, for inner products by
    sampling (Jiang and Wilford); two Hessian-vector products a step.
    """
    p = -g
    if state.k > 1:
        Hv = batch.hessp(x, state.v)
        p = p + (g @ Hv) / (state.v @ Hv) * state.v
    state.v = p
    return -step * (g @ p) / abs(p @ batch.hessp(x, p)) * p


_all = sgd, momentum, nesterov, adagrad, rmsprop, adam, aprox, kronecker, lbfgs, cg
RULES = {rule.__name__: rule for rule in _all}


def minimize_stochastic(
    loss, x0, rule="sgd", batch_size=128, epochs=10, step=0.1, seed=0, variance_reduction=False,
    callback=None, progress=False, **settings,
):  # fmt: skip
    """Minimise a loss over data, looking at a batch of its rows at a time.

    Parameters
    ----------
    loss : loss over data
        With ``n_samples`` and ``subset(rows)``.
    x0, callback
        As for :func:`soo_lib.solvers.minimize`; the callback is called after each epoch.
    rule : str or callable
        "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "aprox", "kronecker", "lbfgs",
        "cg": the functions above. Or one of your own, ``rule(batch, x, f, g, step, state)``.
    batch_size, seed : int
        Of :func:`soo_lib.sampling.partition`, which deals the rows anew for each epoch.
    epochs : int
        Passes over the rows.
    step : float
        The step length α, also called the learning rate.
    variance_reduction : bool
        Correct the batches of an epoch by the full gradient at its start; see :class:`Batch`.
    progress : bool
        Show a progress bar.
    **settings
        Of the rule.

    Returns
    -------
    scipy.optimize.OptimizeResult
        As from :func:`soo_lib.solvers.minimize`, but a row of the trace is an epoch. Its ``fun``
        and ``gnorm`` are those of all rows, whose evaluation is not the run's own and not in its
        ``seconds``. ``nfev``, ``njev`` and ``evaluations`` count *rows*: each once for a gradient,
        a Hessian-vector product or a batch's Kronecker factors. A run succeeds if it ends below
        its start; without success ``x`` is the best of the epochs' ends.

    Raises
    ------
    ValueError
        For an argument out of its range, a rule or setting that is not known, or a rule that does
        not fit the loss.
    """
    loss = as_loss(over_data(loss), x0)
    x, m = as_vector(x0, loss.n_params, "x0", finite=True).copy(), loss.n_samples
    change, state = _rule(rule, loss, settings), SimpleNamespace(k=0, m=0.0, v=0.0)
    size = as_count(batch_size, "batch_size", maximum=m)
    epochs, step = as_count(epochs, "epochs", 0), as_number(step, "step", 0, above=True)
    rng = np.random.default_rng(as_count(seed, "seed", 0))
    recorder, anchor = Recorder(loss, callback=callback), None

    def look(*step):
        with recorder.idle():
            f, g = loss.fun_and_jac(x)
        recorder.row(x, f, g, *step)

    with calm(), tqdm(total=epochs, unit="epoch", disable=not progress) as bar:
        look()
        while not recorder.outcome and recorder.nit < epochs:
            if variance_reduction:
                anchor = x, loss.jac(x)
                recorder.njev += m
            for rows in partition(m, size, rng):
                batch, state.k = Batch(loss, rows, anchor), state.k + 1
                f, g = batch.fun_and_jac(x)
                finite = np.isfinite(f)
                x = x + change(batch, x, f, g, step, state) if finite else x
                recorder.njev += batch.visits * len(rows)
                if not finite:
                    break  # nor is the mean over all rows, and the recorder will say so
            recorder.nfev = recorder.njev
            look(step)
            bar.update()
        if not recorder.outcome and recorder.last[1] <= recorder.trace.fun[0]:
            recorder.outcome = True, f"ran {epochs} epochs"
        return as_result(recorder, "ended above its start; the step is too long")


def _rule(rule, loss, settings):
    """The rule as a function of what it is called with."""
    if callable(rule) and not settings:
        return rule
    if rule not in list(RULES):  # a list: what is asked for may not be hashable
        raise ValueError(f"rule must be one of {', '.join(RULES)}, or a callable; got {rule!r}")
    known = list(inspect.signature(RULES[rule]).parameters)[6:]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ValueError(f"settings of {rule} must be among {known}; got {', '.join(unknown)}")
    if rule == "kronecker" and not hasattr(loss, "net"):
        raise ValueError(f"loss must be a network's for the rule 'kronecker'; got {loss!r}")
    return partial(RULES[rule], **{name: _setting(name, settings[name]) for name in settings})


def _setting(name, value):
    if name in ("memory", "refresh"):
        return as_count(value, name)
    number = as_number(value, name, -np.inf if name == "low" else 0, name in ("eps", "damping"))
    if number >= 1 and name in ("momentum", "beta", "beta1", "beta2", "decay"):
        raise ValueError(f"{name} must be a number >= 0 and < 1; got {value!r}")
    return number

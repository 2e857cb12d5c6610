"""Mini-batch methods (paper, section 3.3): one loop over the epochs, for every rule."""

import inspect
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult
from tqdm import tqdm

from ..checks import as_count, as_number, as_rng, as_vector
from ..losses.base import Loss, as_loss, over_data
from ..losses.batches import partition
from ..losses.blocks import calm
from ..solvers.minimize import as_result
from ..solvers.recorder import Recorder
from ..solvers.stop import Criteria, Status
from . import rules
from .layer_rules import LAYER_RULES, adahessian
from .rules import Rule
from .schedules import Schedule, as_schedule

RULES = {
    "sgd": rules.sgd,
    "momentum": rules.momentum,
    "nesterov": rules.nesterov,
    "adagrad": rules.adagrad,
    "rmsprop": rules.rmsprop,
    "adam": rules.adam,
    "aprox": rules.aprox,
    "sls": rules.sls,
    "schedule_free": rules.schedule_free,
    "adahessian": adahessian,
    **LAYER_RULES,
    "lbfgs": rules.lbfgs,
    "cg": rules.cg,
}


def minimize_stochastic(
    loss: Loss,
    x0: ArrayLike,
    rule: str | Rule = "sgd",
    batch_size: int = 128,
    epochs: int = 10,
    step: float = 0.1,
    seed: int = 0,
    schedule: Schedule | None = None,
    variance_reduction: bool = False,
    callback: Callable | None = None,
    progress: bool = False,
    **settings,
) -> OptimizeResult:
    """Minimise a loss over data, looking at a batch of its rows at a time.

    Parameters
    ----------
    loss : loss over data
        With ``n_samples`` and ``subset(rows)``.
    x0, callback
        As for :func:`soo_lib.solvers.minimize`: (n_params,), and a function that is called after
        each epoch.
    rule : str or callable
        "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "aprox", "sls",
        "schedule_free", "lbfgs", "cg": the functions of :mod:`soo_lib.stochastic.rules`.
        "adahessian", and for networks alone "kronecker", "muon", "shampoo", "soap": those of
        :mod:`soo_lib.stochastic.layer_rules`. Or one of your own, a function
        ``rule(batch, x, f, g, step)`` that returns the change of x, (n_params,), and the step that
        it took; one that remembers something is made anew for each run.
    batch_size, seed : int
        Of :func:`soo_lib.losses.partition`, which deals the rows anew for each epoch.
    epochs : int
        Passes over the rows.
    step : float
        The step length α, also called the learning rate.
    schedule : callable, optional
        The share of ``step`` to take, > 0, once a share t of the run's steps is done, 0 <= t < 1:
        :func:`constant`, :func:`cosine`, one from :func:`warm_up`, or your own.
    variance_reduction : bool
        Correct the batches of an epoch by the full gradient at its start; see
        :class:`soo_lib.stochastic.minimize.Batch`.
    progress : bool
        Show a progress bar.
    **settings
        Of the rule, where that is a name.

    Returns
    -------
    scipy.optimize.OptimizeResult
        As from :func:`soo_lib.solvers.minimize`, but a row of the trace is an epoch. Its ``fun``
        and ``gnorm`` are those of all rows, whose evaluation is not the run's own and not in its
        ``seconds``. ``nfev``, ``njev`` and ``evaluations`` count *rows*: each once for a gradient,
        a Hessian-vector product, a batch's Kronecker factors or a trial of "sls". ``step`` is the
        last that the rule took in the epoch. A run succeeds if it ends no higher than it started;
        without success ``x`` is the best of the epochs' ends.

    Raises
    ------
    ValueError
        For an argument or setting out of its range, a rule or setting that is not known, a rule
        that does not fit the loss or does not return a pair, or a schedule whose values are not
        positive.

    Examples
    --------
    >>> from soo_lib.datasets import load_digits
    >>> from soo_lib.losses.network import Network
    >>> data, net = load_digits(), Network([64, 16, 10])
    >>> loss = net.loss(data.X_train, data.y_train, l2=1e-4)
    >>> run = minimize_stochastic(loss, net.init(seed=0), "adam", step=0.01, epochs=5)
    >>> run.success, len(run.trace), bool(run.trace.fun[-1] < 0.5 * run.trace.fun[0])
    (True, 6, True)
    """
    loss = as_loss(over_data(loss), x0)
    x, m = as_vector(x0, loss.n_params, "x0", finite=True).copy(), loss.n_samples
    rule, schedule = _rule(rule, loss, settings), as_schedule(schedule, "schedule")
    size = as_count(batch_size, "batch_size", maximum=m)
    epochs, step = as_count(epochs, "epochs", 0), as_number(step, "step", 0, above=True)
    rng = as_rng(seed)
    own = rng.spawn(1)[0]  # for what a rule draws, so that all rules see the same batches
    batches, k = -(-m // size), 0
    recorder, anchor, taken = Recorder(loss), None, np.nan
    criteria = Criteria(epochs, callback=callback)

    with calm(), tqdm(total=epochs, unit="epoch", disable=not progress) as bar:
        while True:
            reported = getattr(rule, "result", x)
            with recorder.idle():  # the look at all rows is the reader's, not the run's
                f, g = loss.fun_and_jac(reported.copy())
            recorder.row(reported, float(f), np.array(g, float), taken)
            if reason := criteria(recorder):
                break
            if variance_reduction:
                anchor = x, np.array(loss.jac(x), float)
                recorder.njev += m
            for rows in partition(m, size, rng):
                batch = Batch(loss, rows, anchor, 1 / batches, own)
                f, g = batch.fun_and_jac(x)
                finite = np.isfinite(f)
                if finite:
                    alpha = step * schedule(k / (epochs * batches))
                    change, taken = _pair(rule(batch, x, f, g, alpha), len(x))
                    x, k = x + change, k + 1
                recorder.njev += batch.visits * len(rows)
                if not finite:
                    break  # nor is the mean over all rows, and the recorder will say so
            recorder.nfev = recorder.njev
            bar.update()
        if reason.status is Status.MAXITER:
            lower = recorder.last[1] <= recorder.trace.fun[0]
            reason = (Status.EPOCHS if lower else Status.ABOVE).because(epochs=epochs)
        return as_result(recorder, reason)


def _rule(rule, loss, settings):
    """The rule of that name, made with its settings; or the reader's own as it is."""
    if callable(rule):
        if settings:
            named = ", ".join(sorted(settings))
            raise ValueError(f"rule must be a name where there are settings; got {rule!r}, {named}")
        return rule
    if rule not in list(RULES):  # a list: what is asked for may not be hashable
        raise ValueError(f"rule must be one of {', '.join(RULES)}, or a callable; got {rule!r}")
    known = list(inspect.signature(RULES[rule]).parameters)
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ValueError(f"settings of {rule} must be among {known}; got {', '.join(unknown)}")
    layered = hasattr(loss, "net") or (hasattr(loss, "matrices") and rule != "kronecker")
    if rule in LAYER_RULES and not layered:
        raise ValueError(f"loss must be a network's for the rule {rule!r}; got {loss!r}")
    return RULES[rule](**settings)


def _pair(answer, n_params):
    """What a rule returned: the change of x, (n_params,), and the step length that it took."""
    if not (isinstance(answer, tuple) and len(answer) == 2):
        raise ValueError(f"rule must return the pair (change, step); got {answer!r}")
    change, step = answer
    return as_vector(change, n_params, "the rule's change"), as_number(step, "the rule's step")


class Batch(Loss):
    """The loss on some rows, which counts its ``visits`` to them.

    Parameters
    ----------
    loss : loss over data
    rows : (batch_size,) integer array
    anchor : tuple of (n_params,) arrays, optional
        A point and the gradient of all rows there: adds the linear term
        (∇L(anchor) - ∇L_B(anchor))ᵀ(x - anchor). At the anchor every batch then has the gradient
        of all rows, and near it nearly; the mean over batches is right anywhere, and curvature is
        untouched (SVRG, Johnson and Zhang).
    share : float
        One over the number of batches in an epoch.
    rng : numpy.random.Generator, optional
        For a rule that draws.
    """

    def __init__(self, loss, rows, anchor=None, share=1.0, rng=None):
        self.loss = loss if len(rows) == loss.n_samples else loss.subset(rows)
        self.n_params, self.share, self.rng = loss.n_params, share, rng
        self.visits, self.anchor, self.tilt = 0, None, None
        if anchor is not None:
            self.anchor, g = anchor
            self.tilt = g - self.jac(self.anchor)

    def fun(self, x):
        self.visits += 1
        f = self.loss.fun(x)
        return f if self.tilt is None else f + float(self.tilt @ (x - self.anchor))

    def fun_and_jac(self, x):
        self.visits += 1
        f, g = self.loss.fun_and_jac(x)
        if self.tilt is None:
            return f, np.array(g, float)  # a copy: a loss may use its arrays again
        return f + float(self.tilt @ (x - self.anchor)), g + self.tilt

    def jac(self, x):
        return self.fun_and_jac(x)[1]

    def hessp(self, x, p):
        self.visits += 1
        return np.array(self.loss.hessp(x, p), float)

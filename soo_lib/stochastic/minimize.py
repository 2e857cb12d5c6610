"""Mini-batch methods (paper, section 3.3): one loop over the epochs, for every rule."""

# TODO from . import layer_rules
# TODO from . import rules
import inspect
from functools import partial
from types import SimpleNamespace

import numpy as np
from tqdm import tqdm

from ..checks import as_count, as_number, as_rng, as_vector
from ..losses.base import Loss, as_loss, over_data
from ..losses.batches import partition
from ..losses.blocks import calm
from ..solvers.minimize import as_result
from ..solvers.recorder import Recorder
from ..solvers.stop import Criteria, Status
from . import layer_rules, rules
from .schedules import _share

_all = (
    rules.sgd,
    rules.momentum,
    rules.nesterov,
    rules.adagrad,
    rules.rmsprop,
    rules.adam,
    rules.aprox,
    rules.sls,
    rules.schedule_free,
    layer_rules.adahessian,
    layer_rules.kronecker,
    layer_rules.muon,
    layer_rules.shampoo,
    layer_rules.soap,
    rules.lbfgs,
    rules.cg,
)

RULES = {rule.__name__: rule for rule in _all}

OF_NETWORKS = "kronecker", "muon", "shampoo", "soap"

CHOICES = {
    "nesterov": (True, False),
    "ekfac": (True, False),
    "graft": (True, False),
    "last": ("adam", "muon"),
}

POSITIVE = "eps", "damping", "c1", "shrink"

SHARES = "momentum", "beta", "beta1", "beta2", "decay", "c1", "shrink"


def minimize_stochastic(
    loss,
    x0,
    rule="sgd",
    batch_size=128,
    epochs=10,
    step=0.1,
    seed=0,
    schedule=None,
    variance_reduction=False,
    callback=None,
    progress=False,
    **settings,
):
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
        :mod:`soo_lib.stochastic.layer_rules`. Or one of your own,
        ``rule(batch, x, f, g, step, state)``.
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
        Correct the batches of an epoch by the full gradient at its start: SVRG, Johnson and Zhang
        (2013).
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
        a Hessian-vector product, a batch's Kronecker factors or a trial of "sls". ``step`` is the
        epoch's last. A run succeeds if it ends below
        its start; without success ``x`` is the best of the epochs' ends.

    Raises
    ------
    ValueError
        For an argument out of its range, a rule or setting that is not known, a rule that does not
        fit the loss, or a schedule whose values are not positive.

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
    change, share = _rule(rule, loss, settings), _share(schedule)
    size = as_count(batch_size, "batch_size", maximum=m)
    epochs, step = as_count(epochs, "epochs", 0), as_number(step, "step", 0, above=True)
    rng = as_rng(seed)
    own = rng.spawn(1)[0]  # for what a rule draws, so that all rules see the same batches
    state = SimpleNamespace(k=0, m=0.0, v=0.0, kept={}, rng=own, batches=-(-m // size), result=None)
    recorder, anchor = Recorder(loss), None
    criteria = Criteria(epochs, callback=callback)

    def look(*step):
        at = x if state.result is None else state.result
        with recorder.idle():
            f, g = loss.fun_and_jac(at.copy())
        recorder.row(at, float(f), np.array(g, float), *step)
        return criteria(recorder)

    with calm(), tqdm(total=epochs, unit="epoch", disable=not progress) as bar:
        reason = look()
        while not reason:
            if variance_reduction:
                anchor = x, np.array(loss.jac(x), float)
                recorder.njev += m
            for rows in partition(m, size, rng):
                batch, state.k = Batch(loss, rows, anchor), state.k + 1
                f, g = batch.fun_and_jac(x)
                finite = np.isfinite(f)
                if finite:
                    state.step = step * share((state.k - 1) / (epochs * state.batches))
                    x = x + change(batch, x, f, g, state.step, state)
                recorder.njev += batch.visits * len(rows)
                if not finite:
                    break  # nor is the mean over all rows, and the recorder will say so
            recorder.nfev = recorder.njev
            reason = look(state.step)
            bar.update()
    if reason.status is Status.MAXITER:
        lower = recorder.last[1] <= recorder.trace.fun[0]
        reason = (Status.EPOCHS if lower else Status.ABOVE).because(epochs=epochs)
    return as_result(recorder, reason)


def _rule(rule, loss, settings):
    """The rule as a function of what it is called with."""
    if callable(rule):
        if settings:
            named = ", ".join(sorted(settings))
            raise ValueError(f"rule must be a name where there are settings; got {rule!r}, {named}")
        return lambda batch, x, *more: as_vector(rule(batch, x, *more), len(x), "the rule's change")
    if rule not in list(RULES):  # a list: what is asked for may not be hashable
        raise ValueError(f"rule must be one of {', '.join(RULES)}, or a callable; got {rule!r}")
    known = list(inspect.signature(RULES[rule]).parameters)[6:]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ValueError(f"settings of {rule} must be among {known}; got {', '.join(unknown)}")
    if rule in OF_NETWORKS and not hasattr(loss, "net"):
        raise ValueError(f"loss must be a network's for the rule {rule!r}; got {loss!r}")
    return partial(RULES[rule], **{name: _setting(rule, name, settings[name]) for name in settings})


def _setting(rule, name, value):
    if name in ("memory", "refresh"):
        return as_count(value, name)
    if name in CHOICES:
        if value not in list(CHOICES[name]):  # a list: it may not be hashable
            raise ValueError(f"{name} must be one of {CHOICES[name]}; got {value!r}")
        return value
    number = as_number(value, name, -np.inf if name == "low" else 0, name in POSITIVE)
    if name == "growth" and number < 1:
        raise ValueError(f"growth must be a number >= 1; got {value!r}")
    if number >= 1 and name in SHARES and (rule, name, number) != ("shampoo", "decay", 1):
        raise ValueError(f"{name} must be a number >= 0 and < 1; got {value!r}")
    return number


class Batch(Loss):
    """The loss on some rows, which counts its ``visits``.

    Parameters
    ----------
    loss : loss over data
    rows : (batch_size,) integer array
    anchor : tuple of (n_params,) arrays, optional
        A point and the gradient of all rows there: adds the linear term
        (∇L(anchor) - ∇L_B(anchor))ᵀ(x - anchor). At the anchor every batch then has the gradient
        of all rows, and near it nearly; the mean over batches is right anywhere, and curvature is
        untouched (SVRG, Johnson and Zhang).
    """

    def __init__(self, loss, rows, anchor=None):
        self.loss = loss if len(rows) == loss.n_samples else loss.subset(rows)
        self.n_params, self.visits, self.tilt = loss.n_params, 0, None
        if anchor is not None:
            x, g = anchor
            self.tilt = x, g - self.jac(x)

    def fun(self, x):
        self.visits += 1
        anchor, t = self.tilt or (x, 0 * x)
        return self.loss.fun(x) + float(t @ (x - anchor))

    def fun_and_jac(self, x):
        self.visits += 1
        f, g = self.loss.fun_and_jac(x)
        if self.tilt is None:
            return f, np.array(g, float)  # a copy: a loss may use its arrays again
        anchor, t = self.tilt
        return f + float(t @ (x - anchor)), g + t

    def jac(self, x):
        return self.fun_and_jac(x)[1]

    def hessp(self, x, p):
        self.visits += 1
        return np.array(self.loss.hessp(x, p), float)

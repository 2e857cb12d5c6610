"""Mini-batch methods (paper, section 3.3): one loop over the epochs, for every rule."""

import inspect
from functools import partial
from types import SimpleNamespace

import numpy as np
from tqdm import tqdm

from .checks import as_count, as_number, as_rng, as_vector
from .losses import as_loss, over_data
from .rules import RULES
from .sampling import Batch, partition
from .solvers import as_result
from .strips import calm
from .trace import Recorder


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
        As for :func:`soo_lib.solvers.minimize`: (n_params,), and a function that is called after
        each epoch.
    rule : str or callable
        "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "aprox", "kronecker", "lbfgs",
        "cg": the functions of :mod:`soo_lib.rules`. Or one of your own,
        ``rule(batch, x, f, g, step, state)``.
    batch_size, seed : int
        Of :func:`soo_lib.sampling.partition`, which deals the rows anew for each epoch.
    epochs : int
        Passes over the rows.
    step : float
        The step length α, also called the learning rate.
    variance_reduction : bool
        Correct the batches of an epoch by the full gradient at its start; see
        :class:`soo_lib.sampling.Batch`.
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

    Examples
    --------
    >>> from soo_lib.datasets import load_digits
    >>> from soo_lib.network import Network
    >>> data, net = load_digits(), Network([64, 16, 10])
    >>> loss = net.loss(data.X_train, data.y_train, l2=1e-4)
    >>> run = minimize_stochastic(loss, net.init(seed=0), "adam", step=0.01, epochs=5)
    >>> run.success, len(run.trace), bool(run.trace.fun[-1] < 0.5 * run.trace.fun[0])
    (True, 6, True)
    """
    loss = as_loss(over_data(loss), x0)
    x, m = as_vector(x0, loss.n_params, "x0", finite=True).copy(), loss.n_samples
    change, state = _rule(rule, loss, settings), SimpleNamespace(k=0, m=0.0, v=0.0)
    size = as_count(batch_size, "batch_size", maximum=m)
    epochs, step = as_count(epochs, "epochs", 0), as_number(step, "step", 0, above=True)
    rng = as_rng(seed)
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

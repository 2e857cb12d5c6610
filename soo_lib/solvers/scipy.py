"""scipy's solvers behind the same recorder as our own (eq. 29 after every iteration)."""

import warnings
from functools import partial

import numpy as np
from scipy import optimize

from .stop import Status, why_no_decrease

# scipy's methods, and which second derivatives each asks for
SCIPY = {
    "CG": (),
    "BFGS": (),
    "L-BFGS-B": (),
    "Newton-CG": ("hessp",),
    "trust-ncg": ("hessp",),
    "trust-krylov": ("hessp",),
    "trust-exact": ("hess",),
}
# Our criteria, asked after every iteration, stand in for scipy's, which differ by method.
NEVER = {"L-BFGS-B": {"ftol": 0, "gtol": 0, "maxfun": np.inf}, "Newton-CG": {"xtol": 0}}


def scipys(loss, x, method, criteria, options):
    """Run scipy's solver ``method`` from ``x``, (n,), on the recorder ``loss``.

    ``options`` go to scipy as they are; returns the :class:`~soo_lib.solvers.stop.Reason`.
    """
    start = [loss.begin(x)]
    reason, ours = criteria(loss), False

    def asked(function, *at):  # what is raised in here is the loss's or the callback's own
        nonlocal ours
        ours = True
        found = function(*at)
        ours = False
        return found

    def fun_and_jac(z):  # scipy's first look is at the start, which has been counted
        return start.pop() if start else asked(loss.fun_and_jac, z)

    def ending(second, *at):  # where numbers overflow scipy's trust regions may never stop asking
        found = asked(getattr(loss, second), *at)
        products = loss.nhessp - loss.trace.rows[-1].nhessp
        if not np.isfinite(found).all():
            raise ArithmeticError("the second derivatives are not finite")
        if products > 1000 + 10 * len(x):
            raise ArithmeticError("it asks for second derivatives without end")
        return found

    def after_iteration(z):
        nonlocal reason
        with loss.idle():
            f, g = asked(loss.recall, z)
        loss.row(z.copy(), f, g)
        reason = asked(criteria, loss)
        if reason:
            raise StopIteration

    if reason:
        return reason
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Unknown solver options", optimize.OptimizeWarning)
        try:
            found = optimize.minimize(
                fun_and_jac,
                x,
                jac=True,
                method=method,
                callback=after_iteration,
                options={
                    "maxiter": criteria.maxiter,
                    **NEVER.get(method, {"gtol": 0}),
                    **options,
                },
                **{name: partial(ending, name) for name in SCIPY[method]},
            )
            words = str(found.message).rstrip(".: ")
        except optimize.OptimizeWarning as warning:
            known = "see scipy.optimize.show_options('minimize', method)"
            raise ValueError(f"settings of scipy's {method}: {warning}; {known}") from warning
        except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
            if ours:
                raise
            return Status.SCIPY.because(words=error)
    if reason:
        return reason
    if found.status == 1:  # a limit of scipy's own, such as maxfun
        return Status.SCIPY.because(words=words)
    x, f, g = loss.last  # scipy's own x and jac may belong to two points
    why = why_no_decrease(loss.counted(), x, f, g, -g, loss.dtype)
    return why._replace(message=f"{why.message} (scipy: {words})")

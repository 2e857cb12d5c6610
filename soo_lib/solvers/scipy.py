"""scipy's solvers behind the same recorder as our own (eq. 29 after every iteration)."""

import warnings

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
    reason = criteria(loss)

    def fun_and_jac(z):  # scipy's first look is at the start, which has been counted
        return start.pop() if start else loss.fun_and_jac(z)

    def after_iteration(z):
        nonlocal reason
        with loss.idle():
            f, g = loss.recall(z)
        loss.row(z.copy(), f, g)
        reason = criteria(loss)
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
                **{name: getattr(loss, name) for name in SCIPY[method]},
            )
            words = str(found.message).rstrip(".: ")
        except optimize.OptimizeWarning as warning:
            known = "see scipy.optimize.show_options('minimize', method)"
            raise ValueError(f"settings of scipy's {method}: {warning}; {known}") from warning
        except (np.linalg.LinAlgError, ArithmeticError) as error:
            return Status.SCIPY.because(words=str(error))
    if reason:
        return reason
    if found.status == 1:  # a limit of scipy's own, such as maxfun
        return Status.SCIPY.because(words=words)
    x, f, g = loss.last  # its own may be of two points
    why = why_no_decrease(loss.counted(), x, f, g, -g, loss.dtype)
    return why._replace(message=f"{why.message} (scipy: {words})")

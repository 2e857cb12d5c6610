"""scipy's solvers behind the same recorder as our own."""

import warnings

import numpy as np
from scipy import optimize

from .stop import BEYOND, why_no_decrease

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


def _scipy(loss, x, method, maxiter, options):
    """scipy's solver of that name behind the same recorder. Returns why it failed, or None."""
    start = [loss.fun_and_jac(x)]
    loss.row(x, *start[0])
    if loss.outcome or maxiter == 0:
        return None

    def fun_and_jac(z):  # scipy's first look is at the start, which has been counted
        return start.pop() if start else loss.fun_and_jac(z)

    def after_iteration(z):
        with loss.idle():
            f, g = loss.recall(z)
        loss.row(z, f, g)
        if loss.outcome:
            raise StopIteration

    class Overflow(Exception):
        """Of our own: what a loss raises is not for us to catch."""

    # scipy's trust regions fall over a number or step that is none, or turn for ever: do without
    def hess(z):
        H = np.nan_to_num(loss.hess(z), posinf=0, neginf=0)
        if np.isinf(np.linalg.norm(H)) or np.isinf(np.linalg.norm(loss.last[2])):
            raise Overflow
        return np.where(np.abs(H) > 1e-150 * np.abs(loss.last[2]).max(), H, 0)

    def hessp(z, p):
        if not np.isfinite(p).all():
            raise Overflow
        product = loss.hessp(z, p)
        return product if 0 < np.abs(p * (p @ p / (p @ product))).max() < 1e150 else 0 * p

    # Our criteria, checked after every iteration, stand in for scipy's, which differ by method.
    never = {"L-BFGS-B": {"ftol": 0, "gtol": 0, "maxfun": np.inf}, "Newton-CG": {"xtol": 0}}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Unknown solver options", optimize.OptimizeWarning)
        try:
            found = optimize.minimize(
                fun_and_jac,
                x,
                jac=True,
                method=method,
                callback=after_iteration,
                options={"maxiter": maxiter, **never.get(method, {"gtol": 0}), **options},
                **{f.__name__: f for f in (hess, hessp) if f.__name__ in SCIPY[method]},
            )
        except Overflow:
            return BEYOND
        except optimize.OptimizeWarning as warning:
            known = "see scipy.optimize.show_options('minimize', method)"
            raise ValueError(f"settings of scipy's {method}: {warning}; {known}") from warning
    if loss.outcome or loss.nit >= maxiter:
        return None
    if found.status == 1:  # a limit of scipy's own, such as maxfun
        return f"stopped by scipy: {str(found.message).rstrip('.: ')}"
    why = why_no_decrease(loss, *loss.last, -loss.last[2])  # scipy's may be of two points
    return f"{why} (scipy: {str(found.message).rstrip('.: ')})"

"""The gradient test: is the gradient the derivative of the loss? (paper, eq. 31)."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import norm

from .checks import as_real, as_rng, as_vector, coarser
from .losses.base import as_loss


@dataclass
class GradientTest:
    """What :func:`gradient_test` found; prints as one line.

    Attributes
    ----------
    ok : bool
        The gradient is right.
    relative_error : float
        Smallest error over all ε, relative to the size of the derivatives.
    order : float
        Slope of log(error) against log(ε): 2 when right, about 0 when wrong; NaN where the
        central difference is exact up to rounding, as for a quadratic loss.
    eps, errors : (k,) arrays
        The ε tried, from 2⁻² to 2⁻²⁵, or further while the central difference still changes, and
        its error for each.
    """

    ok: bool
    relative_error: float
    order: float
    eps: np.ndarray
    errors: np.ndarray

    def __repr__(self):
        verdict = "gradient right" if self.ok else "GRADIENT WRONG"
        rounding = "exact up to rounding" if self.ok else "no order: or all is rounding"
        order = rounding if np.isnan(self.order) else f"order {round(self.order, 2) + 0.0:.2f}"
        return f"{verdict}: relative error {self.relative_error:.1e}, {order}"


def gradient_test(loss, x, seed=0):
    """Compare Δxᵀ∇L with central differences along a random direction Δx, eq. 31::

        (L(x + ε Δx) - L(x - ε Δx)) / 2ε  =  Δxᵀ∇L + O(ε²)

    One difference can agree by luck or fail by rounding. The order cannot: the error of a right
    gradient falls by 4 each time ε is halved, until rounding takes over.

    Parameters
    ----------
    loss : loss
        See :mod:`soo_lib.losses`; ``fun`` and ``jac`` are used.
    x : (n,) array
        Where to test. Away from kinks: a ReLU whose input is exactly 0, as behind dead units
        with zero biases, has no derivative there, and the test says so.
    seed : int
        For the direction.

    Returns
    -------
    GradientTest

    Raises
    ------
    ValueError
        For an ``x`` that is not a finite vector, or a gradient of another shape.

    Examples
    --------
    >>> from soo_lib.losses import Loss, Rosenbrock
    >>> gradient_test(Rosenbrock(), [-1.0, 2.0]).ok
    True

    A gradient that forgets a factor of 2 has an error of order 0:

    >>> class Slip(Loss):
    ...     n_params = 2
    ...     def fun(self, x):
    ...         return float(x @ x)
    ...     def jac(self, x):
    ...         return x
    >>> slip = gradient_test(Slip(), [-1.0, 2.0])
    >>> slip.ok, abs(round(slip.order, 1))
    (False, 0.0)
    """
    loss = as_loss(loss, x)
    x = as_vector(x, loss.n_params, finite=True)
    d = as_rng(seed).normal(size=x.shape)
    d *= max(1.0, np.linalg.norm(x)) / np.linalg.norm(d)
    f = as_real(loss.fun(x.copy()), (), "the loss's value")  # copies: a loss may write to x
    g = as_vector(loss.jac(x.copy()), len(x), "loss.jac(x)").copy()
    slope, u = d @ g, np.finfo(coarser(getattr(loss, "dtype", float), f.dtype)).eps

    eps, values, errors, told, ratio = [], [], [], [], np.nan
    for e in 2.0 ** -np.arange(2, 61):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            ends = np.array([loss.fun(x + e * d), loss.fun(x - e * d)], float)
            before, ratio = ratio, (ends[0] - ends[1]) / (2 * e)
            change, error = abs(ratio - before), abs(ratio - slope)
        if not np.isfinite(ends).all():  # near a border only the smaller ε are inside
            continue
        eps, values, errors = np.append(eps, e), [*values, ends], np.append(errors, error)
        told = np.append(told, max(np.abs(ends).max(), np.abs(x) @ np.abs(g)))  # x is rounded too
        # A ratio that still changes may come nearer: x's scale need not be the loss's.
        settled = change <= max(1e-6 * abs(ratio), 60 * u * told[-1] / e) or ends[0] == ends[1]
        rises = errors[-5:].min() > 10 * errors[:5].max()  # as of a loss drawn anew
        if e <= 2.0**-25 and (settled or rises):
            break
    if not values:
        raise ValueError("x must lie where the loss is finite; got no finite value on both sides")
    values = np.array(values)
    # Close to a minimum the slope itself says little: the loss's variation then sets the scale. But
    # not that of a wall, beyond the last ε whose half has less than a hundredth of its variation.
    size, noise = np.abs(values - f).max(axis=1), 1e3 * u * np.abs(values).max(axis=1)
    wall = np.flatnonzero(size[:-1] / 100 > size[1:] + noise[1:])
    variation = size[wall[-1] + 1 if len(wall) else 0 :].max()
    with np.errstate(over="ignore"):
        size_g = np.linalg.norm(g)
    size_g = norm(g, check_finite=False) if np.isinf(size_g) else size_g  # forms no square
    scale = max(abs(slope), size_g * np.linalg.norm(d) / np.sqrt(len(x)))
    relative = float(errors.min() / max(scale, 1e-3 * variation, np.finfo(float).tiny))

    # The order, where ε is small enough for the leading term and large enough for rounding,
    # which leaves about u/ε in the difference: the five smallest ε well clear of that.
    clear = np.flatnonzero(errors > 30 * u * told / eps)[-5:]
    order = np.nan
    if len(clear) >= 3:
        order = float(np.polyfit(np.log(eps[clear]), np.log(errors[clear]), 1)[0])
        order = order if order > -0.5 else np.nan  # rises as ε falls: rounding inside the loss
    # A central difference can be as good as u^(2/3); where kinks (ReLU) hide the order, that
    # good an agreement is proof enough.
    ok = relative < 10 * u ** (2 / 3) or (relative < u ** (1 / 3) and not order < 1.5)
    ok = ok or (relative < 1e-3 and abs(order - 2) < 0.1)  # where a constant hides the rest
    # An error that stays as it is, clear of rounding, is the gradient's, whatever the variation.
    # (Where a loss cancels its values become alike, and the error the slope.)
    if len(clear) >= 3 and np.ptp(values[clear], axis=1).all():
        flat = errors[clear].max() < 1.2 * errors[clear].min()
        ok = ok and not (flat and errors.min() > 10 * u ** (2 / 3) * scale)
    return GradientTest(bool(ok), relative, order, eps, errors)

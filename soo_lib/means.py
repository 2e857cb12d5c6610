"""A loss as the mean over parts of its rows (eq. 28): what it says of a point, each part is asked.

The parts are batches here (:mod:`soo_lib.sampling`), or rows of other machines
(:mod:`soo_lib.distributed`): one base, two ways to take a mean.
"""

from functools import wraps

from .losses import Loss


class Mean(Loss):
    """A loss that is a mean over parts; a subclass says how that is taken.

    Its ``mean(what, *vectors)`` is the weighted mean of ``value(part, what, *vectors)``.
    """

    def fun(self, x):
        return float(self.mean("fun", x))

    def jac(self, x):
        return self.mean("jac", x)

    def fun_and_jac(self, x):
        f, g = self.mean("fun_and_jac", x)
        return float(f), g

    def hess(self, x):
        return self.mean("hess", x)

    def hessp(self, x, p):
        return self.mean("hessp", x, p)

    def ggnp(self, x, p):
        return self.mean("ggnp", x, p)


def over_parts(function):
    """The ``function(loss, x)``, a mean over the rows, made the mean over parts where loss is."""

    @wraps(function)
    def whole(loss, x):
        return loss.mean(whole, x) if isinstance(loss, Mean) else function(loss, x)

    return whole


def value(part, what, *vectors):
    """What the loss ``part`` says of ``vectors``: by its method ``what``, or a function of it."""
    return getattr(part, what)(*vectors) if isinstance(what, str) else what(part, *vectors)


def plus(a, b):
    """``a`` + ``b``, of numbers and arrays, or of tuples and lists of them, entry by entry."""
    return type(a)(map(plus, a, b)) if isinstance(a, tuple | list) else a + b


def times(weight, a):
    """``weight`` · ``a``, of the same."""
    return type(a)(times(weight, b) for b in a) if isinstance(a, tuple | list) else weight * a

"""What a unit does: σ, σ' and σ'' of the hidden ones, softmax and cross-entropy on top (eqs 20-21).

Numbers so small that they only cost time are set to 0 on the way.
"""

from typing import NamedTuple

import numpy as np


class Activation(NamedTuple):
    """σ (eq. 20) and its derivatives, for arrays of any shape."""

    value: object  #: overwrites Z with σ(Z)
    first: object  #: σ'(z) as a function of a = σ(z)
    second: object  #: σ''(z) as a function of a = σ(z) and σ'(z)


def flush(Z):
    """``Z`` itself, any shape, with entries set to 0 whose size or products are subnormal.

    A processor may take a hundred times as long over a subnormal number, and saturated units make
    many of them in float32. Next to ``c`` all that is below √tiny is rounded away, 1e-19 or 1e-154.
    """
    info = np.finfo(Z.dtype)
    c = np.sqrt(info.tiny) / info.eps
    Z += c
    Z -= c
    return Z


def _sigmoid(Z):
    # 1 / (1 + exp(-z)); exp overflows to inf for z << 0, which gives the right 0
    np.negative(Z, out=Z)
    np.exp(Z, out=Z)
    Z += 1
    flush(np.reciprocal(Z, out=Z))


def _zero(a, slope):
    return np.zeros_like(a)


ACTIVATIONS = {
    "sigmoid": Activation(_sigmoid, lambda a: a * (1 - a), lambda a, slope: (1 - 2 * a) * slope),
    "tanh": Activation(
        lambda Z: np.tanh(Z, out=Z), lambda a: 1 - a * a, lambda a, slope: -2 * a * slope
    ),
    "relu": Activation(lambda Z: np.maximum(Z, 0, out=Z), lambda a: a > 0, _zero),
    "linear": Activation(lambda Z: Z, np.ones_like, _zero),
}


def cross_entropy(Z, y):
    """Summed cross-entropy of softmax(Z) (eq. 21), and its derivative softmax(Z) - Y (eq. 35).

    ``Z`` is (m, classes) and overwritten by the derivative, ``y`` (m,) whole numbers; the sum is in
    nats. Shifting each row by its maximum keeps both exact for logits of any size.
    """
    rows = np.arange(len(Z))
    Z -= np.ascontiguousarray(Z.T).max(axis=0)[:, None]  # row by row it takes four times as long
    chosen = Z[rows, y]
    np.exp(Z, out=Z)
    total = Z.sum(axis=1, keepdims=True)
    Z /= total
    Z[rows, y] -= 1
    return float((np.log(total[:, 0]) - chosen).sum(dtype=float)), flush(Z)


def output(Z, y):
    """softmax(Z) - Y (eq. 35) and softmax(Z) of the last layer, for labels ``y``, (m,).

    Both are (m, classes), as ``Z`` is.
    """
    _, D = cross_entropy(Z.copy(), y)
    P = D.copy()
    P[np.arange(len(y)), y] += 1
    return D, P


def softmax_product(P, R):
    """(Diag(p) - p pᵀ) r for each row of ``P`` and ``R``, (m, classes): H_Z (eq. 83) times R."""
    product = P * R
    product -= P * (product @ np.ones(P.shape[1], P.dtype))[:, None]  # a sum over few takes longer
    return flush(product)

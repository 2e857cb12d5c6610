"""Classical test problems, from the formulas of their papers.

Moré, Garbow and Hillstrom (1981), "Testing unconstrained optimization software", ACM TOMS 7(1);
the numbers in brackets are the paper's. Each is a sum of squares: the residuals r(x), their
Jacobian J, and Σ wᵢ∇²rᵢ, so that f = rᵀr, g = 2Jᵀr and H = 2(JᵀJ + Σ rᵢ∇²rᵢ).
"""

import numpy as np

from soo_lib.losses import Loss


class Squares(Loss):
    """Σ rᵢ(x)². ``parts(x)`` gives r, J and a function of w: Σ wᵢ∇²rᵢ."""

    def __init__(self, parts, n):
        self.parts, self.n_params = parts, n

    def fun(self, x):
        r = self.parts(x)[0]
        return float(r @ r)

    def jac(self, x):
        r, J, _ = self.parts(x)
        return 2 * r @ J

    def hess(self, x):
        r, J, bend = self.parts(x)
        return 2 * (J.T @ J + bend(r))


class Changed(Loss):
    """scale · loss + constant, the gradient's entries times ``wrong``."""

    def __init__(self, loss, scale=1.0, constant=0.0, wrong=1.0):
        self.loss, self.n_params = loss, loss.n_params
        self.scale, self.constant, self.wrong = scale, constant, wrong

    def fun(self, x):
        return self.scale * self.loss.fun(x) + self.constant

    def jac(self, x):
        return self.wrong * self.scale * self.loss.jac(x)

    def hess(self, x):
        return self.scale * self.loss.hess(x)

    def hessp(self, x, p):
        return self.scale * self.loss.hessp(x, p)


class Quadratic(Loss):
    """½ Σ λᵢxᵢ²."""

    def __init__(self, eigenvalues):
        self.eigenvalues, self.n_params = eigenvalues, len(eigenvalues)

    def fun(self, x):
        return float(0.5 * self.eigenvalues @ (x * x))

    def jac(self, x):
        return self.eigenvalues * x

    def hess(self, x):
        return np.diag(self.eigenvalues)

    def hessp(self, x, p):
        return self.eigenvalues * p


def flat(n):
    """Residuals that are linear."""
    return lambda w: np.zeros((n, n))


def symmetric(n, **entries):
    """An (n, n) matrix from its upper entries, named h12=... by their 1-based place."""
    H = np.zeros((n, n))
    for name, value in entries.items():
        i, j = int(name[1]) - 1, int(name[2]) - 1
        H[i, j] = H[j, i] = value
    return H


def rosenbrock(x):  # (1), and (21) where there are more pairs
    a, b = x[::2], x[1::2]
    n, k = len(x), np.arange(0, len(x), 2)
    J = np.zeros((n, n))
    J[k, k], J[k, k + 1], J[k + 1, k] = -20 * a, 10, -1

    def bend(w):
        d = np.zeros(n)
        d[::2] = -20 * w[::2]
        return np.diag(d)

    return np.stack([10 * (b - a * a), 1 - a], 1).ravel(), J, bend


def chained_rosenbrock(x):
    """Each coordinate is tied to the next: scipy's ``rosen``."""
    n, k = len(x), np.arange(len(x) - 1)
    J = np.zeros((2 * n - 2, n))
    J[2 * k, k], J[2 * k, k + 1], J[2 * k + 1, k] = -20 * x[:-1], 10, -1
    r = np.stack([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]], 1).ravel()
    return r, J, lambda w: np.diag(np.append(-20 * w[::2], 0.0))


def freudenstein_roth(x):  # (2)
    a, b = x
    r = np.array([-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b])
    J = np.array([[1, 10 * b - 3 * b * b - 2], [1, 3 * b * b + 2 * b - 14]])
    return r, J, lambda w: symmetric(2, h22=w[0] * (10 - 6 * b) + w[1] * (6 * b + 2))


def powell_badly_scaled(x):  # (3)
    a, b = x
    ea, eb = np.exp(-x)
    r = np.array([1e4 * a * b - 1, ea + eb - 1.0001])
    J = np.array([[1e4 * b, 1e4 * a], [-ea, -eb]])
    return r, J, lambda w: symmetric(2, h11=w[1] * ea, h12=1e4 * w[0], h22=w[1] * eb)


def brown_badly_scaled(x):  # (4)
    a, b = x
    r = np.array([a - 1e6, b - 2e-6, a * b - 2])
    return r, np.array([[1, 0], [0, 1], [b, a]]), lambda w: symmetric(2, h12=w[2])


def beale(x):  # (5)
    a, b = x
    i = np.arange(1, 4)
    r = np.array([1.5, 2.25, 2.625]) - a * (1 - b**i)
    J = np.stack([b**i - 1, a * i * b ** (i - 1)], 1)
    second = np.array([0, 2, 6 * b])
    return r, J, lambda w: symmetric(2, h12=w @ (i * b ** (i - 1)), h22=a * w @ second)


def jennrich_sampson(x):  # (6)
    i = np.arange(1, 11)
    e = np.exp(np.outer(i, x))
    return 2 + 2 * i - e.sum(1), -i[:, None] * e, lambda w: -np.diag((w * i * i) @ e)


def helical_valley(x):  # (7)
    a, b, c = x
    q = a * a + b * b
    turn = np.arctan(b / a) / (2 * np.pi) + (0.5 if a < 0 else 0.0) if a else 0.25 * np.sign(b)
    r = np.array([10 * (c - 10 * turn), 10 * (np.sqrt(q) - 1), c])
    s, t = np.sqrt(q), 50 / np.pi / q
    J = np.array([[t * b, -t * a, 10], [10 * a / s, 10 * b / s, 0], [0, 0, 1]])

    def bend(w):
        u, v = 50 * w[0] / np.pi / q**2, 10 * w[1] / s**3
        return symmetric(
            3,
            h11=-2 * u * a * b + v * b * b,
            h12=u * (a * a - b * b) - v * a * b,
            h22=2 * u * a * b + v * a * a,
        )

    return r, J, bend


def bard(x):  # (8)
    y = np.array([14, 18, 22, 25, 29, 32, 35, 39, 37, 58, 73, 96, 134, 210, 439]) / 100
    u = np.arange(1.0, 16)
    v = 16 - u
    w_ = np.minimum(u, v)
    d = v * x[1] + w_ * x[2]
    J = np.stack([-np.ones(15), u * v / d**2, u * w_ / d**2], 1)

    def bend(w):
        k = -2 * w * u / d**3
        return symmetric(3, h22=k @ v**2, h23=k @ (v * w_), h33=k @ w_**2)

    return y - x[0] - u / d, J, bend


def gaussian(x):  # (9)
    half = [9, 44, 175, 540, 1295, 2420, 3521]
    y = np.array([*half, 3989, *half[::-1]]) / 1e4
    a, b, c = x
    d = (8 - np.arange(1, 16)) / 2 - c
    e = np.exp(-b * d * d / 2)
    J = np.stack([e, -a * d * d / 2 * e, a * b * d * e], 1)

    def bend(w):
        k = w * e
        return symmetric(
            3,
            h12=-k @ d**2 / 2,
            h13=b * k @ d,
            h22=a * k @ d**4 / 4,
            h23=a * k @ (d - b * d**3 / 2),
            h33=a * k @ (b * b * d * d - b),
        )

    return a * e - y, J, bend


def meyer(x):  # (10)
    y = np.array(
        [
            34780,
            28610,
            23650,
            19630,
            16370,
            13720,
            11540,
            9744,
            8261,
            7030,
            6005,
            5147,
            4427,
            3820,
            3307,
            2872,
        ]
    )
    a, b, c = x
    q = 1 / (45 + 5 * np.arange(1, 17) + c)
    e = np.exp(b * q)
    J = np.stack([e, a * q * e, -a * b * q * q * e], 1)

    def bend(w):
        k = w * e
        return symmetric(
            3,
            h12=k @ q,
            h13=-b * k @ q**2,
            h22=a * k @ q**2,
            h23=-a * k @ (q**2 + b * q**3),
            h33=a * b * k @ (2 * q**3 + b * q**4),
        )

    return a * e - y, J, bend


def box(x):  # (12)
    t = np.arange(1, 11) / 10
    ea, eb, known = np.exp(-t * x[0]), np.exp(-t * x[1]), np.exp(-t) - np.exp(-10 * t)
    J = np.stack([-t * ea, t * eb, -known], 1)
    return (
        ea - eb - x[2] * known,
        J,
        lambda w: symmetric(3, h11=w @ (t * t * ea), h22=-w @ (t * t * eb)),
    )


def powell_singular(x):  # (13)
    a, b, c, d = x
    r = np.array([a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2])
    p, q = 2 * (b - 2 * c), 2 * 10**0.5 * (a - d)
    J = np.array([[1, 10, 0, 0], [0, 0, 5**0.5, -(5**0.5)], [0, p, -2 * p, 0], [q, 0, 0, -q]])

    def bend(w):
        u, v = 2 * w[2], 2 * 10**0.5 * w[3]
        return symmetric(4, h22=u, h23=-2 * u, h33=4 * u, h11=v, h14=-v, h44=v)

    return r, J, bend


def wood(x):  # (14)
    a, b, c, d = x
    t = 10**0.5
    r = np.array(
        [10 * (b - a * a), 1 - a, 90**0.5 * (d - c * c), 1 - c, t * (b + d - 2), (b - d) / t]
    )
    J = np.array(
        [
            [-20 * a, 10, 0, 0],
            [-1, 0, 0, 0],
            [0, 0, -2 * 90**0.5 * c, 90**0.5],
            [0, 0, -1, 0],
            [0, t, 0, t],
            [0, 1 / t, 0, -1 / t],
        ]
    )
    return r, J, lambda w: np.diag([-20 * w[0], 0, -2 * 90**0.5 * w[2], 0])


def kowalik_osborne(x):  # (15)
    y = np.array([1957, 1947, 1735, 1600, 844, 627, 456, 342, 323, 235, 246]) / 1e4
    u = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
    a, b, c, d = x
    top, low = u * u + u * b, u * u + u * c + d
    J = -np.stack([top / low, a * u / low, -a * top * u / low**2, -a * top / low**2], 1)

    def bend(w):
        k, l2, l3 = -w, low**2, low**3
        return symmetric(
            4,
            h12=k @ (u / low),
            h13=-k @ (top * u / l2),
            h14=-k @ (top / l2),
            h23=-a * k @ (u * u / l2),
            h24=-a * k @ (u / l2),
            h33=2 * a * k @ (top * u * u / l3),
            h34=2 * a * k @ (top * u / l3),
            h44=2 * a * k @ (top / l3),
        )

    return y - a * top / low, J, bend


def brown_dennis(x):  # (16)
    t = np.arange(1, 21) / 5
    P = np.stack([np.ones(20), t, 0 * t, 0 * t], 1)
    Q = np.stack([0 * t, 0 * t, np.ones(20), np.sin(t)], 1)
    p, q = P @ x - np.exp(t), Q @ x - np.cos(t)
    J = 2 * p[:, None] * P + 2 * q[:, None] * Q
    return p * p + q * q, J, lambda w: 2 * (P.T @ (w[:, None] * P) + Q.T @ (w[:, None] * Q))


def biggs(x):  # (18)
    t = np.arange(1, 14) / 10
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    rate, size, sign = x[[0, 1, 4]], x[[2, 3, 5]], np.array([1, -1, 1])
    e = sign * np.exp(-np.outer(t, rate))
    J = np.zeros((13, 6))
    J[:, [0, 1, 4]], J[:, [2, 3, 5]] = -t[:, None] * size * e, e

    def bend(w):
        H = np.zeros((6, 6))
        for k, (i, j) in enumerate(((0, 2), (1, 3), (4, 5))):
            H[i, i] = size[k] * w @ (t * t * e[:, k])
            H[i, j] = H[j, i] = -w @ (t * e[:, k])
        return H

    return e @ size - y, J, bend


def watson(x):  # (20)
    n, j = len(x), np.arange(len(x))
    t = np.arange(1, 30)[:, None] / 29
    S, D = t**j, j * t ** np.maximum(j - 1, 0)
    s = S @ x
    r = np.concatenate([D @ x - s * s - 1, [x[0], x[1] - x[0] ** 2 - 1]])
    J = np.vstack([D - 2 * s[:, None] * S, np.eye(n)[:2]])
    J[30, 0] = -2 * x[0]

    def bend(w):
        H = -2 * S.T @ (w[:29, None] * S)
        H[0, 0] -= 2 * w[30]
        return H

    return r, J, bend


def penalty(x):  # (23)
    n, a = len(x), 1e-5**0.5
    r = np.append(a * (x - 1), x @ x - 0.25)
    return r, np.vstack([a * np.eye(n), 2 * x]), lambda w: 2 * w[-1] * np.eye(n)


def variably_dimensioned(x):  # (25)
    k = np.arange(1, len(x) + 1)
    t = k @ (x - 1)
    r = np.concatenate([x - 1, [t, t * t]])
    J = np.vstack([np.eye(len(x)), k, 2 * t * k])
    return r, J, lambda w: 2 * w[-1] * np.outer(k, k)


def trigonometric(x):  # (26)
    n, i = len(x), np.arange(1, len(x) + 1)
    r = n - np.cos(x).sum() + i * (1 - np.cos(x)) - np.sin(x)
    J = np.tile(np.sin(x), (n, 1)) + np.diag(i * np.sin(x) - np.cos(x))
    return r, J, lambda w: np.diag(w.sum() * np.cos(x) + w * (i * np.cos(x) + np.sin(x)))


def broyden_tridiagonal(x):  # (30)
    n = len(x)
    J = np.diag(3 - 4 * x) - np.eye(n, k=-1) - 2 * np.eye(n, k=1)
    left, right = np.append(0, x[:-1]), np.append(x[1:], 0)
    return (3 - 2 * x) * x - left - 2 * right + 1, J, lambda w: np.diag(-4 * w)


# name: (parts, the paper's start)
MORE_GARBOW_HILLSTROM = {
    "rosenbrock": (rosenbrock, [-1.2, 1.0]),
    "freudenstein-roth": (freudenstein_roth, [0.5, -2.0]),
    "powell badly scaled": (powell_badly_scaled, [0.0, 1.0]),
    "brown badly scaled": (brown_badly_scaled, [1.0, 1.0]),
    "beale": (beale, [1.0, 1.0]),
    "jennrich-sampson": (jennrich_sampson, [0.3, 0.4]),
    "helical valley": (helical_valley, [-1.0, 0.0, 0.0]),
    "bard": (bard, [1.0, 1.0, 1.0]),
    "gaussian": (gaussian, [0.4, 1.0, 0.0]),
    "meyer": (meyer, [0.02, 4000.0, 250.0]),
    "box": (box, [0.0, 10.0, 20.0]),
    "powell singular": (powell_singular, [3.0, -1.0, 0.0, 1.0]),
    "wood": (wood, [-3.0, -1.0, -3.0, -1.0]),
    "kowalik-osborne": (kowalik_osborne, [0.25, 0.39, 0.415, 0.39]),
    "brown-dennis": (brown_dennis, [25.0, 5.0, -5.0, -1.0]),
    "biggs": (biggs, [1.0, 2.0, 1.0, 1.0, 1.0, 1.0]),
    "watson": (watson, [0.0] * 6),
    "penalty": (penalty, np.arange(1.0, 11)),
    "variably dimensioned": (variably_dimensioned, 1 - np.arange(1, 11) / 10),
    "trigonometric": (trigonometric, np.full(10, 0.1)),
    "broyden tridiagonal": (broyden_tridiagonal, np.full(10, -1.0)),
}

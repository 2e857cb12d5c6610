"""Products alone: a matrix without its singular values, and a Kronecker product applied."""

import numpy as np

from ..hints import checker, compare, mixtures, need, numbers, probe, reproduced, same, told


@checker
def check_newton_schulz(answer, rng):
    """Check ``newton_schulz(G, steps)``, which steps X ← 1.5 X - 0.5 X XᵀX from G / ‖G‖_F.

    Half of the points are for square G, a quarter for wide and tall ones, and a quarter for very
    long ones.
    """
    n = int(rng.integers(3, 6))
    ask(answer, 3 * rng.normal(size=(n, n)), 3)
    ask(answer, rng.normal(size=(n, n)), 4)
    for steps in (0, 1, 20):
        G = rng.normal(size=(n, n))
        compare(
            answer(G, steps),
            after(G, steps),
            lambda G=G: {
                "Without a step too it is G / ‖G‖_F: this is G itself.": G,
            },
            "it is wrong, though three are right.",
            f"With steps = {steps}: ",
        )
    yield 1 / 2
    for shape in ((n, n + 3), (n + 2, n)):
        with told(f"Right for square G, but for G of shape {shape}: "):
            ask(answer, rng.normal(size=shape), 3)
    yield 3 / 4
    for length in (2_000, 30_000):  # a square of that size takes 32 MB and 7 GB
        for shape in ((length, 3), (3, length)):
            G = rng.normal(size=shape)
            got, peak = answer.peak(G, 2)
            need(
                length > 2000 or peak < 5e6,
                f"Right, but for G of shape {shape} it takes "
                f"{peak / 1e6:.0f} MB, as a square of its length does: of XᵀX and X Xᵀ "
                "form the smaller.",
            )
            compare(got, after(G, 2), dict, "it is wrong.", f"Right, but for G of shape {shape}: ")


def after(G, steps):
    """Take the steps on the singular values alone: s ← 1.5 s - 0.5 s³."""
    U, s, V = np.linalg.svd(G, full_matrices=False)
    s = s / np.linalg.norm(s)
    for _ in range(steps):
        s = 1.5 * s - 0.5 * s**3
    return (U * s) @ V


def ask(answer, G, steps):
    got = numbers(answer(G, steps), G.shape)
    need(not same(got, G), "It does not move: this is G itself.")
    compare(
        got,
        after(G, steps),
        lambda: reproduced(answer, slips, (G, steps), (np.cos(3 * G), steps + 3)),
        lambda: stray(answer, G, steps),
    )


def stray(answer, G, steps):
    """Say in words after how many steps the answer is wrong."""
    what = "X = G / ‖G‖_F, and then `steps` times X ← 1.5 X - 0.5 X XᵀX"
    for k in range(steps):
        got, right = probe(answer, G.shape, G, k), after(G, k)
        if got is not None and not same(got, right):
            for j in range(40):
                need(not same(got, after(G, j)), f"With steps = {k} it is what {j} of them give.")
            i, j = np.unravel_index(np.abs(got - right).argmax(), G.shape)
            return (
                f"Not yet: {what}. With steps = {k} entry {i}, {j} should be "
                f"{right[i, j]:.6g}; yours is {got[i, j]:.6g}."
            )
    return f"Not yet: {what}. With fewer than {steps} steps no fault shows."


def slips(G, steps):
    """Return what the iteration gives with one or two things wrong in it, by their hints."""
    U, s, V = np.linalg.svd(G, full_matrices=False)
    square = G.shape[0] == G.shape[1]

    def run(size, step, count, out):
        X = first = G / size
        with np.errstate(all="ignore"):
            for _ in range(count):
                X = step(X, first)
        return out(np.nan_to_num(X, nan=0.0, posinf=0.0, neginf=0.0))

    cubes = {
        "": lambda X, first: 1.5 * X - 0.5 * X @ X.T @ X,
        "The step is 1.5 X - 0.5 X XᵀX: the sign is wrong.": lambda X, first: (
            1.5 * X + 0.5 * X @ X.T @ X
        ),
        "1.5 and 0.5 have changed places.": lambda X, first: 0.5 * X - 1.5 * X @ X.T @ X,
        "1.5 and 0.5 have changed places, and the signs too.": lambda X, first: (
            1.5 * X @ X.T @ X - 0.5 * X
        ),
        "The factor 0.5 is missing.": lambda X, first: 1.5 * X - X @ X.T @ X,
        "The factor 1.5 is missing: X - 0.5 X XᵀX shrinks everything.": lambda X, first: (
            X - 0.5 * X @ X.T @ X
        ),
        "The factor is 1.5, not 2: these are the steps for an inverse.": lambda X, first: (
            2 * X - X @ X.T @ X
        ),
        "It cubes entry by entry: X XᵀX is made of matrix products.": lambda X, first: (
            1.5 * X - 0.5 * X**3
        ),
        "X stays what it was in X XᵀX: take the new X each time.": lambda X, first: (
            1.5 * X - 0.5 * first @ first.T @ first
        ),
        "X Xᵀ stays what it was in X XᵀX: take the new X each time.": lambda X, first: (
            1.5 * X - 0.5 * first @ first.T @ X
        ),
        "XᵀX stays what it was in X XᵀX: take the new X each time.": lambda X, first: (
            1.5 * X - 0.5 * X @ first.T @ first
        ),
        "In X XᵀX it takes 1.5 X for X: keep the old one.": lambda X, first: (
            1.5 * X - 0.5 * 1.5**3 * X @ X.T @ X
        ),
        "The first term is 1.5 times the new X, not the first one.": lambda X, first: (
            1.5 * first - 0.5 * X @ X.T @ X
        ),
        "These are Muon's coefficients, three of them: "
        "they are quick, and never arrive.": lambda X, first: (
            3.4445 * X - 4.775 * X @ X.T @ X + 2.0315 * X @ X.T @ X @ X.T @ X
        ),
        "It divides by the norm again after each step: once, at the start.": lambda X, first: (
            (Z := 1.5 * X - 0.5 * X @ X.T @ X) / np.linalg.norm(Z)
        ),
        "It divides by the norm before each step: once, at the start.": lambda X, first: (
            1.5 * (Z := X / np.linalg.norm(X)) - 0.5 * Z @ Z.T @ Z
        ),
        "The half belongs to X XᵀX alone: the factor of X is 1.5, not 0.75.": lambda X, first: (
            0.75 * X - 0.5 * X @ X.T @ X
        ),
        "In X XᵀX it has G, before it was divided by its "
        "norm: take the X of each step.": lambda X, first: 1.5 * X - 0.5 * G @ G.T @ X,
        "The factor is 1.5, not 3: with a 3, the whole is halved.": lambda X, first: (
            3 * X - 0.5 * X @ X.T @ X
        ),
        "The factor is 1.5, not 3, and that of X XᵀX "
        "0.5: the whole is to be halved.": lambda X, first: 3 * X - X @ X.T @ X,
        "1.5 is added to every entry of XᵀX: it wants the identity, 1.5 I.": lambda X, first: (
            X @ (1.5 - 0.5 * X.T @ X)
        ),
        "1.5 is added to every entry of X Xᵀ: it wants the identity, 1.5 I.": lambda X, first: (
            (1.5 - 0.5 * X @ X.T) @ X
        ),
    }
    if square:
        cubes |= {
            "X * Xᵀ * X is entry by entry: X XᵀX is made of matrix products.": lambda X, first: (
                1.5 * X - 0.5 * X * X.T * X
            ),
            "X is multiplied entry by entry: matrices take @.": lambda X, first: (
                X * (1.5 * np.eye(len(X)) - 0.5 * X.T @ X)
            ),
            "X is multiplied entry by entry, and 1.5 wants "
            "the identity: matrices take @.": lambda X, first: X * (1.5 - 0.5 * X.T @ X),
            "The transpose is missing: X XᵀX, not X³.": lambda X, first: 1.5 * X - 0.5 * X @ X @ X,
            "The transpose belongs in the middle: X XᵀX, not Xᵀ X X.": lambda X, first: (
                1.5 * X - 0.5 * X.T @ X @ X
            ),
            "The transpose belongs in the middle: X XᵀX, not X X Xᵀ.": lambda X, first: (
                1.5 * X - 0.5 * X @ X @ X.T
            ),
            "One X is missing: X XᵀX, not XᵀX.": lambda X, first: 1.5 * X - 0.5 * X.T @ X,
            "One X is missing: X XᵀX, not X Xᵀ.": lambda X, first: 1.5 * X - 0.5 * X @ X.T,
            "It has Xᵀ X Xᵀ: the transpose belongs in the middle alone.": lambda X, first: (
                1.5 * X - 0.5 * X.T @ X @ X.T
            ),
        }
    found = mixtures(
        run,
        {
            "": np.linalg.norm(s),
            "Divide by the Frobenius norm first.": 1.0,
            "It divides by the largest singular value: the "
            "exercise asks for the Frobenius norm.": s[0],
            "It divides by the square of the Frobenius norm: take the root.": s @ s,
            "It multiplies by the Frobenius norm: divide by it.": 1 / np.linalg.norm(s),
            "It divides by the largest entry, not by the Frobenius norm.": np.abs(G).max(),
            "It divides by the largest of the entries: the "
            "Frobenius norm is the root of the sum of "
            "their squares.": G.max(),
            "It divides by the sum of the sizes, not by the root of the sum of squares.": np.abs(
                G
            ).sum(),
            "It divides by the sum of the singular values, not by the Frobenius norm.": s.sum(),
            "It divides each column by its norm: one number for the whole matrix.": np.linalg.norm(
                G, axis=0
            ),
            "It divides each row by its norm: one number for the whole matrix.": np.linalg.norm(
                G, axis=1
            )[:, None],
            "It divides by the largest sum of a column, not by the Frobenius norm.": np.abs(G)
            .sum(axis=0)
            .max(),
            "It divides by the largest sum of a row, not by the Frobenius norm.": np.abs(G)
            .sum(axis=1)
            .max(),
        },
        cubes,
        {
            "": steps,
            "It takes one step too many.": steps + 1,
            "It takes one step too few.": steps - 1,
            "This is one step, as where the loop returns, or starts anew from the first X.": 1,
            "X stays what it was before the steps, as where none is taken, or X XᵀX has no part in "
            "them.": 0,
            "It takes twice as many steps as asked for.": 2 * steps,
        },
        {
            "": lambda X: X,
            "It multiplies the norm back in at the end: the size of G should be gone.": lambda X: (
                X * np.linalg.norm(s)
            ),
            **({"It returns the transpose.": lambda X: X.T} if square else {}),
        },
    )
    return {
        "This is U Vᵀ itself, where the steps lead. Return what `steps` of them give.": U @ V,
        **({"This is the other polar factor, the symmetric one.": (V.T * s) @ V} if square else {}),
        **found,
    }


@checker
def check_kronecker_product(answer, rng):
    """Check ``kronecker_product(A, G, v)``, which is np.kron(A, G) @ v without np.kron.

    Half of the points are for small factors, half for factors whose product fits into no memory.
    """
    m, n = (int(k) for k in rng.permutation([[4, 3], [5, 3], [5, 4]])[0])  # A is the larger
    A, G, v = rng.normal(size=(m, m)), rng.normal(size=(n, n)), rng.normal(size=m * n)

    def slips():
        def flat(order):
            return lambda M: M.ravel(order=order)

        order = "with A V Gᵀ both go by rows, with G V Aᵀ both by columns."
        return {
            "The factors have changed places, or reshape and ravel both go by columns: this is "
            "np.kron(G, A) @ v.": np.kron(G, A) @ v,
        } | mixtures(
            lambda V, left, right, out: out(left @ V @ right),
            {
                "": v.reshape(m, n),
                f"In effect it reads v by columns and flattens A V Gᵀ by rows: {order}": v.reshape(
                    m, n, order="F"
                ),
            },
            {
                "": A,
                "In effect A is transposed: right is A V Gᵀ or, on the transpose, G Vᵀ Aᵀ.": A.T,
                "A is missing.": np.eye(m),
            },
            {
                "": G.T,
                "In effect G is not transposed: right is A V Gᵀ or, on the transpose, G Vᵀ Aᵀ.": G,
                "G is missing.": np.eye(n),
            },
            {
                "": flat("C"),
                f"In effect it reads v by rows and flattens A V Gᵀ by columns: {order}": flat("F"),
            },
        )

    compare(answer(A, G, v), np.kron(A, G) @ v, slips, lambda: told_apart(answer, A, G, v))
    yield 1 / 2
    for m, n in ((40, 60), (800, 1000)):  # np.kron would take 46 MB and 5 TB
        A, G, v = rng.normal(size=(m, m)), rng.normal(size=(n, n)), rng.normal(size=m * n)
        got, peak = answer.peak(A, G, v)
        need(
            n > 60 or peak < 5e6,
            f"Right, but with {m} and {n} rows it takes {peak / 1e6:.0f} "
            "MB, and np.kron(A, G) would take 46: do not form it.",
        )
        compare(
            got,
            (A @ v.reshape(m, n) @ G.T).ravel(),
            dict,
            "it is wrong.",
            f"Right for small factors. For such of {m} and {n} rows: ",
        )


def told_apart(answer, A, G, v):
    """Say in words which factor is at fault; the identity takes the place of one or both."""
    m, n = len(A), len(G)
    S, T = A + A.T, G + G.T
    alike = probe(answer, v.shape, S, T, v)
    if alike is not None and same(alike, np.kron(S, T) @ v):
        return "It is right where A and G are symmetric: neither need be."
    what = "Not yet: v is a matrix V with a row for each row of A."
    for left, right, names, rule in (
        (np.eye(m), np.eye(n), "A and G are", "it should give v back"),
        (A, np.eye(n), "G is", "A should multiply the columns of V"),
        (np.eye(m), G, "A is", "G should multiply the rows of V"),
    ):
        got = probe(answer, v.shape, left, right, v)
        if got is not None and not same(got, np.kron(left, right) @ v):
            few = np.arange(1, 7)
            said = probe(answer, (6,), np.eye(2), np.eye(3), few)
            shown = said is not None and not same(said, few) and names == "A and G are"
            return (
                f"{what} It is wrong already where {names} the identity: there {rule}."
                + f" Of {few} it makes {said}." * shown
            )
    return f"{what} With the identity for A or G no fault shows, but with two other factors."

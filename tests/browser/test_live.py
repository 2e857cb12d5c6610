"""The engine in the page against soo_lib: two implementations, each the other's test.

Served as the files that they are, so no book need be built.
"""

import functools
import http.server
import itertools
import re
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import Quiet
from helpers import Saddle, WrongSign

from soo_lib.book.live import WEB
from soo_lib.gradient_test import judge
from soo_lib.losses import Batched, Logistic, Loss, Network, Rosenbrock
from soo_lib.solvers import Status, minimize, stop
from soo_lib.solvers.stop import why_no_decrease
from soo_lib.stochastic import minimize_stochastic

METHODS = "gradient", "newton", "nlcg", "bfgs", "lbfgs"


class Quadratic(Loss):
    """½ xᵀHx with the eigenvalues 1 and kappa, the first along the direction ``angle``."""

    n_params = 2

    def __init__(self, kappa, angle):
        Q = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        self.H = Q @ np.diag([1, kappa]) @ Q.T
        self.fun = lambda x: float(x @ self.H @ x) / 2
        self.jac = lambda x: self.H @ x
        self.hess = lambda x: self.H


class Dealt(Loss):
    """Other rows at every evaluation: those of a list, one after another."""

    def __init__(self, loss, rows):
        self.loss, self.n_params, self.deal = loss, loss.n_params, itertools.cycle(rows)

    def _fresh(self):
        return self.loss.subset(next(self.deal))

    fun = lambda self, x: self._fresh().fun(x)  # noqa: E731
    jac = lambda self, x: self._fresh().jac(x)  # noqa: E731
    fun_and_jac = lambda self, x: self._fresh().fun_and_jac(x)  # noqa: E731
    hess = lambda self, x: self._fresh().hess(x)  # noqa: E731


class Shaken(Loss):
    """A loss that rounds otherwise, by some units in the last place: sums in another order do."""

    def __init__(self, loss, seed):
        rng = np.random.default_rng(seed)
        self.loss, self.n_params, self.why_no_minimum = loss, loss.n_params, loss.why_no_minimum
        self._shake = lambda v: v * (1 + 2.0**-52 * rng.integers(-8, 9, size=np.shape(v)))

    def fun(self, x):
        return float(self._shake(self.loss.fun(x)))

    def jac(self, x):
        return self._shake(self.loss.jac(x))

    def fun_and_jac(self, x):
        f, g = self.loss.fun_and_jac(x)
        return float(self._shake(f)), self._shake(g)

    def hess(self, x):
        H = self._shake(self.loss.hess(x))
        return (H + H.T) / 2


rng = np.random.default_rng(5)
X, PLANE = np.c_[np.ones(40), rng.normal(size=(40, 2))], rng.normal(size=(60, 2))
Y = (X @ [0.3, 1, -2] + 1.5 * rng.normal(size=40) > 0).astype(int)
KIND = (np.hypot(*PLANE.T) > 1.1).astype(int) + (PLANE[:, 0] > 1)
BATCHES = [rng.choice(40, 12, replace=False) for _ in range(500)]

NETS = {"tanh": [2, 4, 3], "sigmoid": [2, 3, 3, 3], "relu": [2, 6, 3], "linear": [2, 3]}


# A penalty on the biases too: without one softmax leaves the last layer's sum of biases free, and
# Newton's method a Hessian whose smallest eigenvalue is rounding alone.
def net(activation, l2=0.1):
    return Network(NETS[activation], activation).loss(PLANE, KIND, l2=l2, penalize_bias=True)


# The same loss in Python and, as an expression, in the page.
DATA = "Float64Array.from(data.X.flat()), data.Y"
LOSSES = {
    "rosenbrock 50": (lambda: Rosenbrock(1, 50), "new Rosenbrock(1, 50)"),
    "rosenbrock 4": (lambda: Rosenbrock(1, 4), "new Rosenbrock(1, 4)"),
    "rosenbrock 100": (lambda: Rosenbrock(-1.5, 100), "new Rosenbrock(-1.5, 100)"),
    "quadratic 30": (lambda: Quadratic(30, 0.6), "new Quadratic(30, 0.6)"),
    "quadratic 200": (lambda: Quadratic(200, 2.2), "new Quadratic(200, 2.2)"),
    "saddle": (Saddle, "new Saddle()"),
    "logistic": (lambda: Logistic(X, Y), f"new Logistic({DATA})"),
    "logistic l2": (lambda: Logistic(X, Y, l2=0.1), f"new Logistic({DATA}, 0.1)"),
    "wrong sign": (
        lambda: WrongSign(Rosenbrock(1, 50)),
        "Object.assign(new Rosenbrock(1, 50), { fun_and_jac: (x) => {"
        " const [f, g] = new Rosenbrock(1, 50).fun_and_jac(x);"
        " return [f, g.map((v) => -v)]; } })",
    ),
    "separable": (
        lambda: Logistic(X, (X[:, 1] > 0) * 1),
        "new Logistic(Float64Array.from(data.X.flat()), data.X.map((r) => +(r[1] > 0)))",
    ),
    "batched": (
        lambda: Batched(Logistic(X, Y), BATCHES[:3] + [np.arange(5)], weights="rows"),
        f"new Batched(new Logistic({DATA}),"
        " [...data.BATCHES.slice(0, 3), [0, 1, 2, 3, 4]], 'rows')",
    ),
    "dealt": (
        lambda: Dealt(Logistic(X, Y), BATCHES),
        f"new Reshuffled(new Logistic({DATA}), 12, 1, 0, deal(data.BATCHES))",
    ),
    **{
        name: (
            functools.partial(net, name),
            f"new Network({sizes}, '{name}').loss("
            "Float64Array.from(data.PLANE.flat()), data.KIND, 0.1, true)",
        )
        for name, sizes in NETS.items()
    },
}
STARTS = {2: ([-1.2, 1.0], [1.7, -0.6]), 3: ([0, 0, 0], [1, -2, 0.5])}
SEARCHES = {
    "fixed": dict(line_search="fixed", step=0.01),
    "backtracking": dict(line_search="backtracking"),
    "shrink": dict(line_search="backtracking", step=1.7, shrink=0.3, c1=0.1),
    "wolfe": dict(line_search="wolfe"),
    "few": dict(line_search="backtracking", max_trials=2),
    "c2": dict(line_search="wolfe", step=0.3, c2=0.5, ftol=1e-3),
}


def starts(loss):
    if loss.n_params in STARTS:
        return STARTS[loss.n_params]
    return [
        np.random.default_rng(seed).normal(size=loss.n_params) * size
        for seed, size in enumerate((0.5, 1.2))
    ]


def combinations():
    for (name, (make, js)), method in itertools.product(LOSSES.items(), METHODS):
        for start, x0 in enumerate(starts(make())):
            for search, settings in SEARCHES.items():
                if method == "lbfgs" and search == "c2":
                    settings = {**settings, "memory": 3}
                most = 10 if name == "relu" else 60  # near its kinks any rounding changes the path
                options = {"method": method, "maxiter": most, "gtol": 1e-6, **settings}
                yield {
                    "id": f"{name}, {method}, {search}, start {start}",
                    "make": make,
                    "js": js,
                    "x0": x0,
                    "options": options,
                }


# All that the engine exports, by name, as the expressions in LOSSES take it.
ENGINE = """async () => {
    const names = ["linalg", "random", "losses/rosenbrock", "losses/plane", "losses/logistic",
        "losses/network", "losses/batches", "solvers/minimize", "stochastic/minimize"];
    const modules = await Promise.all(names.map((name) => import(`./live/${name}.js`)));
    return Object.assign({}, ...modules);
}"""

RUN = """async ({ runs, data }) => {
    const all = await engine();
    const deal = (batches, k = 0) => () => batches[k++ % batches.length];
    const keys = [...Object.keys(all), "data", "deal"];
    const values = [...Object.values(all), data, deal];
    return runs.map(({ js, x0, options, epochs }) => {
        const loss = new Function(...keys, `return ${js}`)(...values), path = [], notes = [];
        if (epochs) options.deal = deal(epochs);
        const run = (epochs ? all.iterate_epochs : all.iterate)(loss, x0, options);
        for (;;) {
            const { done, value } = run.next();
            if (done) {
                const { nit, message, success, nfev, njev, nhev, x, fun } = value;
                const counts = [nfev, njev, nhev];
                return { path, notes, nit, message, success, counts, x: [...x], fun: String(fun) };
            }
            if (!value) continue; // a batch of an epoch
            if (path.length <= 20) path.push([...value.last[0]]);
            notes.push(value.rows.at(-1).note);
        }
    });
}"""


@pytest.fixture(autouse=True)
def along_the_step_alone(monkeypatch):
    """The page's gradients are its own: it asks along the direction that failed, and no other."""
    asked, answers = stop.judge, []

    def judge(*question):
        if answers:
            return answers.pop()
        answers.append(asked(*question))
        return answers[0]

    monkeypatch.setattr(stop, "judge", judge)


@pytest.fixture(scope="module")
def page(chromium):
    handler = functools.partial(Quiet, directory=WEB)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = chromium.new_page()
        page.goto(f"http://localhost:{server.server_port}/")
        page.evaluate(f"window.engine = {ENGINE}; 0")
        yield page
        page.close()
        server.shutdown()


def in_page(page, runs):
    plain = [{**run, "x0": list(map(float, run["x0"]))} for run in runs]
    for run in plain:
        run.pop("make", None)
    data = {
        "X": X.tolist(),
        "Y": Y.tolist(),
        "PLANE": PLANE.tolist(),
        "KIND": KIND.tolist(),
        "BATCHES": [b.tolist() for b in BATCHES],
    }
    return page.evaluate(RUN, {"runs": plain, "data": data})


def in_python(run, around=lambda loss: loss):
    x0 = np.array(run["x0"], float)
    path = [x0]
    found = minimize(around(run["make"]()), x0, callback=lambda x: path.append(x), **run["options"])
    return {
        "path": path[:21],
        "notes": list(found.trace.note),
        "nit": found.nit,
        "x": found.x,
        "counts": [found.nfev, found.njev, found.nhev],
        "success": found.success,
        "message": found.message,
    }


def differs(a, b, share=1e-9):
    """The first thing in which two runs differ, or ""."""
    for k, (x, known) in enumerate(zip(a["path"], b["path"])):
        size = max(np.abs(known).max(), np.abs(b["path"][0]).max())
        if np.isfinite(known).all() and not np.abs(np.subtract(x, known)).max() <= share * size:
            return f"iterate {k}: {x} against {known}"
    digits = re.compile(r"(?<=norm )\S+")  # the last gradient is rounding's
    a, b = ({**run, "message": digits.sub("", run["message"])} for run in (a, b))
    for name in ("nit", "message", "success", "notes", "counts"):
        if a[name] != b[name]:
            return f"{name}: {a[name]} against {b[name]}"
    return ""


def test_iterate_by_iterate(page):
    """At least 300 combinations; a path may fork only where rounding forks soo_lib's own."""
    runs, forked = list(combinations()), []
    assert len(runs) >= 300
    for run, seen in zip(runs, in_page(page, runs), strict=True):
        known = in_python(run)
        if difference := differs(seen, known):
            twins = (in_python(run, functools.partial(Shaken, seed=seed)) for seed in range(8))
            assert any(differs(twin, known, 1e-10) for twin in twins), f"{run['id']}: {difference}"
            forked.append(f"{run['id']}: {difference}")
    print(f"{len(runs)} runs; rounding forks {len(forked)}:", *forked, sep="\n")
    assert len(forked) <= 0.02 * len(runs), forked


def test_a_resampled_loss_is_named_at_the_start(page):
    """All rows but one at each look: the same value at 0, and hardly another gradient."""
    looks = [np.delete(np.arange(40), k).tolist() for k in range(40)]
    seen = page.evaluate(
        """async ({ X, Y, looks }) => {
        const { Logistic } = await import("./live/losses/logistic.js");
        const { times } = await import("./live/linalg.js");
        const { Reshuffled } = await import("./live/losses/batches.js");
        const { why_no_decrease } = await import("./live/solvers/stop.js");
        const full = new Logistic(Float64Array.from(X.flat()), Y), x = new Float64Array(3);
        const loss = new Reshuffled(full, 39, 1, 0, () => looks.pop());
        const [f, g] = loss.fun_and_jac(x);
        return why_no_decrease(loss, x, f, g, times(-1, g)).message;
    }""",
        {"X": X.tolist(), "Y": Y.tolist(), "looks": looks},
    )
    loss, x = Dealt(Logistic(X, Y), looks[::-1]), np.zeros(3)
    f, g = loss.fun_and_jac(x)
    assert seen == why_no_decrease(loss, x, f, g, -g).message == Status.RESAMPLED.value


@pytest.mark.parametrize("weight, ridge", [(10, 0), (10, 1e-18), (10, 1e-14), (1, 0), (1e4, 0)])
def test_a_kink_is_no_rounding(page, weight, ridge):
    """On the ridge of |x| + w|y|, where steepest descent is stuck."""
    seen = page.evaluate(
        """async ([w, x]) => {
        const { why_no_decrease } = await import("./live/solvers/stop.js");
        const fun_and_jac = ([x, y]) => [Math.abs(x) + w * Math.abs(y),
            Float64Array.of(x < 0 ? -1 : 1, y < 0 ? -w : w)];
        const at = Float64Array.from(x), [f, g] = fun_and_jac(at);
        const fun = (x) => fun_and_jac(x)[0];
        return why_no_decrease({ fun, fun_and_jac }, at, f, g, g.map((v) => -v)).message;
    }""",
        [weight, [1.1, ridge]],
    )

    class Ridge(Loss):
        n_params = 2

        def fun(self, x):
            return abs(x[0]) + weight * abs(x[1])

        def fun_and_jac(self, x):
            return self.fun(x), np.where(x < 0, -1.0, 1.0) * [1, weight]

    x = np.array([1.1, ridge])
    f, g = Ridge().fun_and_jac(x)
    assert seen == why_no_decrease(Ridge(), x, f, g, -g).message == Status.KINK.value


@pytest.mark.parametrize("kind", ["tanh", "sigmoid", "relu"])
def test_rules_on_given_batches(page, kind, monkeypatch):
    rules = {
        "sgd": {},
        "momentum": {"momentum": 0.8},
        "adam": {"beta2": 0.9},
        "kronecker": {"refresh": 3, "damping": 0.1},
    }
    x0 = Network(NETS[kind]).init(1)
    deals = [np.array_split(rng.permutation(60), 5) for _ in range(8)]
    runs = [
        {
            "js": LOSSES[kind][1],
            "x0": x0,
            "epochs": [[b.tolist() for b in d] for d in deals],
            "options": {"rule": rule, "epochs": 8, "batch_size": 12, "step": 0.05, **settings},
        }
        for rule, settings in rules.items()
    ]
    for run, seen in zip(runs, in_page(page, runs), strict=True):
        order = iter(deals)
        monkeypatch.setattr(
            "soo_lib.stochastic.minimize.partition", lambda *_, order=order: next(order)
        )
        path = [x0]
        found = minimize_stochastic(net(kind), x0, callback=path.append, **run["options"])
        np.testing.assert_allclose(seen["path"], path, rtol=1e-9, atol=1e-12)
        assert seen["message"] == found.message
        assert seen["counts"] == [found.nfev, found.njev, found.nhev]


def test_diverging_rule_says_so(page):
    run = {
        "js": LOSSES["linear"][1],
        "x0": np.ones(9),
        "epochs": [[list(range(60))]],
        "options": {"rule": "sgd", "epochs": 3, "step": 1e200},
    }
    seen = in_page(page, [run])[0]
    known = minimize_stochastic(net("linear"), np.ones(9), batch_size=60, epochs=3, step=1e200)
    assert seen["message"] == known.message and not seen["success"]


DERIVATIVES = """async ({ js, data, x0, seed }) => {
    const all = await engine();
    const loss = new Function(...Object.keys(all), "data", `return ${js}`)(
        ...Object.values(all), data);
    const { plus, dot, product } = all, x = Float64Array.from(x0), random = all.normal(seed);
    const [d, p] = [x.map(random), x.map(random)];
    const fixed = { 1: (x) => loss.fun(x), 2: (x) => dot(loss.jac(x), p) };
    const slopes = { 1: dot(loss.jac(x), d), 2: dot(loss.hessp(x, p), d) };
    const errors = [1, 2].map((k) => [...Array(14)].map((_, i) => {
        const e = 2 ** (-2 - i);
        return (fixed[k](plus(x, e, d)) - fixed[k](plus(x, -e, d))) / (2 * e) - slopes[k];
    }));
    const H = loss.hess(x), apart = product(H, p).map((v, i) => v - loss.hessp(x, p)[i]);
    const both = loss.fun_and_jac(x);
    return { errors, size: Math.abs(slopes[1]) + Math.abs(slopes[2]), apart: all.largest(apart),
        Hp: [...loss.hessp(x, p)], p: [...p], H: [...H],
        same: both[0] === loss.fun(x) && all.largest(plus(both[1], -1, loss.jac(x))) === 0 };
}"""


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in ("dealt", "wrong sign")])
def test_derivatives_by_differences_of_their_own(page, name):
    """Central differences err as ε² (eq. 31); what Python thinks is asked afterwards."""
    make, js = LOSSES[name]
    loss = make()
    x0 = np.random.default_rng(3).normal(size=loss.n_params)
    data = {
        "X": X.tolist(),
        "Y": Y.tolist(),
        "PLANE": PLANE.tolist(),
        "KIND": KIND.tolist(),
        "BATCHES": [b.tolist() for b in BATCHES],
    }
    seen = page.evaluate(DERIVATIVES, {"js": js, "data": data, "x0": x0.tolist(), "seed": 4})
    for errors in np.abs(seen["errors"]):
        assert errors.min() < 1e-7 * seen["size"]
        # relu's kinks hide the order, and a quadratic's difference is exact
        clear = np.flatnonzero(errors[2:] > 1e-9 * seen["size"])[:6] + 2
        if name != "relu" and len(clear) >= 3:
            order = np.polyfit(-np.log(2) * clear, np.log(errors[clear]), 1)[0]
            assert order == pytest.approx(2, abs=0.2), errors
    assert seen["apart"] < 1e-11 * seen["size"] and seen["same"]
    p = np.array(seen["p"])
    np.testing.assert_allclose(seen["Hp"], loss.hessp(x0, p), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(seen["H"], loss.hess(x0).ravel(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("factor", [1, 2, -1, 1.01])
@pytest.mark.parametrize("x", [[-1.2, 1.0], [1.0, 1.0], [0.3, -2.0]])
def test_the_gradient_test_is_the_same(page, factor, x):
    seen = page.evaluate(
        """async ([x, factor]) => {
        const { judge } = await import("./live/gradient_test.js");
        const { Rosenbrock } = await import("./live/losses/rosenbrock.js");
        const loss = new Rosenbrock(1, 50), at = Float64Array.from(x);
        const jac = (x) => loss.jac(x).map((v) => factor * v);
        const wrong = { fun: (x) => loss.fun(x), fun_and_jac: (x) => [loss.fun(x), jac(x)] };
        const d = Float64Array.of(0.6, -0.8), { verdict, eps, errors, order } =
            judge(wrong, at, loss.fun(at), jac(at), d);
        return { verdict, eps, errors, order: String(order) };
    }""",
        [x, factor],
    )
    loss = Rosenbrock(1, 50)
    wrong = SimpleNamespace(fun=loss.fun, fun_and_jac=lambda x: (loss.fun(x), factor * loss.jac(x)))
    x, d = np.array(x), np.array([0.6, -0.8])
    known = judge(wrong, x, loss.fun(x), factor * loss.jac(x), d)
    assert seen["verdict"] == known.verdict
    clear = known.errors > 1e-6 * np.abs(loss.jac(x)).max()
    np.testing.assert_allclose(np.array(seen["errors"])[clear], known.errors[clear], rtol=1e-6)
    if np.isfinite(known.order):
        assert float(seen["order"]) == pytest.approx(known.order, abs=1e-3)


def test_linear_algebra(page):
    """Eigenvalues whole and by Lanczos, and a solution, against numpy's."""
    A = np.random.default_rng(0).normal(size=(30, 30))
    A = A + A.T
    A[4] = A[:, 4] = 0  # a column that needs no reflection
    seen = page.evaluate(
        """async (flat) => {
        const { cho_solve, cholesky, eigh, product } = await import("./live/linalg.js");
        const { lanczos } = await import("./live/curvature/spectrum.js");
        const { drain } = await import("./live/solvers/minimize.js");
        const A = Float64Array.from(flat), { values, vectors } = eigh(A, 30);
        const P = A.map((v, i) => v + (i % 31 ? 0 : 40));
        return { values: [...values], vectors: [...vectors], 
            solved: [...cho_solve(cholesky(P, 30), A.slice(0, 30))],
            none: cholesky(A, 30), ends: drain(lanczos((p) => product(A, p), 30)) };
    }""",
        A.ravel().tolist(),
    )
    known, V = np.linalg.eigvalsh(A), np.reshape(seen["vectors"], (30, 30))
    np.testing.assert_allclose(np.sort(seen["values"]), known, atol=1e-12)
    np.testing.assert_allclose(A @ V.T, V.T * seen["values"], atol=1e-12)
    np.testing.assert_allclose(V @ V.T, np.eye(30), atol=1e-12)
    solved = np.linalg.solve(A + 40 * np.eye(30), A[0])
    np.testing.assert_allclose(seen["solved"], solved, atol=1e-14)
    np.testing.assert_allclose(seen["ends"], known[[0, -1]], rtol=1e-10)
    assert seen["none"] is None


def test_numbers_and_ticks_for_a_reader(page):
    seen = page.evaluate("""async () => {
        const { show } = await import("./draw/elements.js");
        const { scale } = await import("./draw/draw.js");
        return [[1e-8, -1e-8, -1.5e-8, 1.5e6, -0.25, 0].map((v) => show(v)),
            scale(-2, 2).ticks, scale(-0.3, -0.1).ticks, scale(0.5, 4, true).ticks]; }""")
    assert seen[0] == ["10⁻⁸", "−10⁻⁸", "−1.5·10⁻⁸", "1.5·10⁶", "−0.25", "0"]
    assert seen[1:] == [
        [-2, -1, 0, 1, 2],
        pytest.approx([-0.3, -0.25, -0.2, -0.15, -0.1]),
        pytest.approx([0.5, 0.7, 1, 2, 3]),
    ]

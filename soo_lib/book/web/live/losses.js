// Losses: fun, jac, fun_and_jac, hess, hessp on a flat vector (paper, eqs 6 and 15-18).

import { dot, largest, product } from "./linalg.js";

export class Loss {
  fun_and_jac(x) { return [this.fun(x), this.jac(x)]; }
  hessp(x, p) { return product(this.hess(x), p); }
  ggnp(x, p) { return this.hessp(x, p); }
  gnorm(g) { return largest(g); }
  why_no_minimum() { return ""; }
}

/** (a - x)² + b (y - x²)², eq. 6. */
export class Rosenbrock extends Loss {
  n_params = 2;
  constructor(a = 1, b = 50) { super(); Object.assign(this, { a, b }); }
  fun([x, y]) { return (this.a - x) ** 2 + this.b * (y - x * x) ** 2; }
  jac([x, y]) {
    const r = y - x * x;
    return Float64Array.of(-2 * (this.a - x) - 4 * this.b * x * r, 2 * this.b * r);
  }
  hess([x, y]) {
    const { b } = this;
    return Float64Array.of(2 - 4 * b * (y - 3 * x * x), -4 * b * x, -4 * b * x, 2 * b);
  }
}

/** ½ xᵀHx with the eigenvalues 1 and κ, the first along the direction `angle`. */
export class Quadratic extends Loss {
  n_params = 2;
  constructor(kappa = 10, angle = 0) {
    super();
    const c = Math.cos(angle), s = Math.sin(angle), off = (1 - kappa) * c * s;
    this.H = Float64Array.of(c * c + kappa * s * s, off, off, s * s + kappa * c * c);
  }
  fun(x) { return 0.5 * dot(x, product(this.H, x)); }
  jac(x) { return product(this.H, x); }
  hess() { return this.H.slice(); }
}

/** x² - y² + y⁴: a saddle at 0, minima of -1/4 at (0, ±1/√2). */
export class Saddle extends Loss {
  n_params = 2;
  fun([x, y]) { return x * x - y * y + y ** 4; }
  jac([x, y]) { return Float64Array.of(2 * x, -2 * y + 4 * y ** 3); }
  hess([, y]) { return Float64Array.of(2, 0, 0, -2 + 12 * y * y); }
}

/** ½·l2·Σ weights·x², which other losses add to theirs. */
export class L2 extends Loss {
  constructor(n_params, l2, mask = null) {
    super();
    Object.assign(this, { n_params, l2, weights: new Float64Array(n_params).fill(l2) });
    if (mask) this.weights = this.weights.map((w, i) => w * mask[i]);
  }
  fun(x) { return this.l2 ? 0.5 * dot(this.jac(x), x) : 0; }
  jac(x) { return this.weights.map((w, i) => w * x[i]); }
}

const expit = (z) => 1 / (1 + Math.exp(-z));

/** -mean(y log ŷ + (1 - y) log(1 - ŷ)) + ½·l2·‖x‖², ŷ = σ(X x), eqs 15-18. X: rows in one array. */
export class Logistic extends Loss {
  constructor(X, y, l2 = 0) {
    super();
    Object.assign(this, { X, y, n_samples: y.length, n_params: X.length / y.length });
    this.penalty = new L2(this.n_params, l2);
  }
  subset(rows) { return new Logistic(...take(this.X, this.y, rows), this.penalty.l2); }
  fun(x) { return this.fun_and_jac(x)[0]; }
  jac(x) { return this.fun_and_jac(x)[1]; }
  fun_and_jac(x) {
    const { n_samples: m, n_params: n } = this, g = new Float64Array(n);
    let f = 0;
    this.rows(x, (z, y, row) => {
      f += Math.max(0, z) + Math.log1p(Math.exp(-Math.abs(z))) - y * z; // eq. 15, safe for any z
      for (let k = 0, r = expit(z) - y; k < n; k++) g[k] += r * row[k]; // eqs 16-17
    });
    const pull = this.penalty.jac(x);
    return [f / m + this.penalty.fun(x), g.map((v, k) => v / m + pull[k])];
  }
  hess(x) {
    const { n_samples: m, n_params: n } = this, H = new Float64Array(n * n);
    this.rows(x, (z, y, row) => {
      const h = expit(z), w = (h * (1 - h)) / m;
      for (let i = 0; i < n; i++) for (let k = 0; k < n; k++) H[i * n + k] += w * row[i] * row[k]; // eq. 18
    });
    for (let k = 0; k < n; k++) H[k * n + k] += this.penalty.weights[k];
    return H;
  }
  why_no_minimum() { // Rosenblatt's perceptron comes to rest where the classes can be separated, and only there
    const d = new Float64Array(this.n_params);
    for (let pass = 0, wrong = !this.penalty.l2; pass < 300 && wrong; pass++) {
      wrong = false;
      this.rows(d, (z, y, row) => {
        if ((2 * y - 1) * z > 0) return;
        wrong = true;
        row.forEach((v, k) => (d[k] += (2 * y - 1) * v));
      });
      if (!wrong) return "the two classes can be separated, so the logistic loss falls for ever and has no minimum; add a penalty (l2 > 0)";
    }
    return "";
  }
  rows(x, visit) {
    for (let i = 0, n = this.n_params; i < this.n_samples; i++) {
      const row = this.X.subarray(i * n, (i + 1) * n);
      visit(dot(row, x), this.y[i], row);
    }
  }
}

/** The rows of X, and the labels, that `rows` lists. */
export function take(X, y, rows) {
  const n = X.length / y.length, part = new Float64Array(rows.length * n);
  rows.forEach((row, i) => part.set(X.subarray(row * n, (row + 1) * n), i * n));
  return [part, Array.from(rows, (row) => y[row])];
}

// Losses: fun, jac, fun_and_jac, hess, hessp on a flat vector (paper, eqs 6 and 15-18).

import { dot, product, zeros } from "./linalg.js";

export class Loss {
  fun(x) { return this.fun_and_jac(x)[0]; }
  jac(x) { return this.fun_and_jac(x)[1]; }
  hessp(x, p) { return product(this.hess(x), p); }
  why_no_minimum() { return ""; }
}

/** (a - x)² + b (y - x²)², eq. 6. */
export class Rosenbrock extends Loss {
  n_params = 2;
  constructor(a = 1, b = 50) { super(); Object.assign(this, { a, b }); }
  fun([x, y]) { return (this.a - x) ** 2 + this.b * (y - x * x) ** 2; }
  jac([x, y], r = y - x * x) { return Float64Array.of(-2 * (this.a - x) - 4 * this.b * x * r, 2 * this.b * r); }
  fun_and_jac(x) { return [this.fun(x), this.jac(x)]; }
  hess([x, y], b = this.b) { return Float64Array.of(2 - 4 * b * (y - 3 * x * x), -4 * b * x, -4 * b * x, 2 * b); }
}

/** ½ xᵀHx with the eigenvalues 1 and κ, the first along the direction `angle`. */
export class Quadratic extends Loss {
  n_params = 2;
  constructor(kappa = 10, angle = 0) {
    super();
    const c = Math.cos(angle), s = Math.sin(angle), off = (1 - kappa) * c * s;
    this.H = Float64Array.of(c * c + kappa * s * s, off, off, s * s + kappa * c * c);
  }
  fun_and_jac(x, g = product(this.H, x)) { return [0.5 * dot(x, g), g]; }
  hess() { return this.H.slice(); }
}

/** x² - y² + y⁴: a saddle at 0, minima of -1/4 at (0, ±1/√2). */
export class Saddle extends Loss {
  n_params = 2;
  fun_and_jac([x, y]) { return [x * x - y * y + y ** 4, Float64Array.of(2 * x, -2 * y + 4 * y ** 3)]; }
  hess([, y]) { return Float64Array.of(2, 0, 0, -2 + 12 * y * y); }
}

/** A mean over rows plus ½·l2·Σ mask·x²; `X` holds the rows one after another. */
export class DataLoss extends Loss {
  penalise(n_params, l2, mask = null) { Object.assign(this, { n_params, l2, weights: zeros(n_params).map((_, i) => l2 * (mask ? mask[i] : 1)) }); }
  mean(total, x) { return total.map((v, i) => v / this.n_samples + this.weights[i] * x[i]); }
  half(x) { return this.l2 ? 0.5 * dot(x.map((v, i) => this.weights[i] * v), x) : 0; }
}

/** -mean(y log ŷ + (1 - y) log(1 - ŷ)) + ½·l2·‖x‖², ŷ = σ(X x), eqs 15-18. */
export class Logistic extends DataLoss {
  constructor(X, y, l2 = 0) {
    super();
    Object.assign(this, { X, y, n_samples: y.length });
    this.penalise(X.length / y.length, l2);
  }
  subset(rows) { return new Logistic(...take(this.X, this.y, rows), this.l2); }
  rows(x, visit) {
    const { X, y, n_params: n } = this, row = zeros(n); // one row after another in it
    for (let i = 0; i < y.length; i++) {
      for (let k = 0; k < n; k++) row[k] = X[i * n + k];
      const z = dot(row, x);
      visit(z, y[i], row, 1 / (1 + Math.exp(-z)));
    }
  }
  fun_and_jac(x) {
    const g = zeros(this.n_params);
    let f = 0;
    this.rows(x, (z, y, row, p) => {
      f += Math.max(0, z) + Math.log1p(Math.exp(-Math.abs(z))) - y * z; // eq. 15, safe for any z
      for (let k = 0; k < g.length; k++) g[k] += (p - y) * row[k]; // eqs 16-17
    });
    return [f / this.n_samples + this.half(x), this.mean(g, x)];
  }
  hess(x) {
    const { n_samples: m, n_params: n } = this, H = zeros(n * n);
    this.rows(x, (z, y, row, p) => {
      for (let i = 0; i < n; i++) for (let k = 0; k < n; k++) H[i * n + k] += ((p * (1 - p)) / m) * row[i] * row[k]; // eq. 18
    });
    this.weights.forEach((w, k) => (H[k * n + k] += w));
    return H;
  }
  why_no_minimum() { // Rosenblatt's perceptron comes to rest where the classes can be separated, and only there
    const d = zeros(this.n_params);
    for (let pass = 0, wrong = !this.l2; pass < 300 && wrong; pass++) {
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
}

/** The rows of X, and the labels, that `rows` lists. */
export function take(X, y, rows) {
  const n = X.length / y.length, part = zeros(rows.length * n);
  rows.forEach((row, i) => { for (let k = 0; k < n; k++) part[i * n + k] = X[row * n + k]; });
  return [part, Array.from(rows, (row) => y[row])];
}

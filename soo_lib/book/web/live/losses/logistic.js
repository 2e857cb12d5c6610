// Logistic regression (paper, eqs 15-18).

import { dot, zeros } from "../linalg.js";
import { DataLoss, take } from "./base.js";

/** -mean(y log ŷ + (1 - y) log(1 - ŷ)) + ½·l2·‖x‖², ŷ = σ(X x), eqs 15-18. */
export class Logistic extends DataLoss {
  constructor(X, y, l2 = 0) {
    super();
    Object.assign(this, { X, y, n_samples: y.length });
    this.penalise(X.length / y.length, l2);
  }
  subset(rows) {
    return new Logistic(...take(this.X, this.y, rows), this.l2);
  }
  rows(x, visit) {
    const { X, y, n_params: n } = this;
    const row = zeros(n); // one row after another in it
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
    const { n_samples: m, n_params: n } = this;
    const H = zeros(n * n);
    this.rows(x, (z, y, row, p) => {
      for (let i = 0; i < n; i++)
        for (let k = 0; k < n; k++) H[i * n + k] += ((p * (1 - p)) / m) * row[i] * row[k]; // eq. 18
    });
    this.weights.forEach((w, k) => (H[k * n + k] += w));
    return H;
  }
  why_no_minimum() {
    // Without a penalty the loss falls for ever along any d that separates the classes, and the
    // perceptron finds one where there is one (Rosenblatt 1958): here in at most 300 passes.
    let d = zeros(this.n_params);
    for (let pass = 0; pass < 300 && !this.l2; pass++) {
      let wrong = false;
      const next = d.slice();
      this.rows(d, (z, y, row) => {
        if ((2 * y - 1) * z > 0) return;
        wrong = true;
        row.forEach((v, k) => (next[k] += (2 * y - 1) * v));
      });
      d = next;
      if (!wrong)
        return "the two classes can be separated, so the logistic loss falls for ever and has no minimum; add a penalty (l2 > 0)";
    }
    return "";
  }
}

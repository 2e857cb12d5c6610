// Losses: fun, jac, fun_and_jac, hess, hessp on a flat vector (paper, eqs 6 and 15-18).

import { dot, product, zeros } from "../linalg.js";

export class Loss {
  fun(x) {
    return this.fun_and_jac(x)[0];
  }
  jac(x) {
    return this.fun_and_jac(x)[1];
  }
  hessp(x, p) {
    return product(this.hess(x), p);
  }
  why_no_minimum() {
    return "";
  }
}

/** A mean over rows plus ½·l2·Σ mask·x²; `X` holds the rows one after another. */
export class DataLoss extends Loss {
  penalise(n_params, l2, mask = null) {
    Object.assign(this, {
      n_params,
      l2,
      weights: zeros(n_params).map((_, i) => l2 * (mask ? mask[i] : 1)),
    });
  }
  mean(total, x) {
    return total.map((v, i) => v / this.n_samples + this.weights[i] * x[i]);
  }
  half(x) {
    return this.l2
      ? 0.5 *
          dot(
            x.map((v, i) => this.weights[i] * v),
            x,
          )
      : 0;
  }
}

/** The rows of X, and the labels, that `rows` lists. */
export function take(X, y, rows) {
  const n = X.length / y.length;
  const part = zeros(rows.length * n);
  rows.forEach((row, i) => {
    for (let k = 0; k < n; k++) part[i * n + k] = X[row * n + k];
  });
  return [part, Array.from(rows, (row) => y[row])];
}

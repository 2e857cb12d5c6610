// Losses of two variables that a reader plays with, beside Rosenbrock's.

import { dot, product } from "../linalg.js";
import { Loss } from "./base.js";

/** ½ xᵀHx with the eigenvalues 1 and κ, the first along the direction `angle`. */
export class Quadratic extends Loss {
  n_params = 2;
  constructor(kappa = 10, angle = 0) {
    super();
    const c = Math.cos(angle);
    const s = Math.sin(angle);
    const off = (1 - kappa) * c * s;
    this.H = Float64Array.of(c * c + kappa * s * s, off, off, s * s + kappa * c * c);
  }
  fun_and_jac(x, g = product(this.H, x)) {
    return [0.5 * dot(x, g), g];
  }
  hess() {
    return this.H.slice();
  }
}

/** x² - y² + y⁴: a saddle at 0, minima of -1/4 at (0, ±1/√2). */
export class Saddle extends Loss {
  n_params = 2;
  fun_and_jac([x, y]) {
    return [x * x - y * y + y ** 4, Float64Array.of(2 * x, -2 * y + 4 * y ** 3)];
  }
  hess([, y]) {
    return Float64Array.of(2, 0, 0, -2 + 12 * y * y);
  }
}

// Rosenbrock's valley.

import { Loss } from "./base.js";

/** (a - x)² + b (y - x²)², eq. 6. */
export class Rosenbrock extends Loss {
  n_params = 2;
  constructor(a = 1, b = 50) {
    super();
    Object.assign(this, { a, b });
  }
  fun([x, y]) {
    return (this.a - x) ** 2 + this.b * (y - x * x) ** 2;
  }
  jac([x, y], r = y - x * x) {
    return Float64Array.of(-2 * (this.a - x) - 4 * this.b * x * r, 2 * this.b * r);
  }
  fun_and_jac(x) {
    return [this.fun(x), this.jac(x)];
  }
  hess([x, y], b = this.b) {
    return Float64Array.of(2 - 4 * b * (y - 3 * x * x), -4 * b * x, -4 * b * x, 2 * b);
  }
}

// The extreme eigenvalues of a curvature that is known by its products alone.

import { dot, plus, times, tridiagonal, zeros } from "../linalg.js";
import { normal } from "../random.js";

/** [smallest, largest] by Lanczos with all vectors kept orthogonal; yields after every product. */
export function* lanczos(times_H, n, seed = 0, steps = 40) {
  const basis = [];
  const d = [];
  const e = [];
  let v = zeros(n).map(normal(seed));
  let size = Math.sqrt(dot(v, v));
  for (let k = 0; k < Math.min(n, steps) && size > 1e-10; k++) {
    if (k) e.push(size);
    basis.push((v = times(1 / size, v)));
    const w = times_H(v);
    d.push(dot(v, w));
    v = w;
    for (let pass = 0; pass < 2; pass++) for (const u of basis) v = plus(v, -dot(u, v), u);
    size = Math.sqrt(dot(v, v));
    yield k;
  }
  const { values } = tridiagonal(Float64Array.from(d), Float64Array.from(e));
  return [Math.min(...values), Math.max(...values)];
}

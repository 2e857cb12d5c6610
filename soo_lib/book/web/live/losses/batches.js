// Batches, and the loss as a mean over batches (paper, section 3.3 and eq. 28).

import { plus, zeros } from "../linalg.js";
import { permutation, shuffle, uniform } from "../random.js";
import { Loss } from "./base.js";

/** Disjoint batches that cover all rows; contiguous without `random`. */
export function partition(m, batch_size, random = null) {
  const rows = permutation(m, random ?? (() => 0));
  return Array.from({ length: Math.ceil(m / batch_size) }, (_, i) =>
    rows.slice(i * batch_size, (i + 1) * batch_size),
  );
}

/** Batches drawn one by one: no row twice in a batch, but batches may overlap. */
export function draw(m, batch_size, n_batches, random) {
  const rows = [...Array(m).keys()];
  return Array.from({ length: n_batches }, () => {
    const batch = shuffle(rows, random, batch_size).slice(0, batch_size);
    for (let i = 0; i < batch_size; i++) rows[i] = i; // in order again: a draw moved these,
    for (const row of batch) rows[row] = row; // and those that it took
    return batch;
  });
}

/** The mean of a loss over fixed batches, eq. 28; `weights`: each by its number of rows. */
export class Batched extends Loss {
  constructor(loss, batches, weights = null) {
    super();
    const sizes = batches.map((rows) => (weights === "rows" ? rows.length : 1));
    const total = sizes.reduce((a, b) => a + b);
    Object.assign(this, { loss, n_params: loss.n_params, n_samples: loss.n_samples });
    this.parts = batches.map((rows, i) => [sizes[i] / total, loss.subset(rows)]);
  }
  fun_and_jac(x) {
    const seen = this.parts.map(([w, part]) => [w, ...part.fun_and_jac(x)]);
    return [
      seen.reduce((sum, [w, f]) => sum + w * f, 0),
      seen.reduce((sum, [w, , g]) => plus(sum, w, g), zeros(x.length)),
    ];
  }
  hess(x) {
    return this.parts.reduce((sum, [w, part]) => plus(sum, w, part.hess(x)), zeros(x.length ** 2));
  }
  why_no_minimum(x) {
    return this.loss.why_no_minimum(x);
  }
}

/** Eq. 28 with new batches at every evaluation; `fresh` deals the rows, and may be handed in. */
export class Reshuffled extends Loss {
  constructor(loss, batch_size, n_batches, seed = 0, fresh = null) {
    super();
    const { n_params, n_samples } = loss;
    const random = uniform(seed);
    this.fresh = () =>
      loss.subset(fresh ? fresh() : draw(n_samples, batch_size, n_batches, random).flat());
    Object.assign(this, { loss, n_params, n_samples });
  }
  fun(x) {
    return this.fresh().fun(x);
  }
  fun_and_jac(x) {
    return this.fresh().fun_and_jac(x);
  }
  hess(x) {
    return this.fresh().hess(x);
  }
}

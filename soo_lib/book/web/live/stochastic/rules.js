// Mini-batch rules, each of a few lines.

import { kronecker_factors } from "../curvature/kronecker.js";
import { cho_solve, cholesky, plus, times, zip } from "../linalg.js";

export const RULES = {
  /** Δx = -αg */
  sgd: (batch, x, f, g, step) => times(-step, g),
  /** v <- μv + g, Δx = -αv */
  momentum: (batch, x, f, g, step, state, { momentum = 0.9 }) =>
    times(-step, (state.v = plus(g, momentum, state.v))),
  /** Averages m of g and v of g², freed of their start at 0; Δx = -αm/(√v + ε). */
  adam(batch, x, f, g, step, state, { beta1 = 0.9, beta2 = 0.999, eps = 1e-8 }) {
    state.m = zip(state.m, g, (m, u) => beta1 * m + (1 - beta1) * u);
    state.v = zip(state.v, g, (v, u) => beta2 * v + (1 - beta2) * u * u);
    const root = Math.sqrt(1 - beta2 ** state.k);
    const alpha = (step * root) / (1 - beta1 ** state.k);
    return zip(state.m, state.v, (m, v) => (-alpha * m) / (Math.sqrt(v) + root * eps));
  },
  /** v <- μv + (A ⊗ G)⁻¹g in each layer, Δx = -αv, the factors those of every `refresh`-th
   * batch. */
  kronecker(batch, x, f, g, step, state, { damping = 1e-2, momentum = 0.9, refresh = 10 }) {
    if ((state.k - 1) % refresh === 0) {
      batch.visits++;
      state.factors = kronecker_factors(batch.loss, x).map((pair) =>
        damped(...pair, damping).map((M) => cholesky(M, Math.sqrt(M.length))),
      );
    }
    batch.loss.net.layers.forEach(({ n_in, n_out, start, stop }, l) => {
      const [A, G] = state.factors[l];
      const V = g.slice(start, stop); // A⁻¹ V G⁻¹, rows first, then columns
      for (let k = 0; k <= n_in; k++)
        V.set(cho_solve(G, V.subarray(k * n_out, (k + 1) * n_out)), k * n_out);
      for (let j = 0; j < n_out; j++)
        cho_solve(
          A,
          V.filter((_, i) => i % n_out === j),
        ).forEach((v, k) => (V[k * n_out + j] = v));
      V.forEach((v, i) => (state.v[start + i] = momentum * state.v[start + i] + v));
    });
    return times(-step, state.v);
  },
};

/** A + πγI and G + γ/π I with γ² = damping, π² the ratio of the mean eigenvalues. */
function damped(A, G, damping) {
  const n = Math.sqrt(A.length);
  const m = Math.sqrt(G.length);
  const shifted = (M, k, shift) => M.map((v, i) => (i % (k + 1) ? v : v + shift));
  const size = (M, k) =>
    Math.max(M.reduce((t, v, i) => (i % (k + 1) ? t : t + v), 0) / k, 2 ** -1022);
  const gamma = Math.sqrt(damping);
  const pi = Math.sqrt(size(A, n) / size(G, m));
  return [shifted(A, n, pi * gamma), shifted(G, m, gamma / pi)];
}

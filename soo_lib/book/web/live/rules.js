// Mini-batch rules, each of a few lines, and the loop over the epochs.

import { cho_solve, cholesky, plus, times, zeros, zip } from "./linalg.js";
import { kronecker_factors } from "./network.js";
import { partition, uniform } from "./sampling.js";
import { Recorder, as_result } from "./trace.js";

export const RULES = {
  /** Δx = -αg */
  sgd: (batch, x, f, g, step) => times(-step, g),
  /** v <- μv + g, Δx = -αv */
  momentum: (batch, x, f, g, step, state, { momentum = 0.9 }) => times(-step, (state.v = plus(g, momentum, state.v))),
  /** Averages m of g and v of g², freed of their start at 0; Δx = -αm/(√v + ε). */
  adam(batch, x, f, g, step, state, { beta1 = 0.9, beta2 = 0.999, eps = 1e-8 }) {
    state.m = zip(state.m, g, (m, u) => beta1 * m + (1 - beta1) * u);
    state.v = zip(state.v, g, (v, u) => beta2 * v + (1 - beta2) * u * u);
    const root = Math.sqrt(1 - beta2 ** state.k), alpha = (step * root) / (1 - beta1 ** state.k);
    return zip(state.m, state.v, (m, v) => (-alpha * m) / (Math.sqrt(v) + root * eps));
  },
  /** v <- μv + (A ⊗ G)⁻¹g in each layer, Δx = -αv, the factors those of every `refresh`-th batch. */
  kronecker(batch, x, f, g, step, state, { damping = 1e-2, momentum = 0.9, refresh = 10 }) {
    if ((state.k - 1) % refresh === 0) {
      batch.visits++;
      state.factors = kronecker_factors(batch.loss, x).map((pair) => damped(...pair, damping).map((M) => cholesky(M, Math.sqrt(M.length))));
    }
    batch.loss.net.layers.forEach(({ n_in, n_out, start, stop }, l) => {
      const [A, G] = state.factors[l], V = g.slice(start, stop); // A⁻¹ V G⁻¹, rows first, then columns
      for (let k = 0; k <= n_in; k++) V.set(cho_solve(G, V.subarray(k * n_out, (k + 1) * n_out)), k * n_out);
      for (let j = 0; j < n_out; j++) cho_solve(A, V.filter((_, i) => i % n_out === j)).forEach((v, k) => (V[k * n_out + j] = v));
      V.forEach((v, i) => (state.v[start + i] = momentum * state.v[start + i] + v));
    });
    return times(-step, state.v);
  },
};

/** A + πγI and G + γ/π I with γ² = damping, π² the ratio of the mean eigenvalues. */
function damped(A, G, damping) {
  const n = Math.sqrt(A.length), m = Math.sqrt(G.length), shifted = (M, k, shift) => M.map((v, i) => (i % (k + 1) ? v : v + shift));
  const size = (M, k) => Math.max(M.reduce((t, v, i) => (i % (k + 1) ? t : t + v), 0) / k, 2 ** -1022);
  const gamma = Math.sqrt(damping), pi = Math.sqrt(size(A, n) / size(G, m));
  return [shifted(A, n, pi * gamma), shifted(G, m, gamma / pi)];
}

/** minimize_stochastic's loop: yields the recorder after each epoch, and null after each batch, so that a page
 * can draw in between. `deal`: an epoch's batches. */
export function* iterate_epochs(loss, x0, options = {}) {
  const { rule = "sgd", batch_size = 128, epochs = 10, step = 0.1, seed = 0, deal = null, ...settings } = options;
  const m = loss.n_samples, random = uniform(seed), recorder = new Recorder(loss), state = { k: 0, m: zeros(loss.n_params), v: zeros(loss.n_params) };
  let x = Float64Array.from(x0);
  for (let alpha = NaN; ; alpha = step) {
    recorder.pause();
    const seen = loss.fun_and_jac(x); // not the run's own
    recorder.nfev = recorder.njev;
    recorder.resume();
    recorder.row(x, ...seen, alpha);
    yield recorder;
    if (recorder.outcome || recorder.nit >= epochs) break;
    recorder.resume();
    for (const rows of deal?.() ?? partition(m, batch_size, random)) {
      const batch = { loss: rows.length === m ? loss : loss.subset(rows), visits: 1 }, [f, g] = batch.loss.fun_and_jac(x), finite = Number.isFinite(f);
      state.k++;
      if (finite) x = plus(x, 1, RULES[rule](batch, x, f, g, step, state, settings));
      recorder.njev += batch.visits * rows.length;
      if (!finite) break; // nor is the mean over all rows, and the recorder will say so
      recorder.pause();
      yield null;
      recorder.resume();
    }
  }
  if (!recorder.outcome && recorder.last[1] <= recorder.rows[0].fun) recorder.outcome = [true, `ran ${epochs} epochs`];
  return as_result(recorder, "ended above its start; the step is too long");
}

// Mini-batch rules, each of a few lines, and the loop over the epochs.

import { Recorder, as_result } from "./trace.js";
import { inverse, plus, times } from "./linalg.js";
import { kronecker_factors } from "./network.js";
import { partition, uniform } from "./sampling.js";

export const RULES = {
  /** Δx = -αg */
  sgd: (batch, x, f, g, step) => times(-step, g),
  /** v <- μv + g, Δx = -αv */
  momentum(batch, x, f, g, step, state, { momentum = 0.9 }) {
    state.v = plus(g, momentum, state.v);
    return times(-step, state.v);
  },
  /** Averages m of g and v of g², freed of their start at 0; Δx = -αm/(√v + ε). */
  adam(batch, x, f, g, step, state, { beta1 = 0.9, beta2 = 0.999, eps = 1e-8 }) {
    state.m = state.m.map((m, i) => beta1 * m + (1 - beta1) * g[i]);
    state.v = state.v.map((v, i) => beta2 * v + (1 - beta2) * g[i] * g[i]);
    const root = Math.sqrt(1 - beta2 ** state.k), alpha = (step * root) / (1 - beta1 ** state.k);
    return g.map((_, i) => (-alpha * state.m[i]) / (Math.sqrt(state.v[i]) + root * eps));
  },
  /** v <- μv + (A ⊗ G)⁻¹g in each layer, Δx = -αv, the factors those of every `refresh`-th batch. */
  kronecker(batch, x, f, g, step, state, { damping = 1e-2, momentum = 0.9, refresh = 10 }) {
    if ((state.k - 1) % refresh === 0) {
      batch.visits++;
      state.inverses = kronecker_factors(batch.loss, x).map((pair) => damped(...pair, damping));
    }
    batch.loss.net.layers.forEach(({ n_in, n_out, start }, l) => {
      const [A, G] = state.inverses[l], n = n_in + 1, half = new Float64Array(n * n_out);
      for (let i = 0; i < n; i++) for (let k = 0; k < n; k++) for (let j = 0; j < n_out; j++)
        half[i * n_out + j] += A[i * n + k] * g[start + k * n_out + j];
      for (let i = 0; i < n; i++) for (let j = 0; j < n_out; j++) {
        let sum = 0;
        for (let k = 0; k < n_out; k++) sum += half[i * n_out + k] * G[k * n_out + j];
        state.v[start + i * n_out + j] = momentum * state.v[start + i * n_out + j] + sum;
      }
    });
    return times(-step, state.v);
  },
};

/** (A + πγI)⁻¹ and (G + γ/π I)⁻¹ with γ² = damping, π² the ratio of the mean eigenvalues. */
function damped(A, G, damping) {
  const [n, m] = [A, G].map((M) => Math.sqrt(M.length)), trace = (M, k) => M.reduce((t, v, i) => (i % (k + 1) ? t : t + v), 0);
  const size = (M, k) => Math.max(trace(M, k) / k, 2 ** -1022), gamma = Math.sqrt(damping), pi = Math.sqrt(size(A, n) / size(G, m));
  return [[A, n, pi * gamma], [G, m, gamma / pi]].map(([M, k, shift]) => inverse(M.map((v, i) => (i % (k + 1) ? v : v + shift)), k));
}

/** The loop over the epochs, one row each: yields the recorder after each. `deal`: an epoch's batches. */
export function* epochs_of(loss, x0, options = {}) {
  const { rule = "sgd", batch_size = 128, epochs = 10, step = 0.1, seed = 0, deal = null, ...settings } = options;
  const m = loss.n_samples, random = uniform(seed), recorder = new Recorder(loss);
  const state = { k: 0, m: new Float64Array(loss.n_params), v: new Float64Array(loss.n_params) };
  let x = Float64Array.from(x0);
  const look = (alpha) => {
    recorder.seconds += (performance.now() - recorder.since) / 1000;
    const seen = loss.fun_and_jac(x); // not the run's own
    recorder.nfev = recorder.njev;
    recorder.resume();
    recorder.row(x, ...seen, alpha);
  };
  look();
  yield recorder;
  while (!recorder.outcome && recorder.nit < epochs) {
    recorder.resume();
    for (const rows of deal?.() ?? partition(m, batch_size, random)) {
      const batch = { loss: rows.length === m ? loss : loss.subset(rows), visits: 1 }, [f, g] = batch.loss.fun_and_jac(x);
      state.k++;
      if (Number.isFinite(f)) x = plus(x, 1, RULES[rule](batch, x, f, g, step, state, settings));
      recorder.njev += batch.visits * rows.length;
      if (!Number.isFinite(f)) break; // nor is the mean over all rows, and the recorder will say so
    }
    look(step);
    yield recorder;
  }
  if (!recorder.outcome && recorder.last[1] <= recorder.rows[0].fun) recorder.outcome = [true, `ran ${epochs} epochs`];
  return as_result(recorder, "ended above its start; the step is too long");
}

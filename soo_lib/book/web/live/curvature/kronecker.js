// The two factors of a layer's Gauss-Newton block.

import { zeros } from "../linalg.js";
import { outer, pull } from "../losses/network.js";

/** A and G of each layer, whose Kronecker product is near its Gauss-Newton block; see Python's. */
export function kronecker_factors(loss, x) {
  const { layers, sizes, first } = loss.net;
  const { A, P } = loss.see(x);
  const m = loss.n_samples;
  const n = sizes.at(-1);
  const pairs = [];
  let B = zeros(m * n * n).map((_, t) => {
    // of each sample a row a class: B Bᵀ is its H_Z
    const j = t % n;
    const c = Math.floor(t / n) % n;
    const row = Math.floor(t / (n * n)) * n;
    return Math.sqrt(P[row + c]) * ((j === c) - P[row + j]);
  });
  const square = (M, k) => {
    // MᵀM / m
    const S = zeros(k * k);
    outer(M, M, { n_in: k, n_out: k, start: 0 }, S, false);
    return S.map((v) => v / m);
  };
  for (let l = layers.length - 1; l >= 0; l--) {
    const { n_in, n_out } = layers[l];
    const inputs = zeros(m * (n_in + 1)).fill(1);
    for (let i = 0; i < m; i++) inputs.set(A[l].subarray(i * n_in, (i + 1) * n_in), i * (n_in + 1));
    pairs[l] = [square(inputs, n_in + 1), square(B, n_out)];
    if (l)
      B = pull(B, x, layers[l]).map(
        (v, i) => v * first(A[l][Math.floor(i / (n * n_in)) * n_in + (i % n_in)]),
      );
  }
  return pairs;
}

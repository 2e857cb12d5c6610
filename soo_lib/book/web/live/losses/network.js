// A fully connected network with softmax and cross-entropy on top (paper, eqs 19-27, appendix A).
// Rows are samples; layer l's weights (n_in, n_out), row after row, then its biases lie inside x.

import { by, plus, zeros, zip } from "../linalg.js";
import { normal } from "../random.js";
import { ACTIVATIONS } from "./activations.js";
import { DataLoss, take } from "./base.js";

export class Network {
  constructor(sizes, activation = "sigmoid") {
    Object.assign(this, { sizes, kind: activation, n_params: 0 }, ACTIVATIONS[activation]);
    this.layers = sizes.slice(1).map((n_out, l) => ({
      n_in: sizes[l],
      n_out,
      start: this.n_params,
      stop: (this.n_params += (sizes[l] + 1) * n_out),
    }));
  }
  init(seed, scale = 1) {
    // N(0, scale²/n_in), biases 0
    const x = zeros(this.n_params);
    const random = normal(seed);
    for (const { n_in, n_out, start } of this.layers)
      for (let i = 0; i < n_in * n_out; i++) x[start + i] = (scale * random()) / Math.sqrt(n_in);
    return x;
  }
  /** Algorithm 1: X, σ(Z) of each hidden layer, and Z of the last. */
  forward(x, X) {
    const last = this.layers.length - 1;
    return this.layers.reduce(
      (A, layer, l) => {
        const Z = affine(A[l], x, layer);
        return [...A, l < last ? Z.map((z) => this.value(z)) : Z]; // eq. 20
      },
      [X],
    );
  }
  /** Algorithm 2: the gradient's sum over the rows; D is ∂L/∂Z of the last layer. */
  backward(x, A, D) {
    const g = zeros(this.n_params);
    for (let l = this.layers.length - 1; l >= 0; l--) {
      outer(A[l], D, this.layers[l], g); // eqs 24 and 25
      // eqs 26 and 27
      if (l) D = zip(pull(D, x, this.layers[l]), A[l], (v, a) => v * this.first(a));
    }
    return g;
  }
  loss(...data) {
    return new NetworkLoss(this, ...data);
  }
}

/** Z = A W + b (eq. 19), added to Z if there is one; without b where the weights alone act. */
function affine(A, x, { n_in, n_out, start }, Z = zeros((A.length / n_in) * n_out), bias = true) {
  for (let i = 0, o = 0; i < A.length; i += n_in, o += n_out) {
    let w = start;
    for (let k = 0; k < n_in; k++)
      for (let j = 0, a = A[i + k]; j < n_out; j++) Z[o + j] += a * x[w++];
    if (bias) for (let j = 0; j < n_out; j++) Z[o + j] += x[w++];
  }
  return Z;
}

/** Adds AᵀD to g's weights, and the columns' sums of D to its biases; with a `stride` each row has
 * a g of its own. */
export function outer(A, D, { n_in, n_out, start }, g, bias = true, stride = 0) {
  for (let i = 0, o = 0; i < A.length; i += n_in, o += n_out, start += stride) {
    let w = start;
    for (let k = 0; k < n_in; k++)
      for (let j = 0, a = A[i + k]; j < n_out; j++) g[w++] += a * D[o + j];
    if (bias) for (let j = 0; j < n_out; j++) g[w++] += D[o + j];
  }
}

/** D Wᵀ (eq. 26), added to G if there is one. */
export function pull(D, x, { n_in, n_out, start }, G = zeros((D.length / n_out) * n_in)) {
  for (let o = 0, i = 0; o < D.length; o += n_out)
    for (let k = 0, w = start; k < n_in; k++, i++)
      for (let j = 0; j < n_out; j++) G[i] += D[o + j] * x[w++];
  return G;
}

/** Summed cross-entropy of softmax(Z) (eq. 21), D = softmax(Z) - Y (eq. 35), and P = softmax(Z). */
export function cross_entropy(Z, y) {
  const n = Z.length / y.length;
  const P = zeros(Z.length);
  let f = 0;
  for (let i = 0, o = 0; i < y.length; i++, o += n) {
    let most = -Infinity;
    let total = 0;
    for (let j = 0; j < n; j++) most = Math.max(most, Z[o + j]);
    for (let j = 0; j < n; j++) total += P[o + j] = Math.exp(Z[o + j] - most);
    for (let j = 0; j < n; j++) P[o + j] /= total;
    f += Math.log(total) - (Z[o + y[i]] - most);
  }
  const D = P.slice();
  for (let i = 0; i < y.length; i++) D[i * n + y[i]] -= 1;
  return { f, D, P };
}

/** P ∘ (R - P·R), row by row: the softmax's Hessian (eq. 83) times R. */
function curve(P, R, n) {
  const RD = zeros(R.length);
  for (let o = 0; o < R.length; o += n) {
    let mean = 0;
    for (let j = 0; j < n; j++) mean += P[o + j] * R[o + j];
    for (let j = 0; j < n; j++) RD[o + j] = P[o + j] * (R[o + j] - mean);
  }
  return RD;
}

/** Mean cross-entropy of a network's softmax, plus ½·l2·‖w‖². */
export class NetworkLoss extends DataLoss {
  constructor(net, X, y, l2 = 0, penalize_bias = false) {
    super();
    const mask = zeros(net.n_params).fill(1);
    if (!penalize_bias)
      for (const { n_in, n_out, start, stop } of net.layers)
        mask.fill(0, start + n_in * n_out, stop);
    Object.assign(this, { net, X, y, penalize_bias, n_samples: y.length });
    this.penalise(net.n_params, l2, mask);
  }
  subset(rows) {
    return this.net.loss(...take(this.X, this.y, rows), this.l2, this.penalize_bias);
  }
  /** The activations, and what cross_entropy says of the last. */
  see(x, A = this.net.forward(x, this.X)) {
    return { A, ...cross_entropy(A.at(-1), this.y) };
  }
  fun(x) {
    return this.see(x).f / this.n_samples + this.half(x);
  }
  fun_and_jac(x) {
    const { A, f, D } = this.see(x);
    return [f / this.n_samples + this.half(x), this.mean(this.net.backward(x, A, D), x)];
  }
  /** What both kinds of second derivatives need: σ' of each layer, D = ∂L/∂Z, and ∂L/∂A·σ''. */
  bends(x) {
    const { layers, first, second } = this.net;
    const { A, D: top, P } = this.see(x);
    const slopes = A.map((a) => a.map(first));
    const D = [];
    const bends = [];
    D[layers.length - 1] = top;
    for (let l = layers.length - 1; l; l--) {
      const G = pull(D[l], x, layers[l]);
      D[l - 1] = by(G, slopes[l]);
      bends[l] = by(G, A[l].map(second));
    }
    return { A, D, P, slopes, bends };
  }
  /** Adds to `into` how the summed gradient moves as x moves along p: every line of algorithms 1
   * and 2 differentiated (Pearlmutter's R), from layer `first` on; see `outer` for the stride. */
  move(x, p, { A, D, P, slopes, bends }, into, first = 0, stride = 0) {
    const { layers, sizes } = this.net;
    const last = layers.length - 1;
    const RA = [];
    const RZ = [];
    for (let l = first; l <= last; l++) {
      RZ[l] = affine(A[l], p, layers[l]);
      if (l > first) affine(RA[l], x, layers[l], RZ[l], false); // what comes in first does not move
      RA[l + 1] = by(RZ[l], slopes[l + 1]);
    }
    for (let l = last, RD = curve(P, RZ[l], sizes.at(-1)); ; l--) {
      outer(A[l], RD, layers[l], into, true, stride);
      if (l === first) return into;
      outer(RA[l], D[l], layers[l], into, false, stride);
      const RG = pull(D[l], p, layers[l], pull(RD, x, layers[l]));
      RD = plus(by(slopes[l], RG), 1, by(bends[l], RZ[l - 1]));
    }
  }
  hessp(x, p) {
    return this.mean(this.move(x, p, this.bends(x), zeros(p.length)), p);
  }
  /** All second derivatives, their columns together: for one sample a weight moves its unit's z by
   * its input times as much as the bias does, so `move` is asked once a unit, not once a weight. */
  hess(x) {
    const { n_params: n, n_samples: m, weights } = this;
    const seen = this.bends(x);
    const H = zeros(n * n);
    this.net.layers.forEach(({ n_in, n_out, start, stop }, l) => {
      for (let j = 0; j < n_out; j++) {
        const bias = zeros(n);
        const rows = zeros((n_in + 1) * n);
        bias[stop - n_out + j] = 1;
        const T = this.move(x, bias, seen, zeros(m * n), l, n); // each sample's gradient
        outer(seen.A[l], T, { n_in, n_out: n, start: 0 }, rows);
        for (let k = 0; k <= n_in; k++)
          H.set(rows.subarray(k * n, (k + 1) * n), (start + k * n_out + j) * n);
      }
    });
    for (let r = 0; r < n; r++)
      for (let c = r; c < n; c++)
        H[r * n + c] = H[c * n + r] = H[r * n + c] / m + (r === c ? weights[r] : 0);
    return H;
  }
}

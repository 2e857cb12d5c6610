// A fully connected network with softmax and cross-entropy on top (paper, eqs 19-27, appendix A).
// Rows are samples; layer l's weights (n_in, n_out), row after row, then its biases lie inside x.

import { normal } from "./sampling.js";
import { L2, Loss, take } from "./losses.js";
import { plus } from "./linalg.js";

/** σ, and its derivatives as functions of a = σ(z). */
export const ACTIVATIONS = {
  sigmoid: { value: (z) => 1 / (1 + Math.exp(-z)), first: (a) => a * (1 - a), second: (a) => a * (1 - a) * (1 - 2 * a) },
  tanh: { value: Math.tanh, first: (a) => 1 - a * a, second: (a) => -2 * a * (1 - a * a) },
  relu: { value: (z) => (z > 0 || z !== z ? z : 0), first: (a) => (a > 0 ? 1 : 0), second: () => 0 },
  linear: { value: (z) => z, first: () => 1, second: () => 0 },
};

export class Network {
  constructor(sizes, activation = "sigmoid") {
    Object.assign(this, { sizes, activation, n_params: 0 });
    this.layers = sizes.slice(1).map((n_out, l) => {
      const start = this.n_params, n_in = sizes[l];
      return { n_in, n_out, start, stop: (this.n_params += (n_in + 1) * n_out) };
    });
  }
  init(seed, scale = 1) { // N(0, scale²/n_in), biases 0
    const x = new Float64Array(this.n_params), random = normal(seed);
    for (const { n_in, n_out, start } of this.layers)
      for (let i = 0; i < n_in * n_out; i++) x[start + i] = (scale * random()) / Math.sqrt(n_in);
    return x;
  }
  /** Algorithm 1: X, σ(Z) of each hidden layer, and Z of the last. */
  forward(x, X) {
    const A = [X], { value } = ACTIVATIONS[this.activation];
    this.layers.forEach((layer, l) => {
      const Z = affine(A[l], x, layer);
      if (l + 1 < this.layers.length) for (let i = 0; i < Z.length; i++) Z[i] = value(Z[i]); // eq. 20
      A.push(Z);
    });
    return A;
  }
  /** Algorithm 2: adds the gradient to `g`; D is ∂L/∂Z of the last layer. */
  backward(x, A, D, g) {
    const { first } = ACTIVATIONS[this.activation];
    for (let l = this.layers.length - 1; l >= 0; l--) {
      outer(A[l], D, this.layers[l], g); // eqs 24 and 25
      if (l) D = pull(D, x, this.layers[l]).map((v, i) => v * first(A[l][i])); // eqs 26 and 27
    }
  }
  loss(X, y, l2 = 0, penalize_bias = false) { return new NetworkLoss(this, X, y, l2, penalize_bias); }
}

/** Z = A W + b (eq. 19), added to Z if there is one; without b where the weights alone act. */
function affine(A, x, { n_in, n_out, start }, Z = new Float64Array((A.length / n_in) * n_out), bias = 1) {
  const b = start + n_in * n_out;
  for (let i = 0, o = 0; i < A.length; i += n_in, o += n_out) {
    if (bias) for (let j = 0; j < n_out; j++) Z[o + j] += x[b + j];
    for (let k = 0, w = start; k < n_in; k++) {
      const a = A[i + k];
      for (let j = 0; j < n_out; j++) Z[o + j] += a * x[w++];
    }
  }
  return Z;
}

/** Adds AᵀD to g's weights, and the columns' sums of D to its biases. */
function outer(A, D, { n_in, n_out, start }, g, bias = 1) {
  for (let i = 0, o = 0; i < A.length; i += n_in, o += n_out) {
    let w = start;
    for (let k = 0; k < n_in; k++) for (let j = 0, a = A[i + k]; j < n_out; j++) g[w++] += a * D[o + j];
    if (bias) for (let j = 0; j < n_out; j++) g[w++] += D[o + j];
  }
}

/** D Wᵀ (eq. 26) */
function pull(D, x, { n_in, n_out, start }) {
  const G = new Float64Array((D.length / n_out) * n_in);
  for (let o = 0, i = 0; o < D.length; o += n_out)
    for (let k = 0, w = start; k < n_in; k++, i++) for (let j = 0; j < n_out; j++) G[i] += D[o + j] * x[w++];
  return G;
}

/** Summed cross-entropy of softmax(Z) (eq. 21), D = softmax(Z) - Y (eq. 35), and P = softmax(Z). */
export function cross_entropy(Z, y) {
  const n = Z.length / y.length, P = new Float64Array(Z.length);
  let f = 0;
  for (let i = 0, o = 0; i < y.length; i++, o += n) {
    let most = -Infinity, total = 0;
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
  const RD = new Float64Array(R.length);
  for (let o = 0; o < R.length; o += n) {
    let mean = 0;
    for (let j = 0; j < n; j++) mean += P[o + j] * R[o + j];
    for (let j = 0; j < n; j++) RD[o + j] = P[o + j] * (R[o + j] - mean);
  }
  return RD;
}

/** Mean cross-entropy of a network's softmax, plus ½·l2·‖w‖². */
export class NetworkLoss extends Loss {
  constructor(net, X, y, l2, penalize_bias) {
    super();
    Object.assign(this, { net, X, y, l2, penalize_bias, n_samples: y.length, n_params: net.n_params });
    const mask = new Float64Array(net.n_params).fill(1);
    if (!penalize_bias) for (const { n_in, n_out, start, stop } of net.layers) mask.fill(0, start + n_in * n_out, stop);
    this.penalty = new L2(net.n_params, l2, mask);
  }
  subset(rows) { return new NetworkLoss(this.net, ...take(this.X, this.y, rows), this.l2, this.penalize_bias); }
  mean(total, x) {
    const penalty = this.penalty.jac(x);
    return total.map((v, i) => v / this.n_samples + penalty[i]);
  }
  fun(x) { return cross_entropy(this.net.forward(x, this.X).at(-1), this.y).f / this.n_samples + this.penalty.fun(x); }
  jac(x) { return this.fun_and_jac(x)[1]; }
  fun_and_jac(x) {
    const A = this.net.forward(x, this.X), { f, D } = cross_entropy(A.at(-1), this.y);
    const g = new Float64Array(this.n_params);
    this.net.backward(x, A, D, g);
    return [f / this.n_samples + this.penalty.fun(x), this.mean(g, x)];
  }
  /** The exact Hessian times p: every line of algorithms 1 and 2 differentiated (Pearlmutter's R). */
  hessp(x, p) {
    const { layers, activation } = this.net, { first, second } = ACTIVATIONS[activation];
    const A = this.net.forward(x, this.X), RA = [null], RZ = [], Hp = new Float64Array(this.n_params);
    layers.forEach((layer, l) => {
      RZ[l] = affine(A[l], p, layer);
      if (l) affine(RA[l], x, layer, RZ[l], 0); // the input does not move
      RA[l + 1] = RZ[l].map((v, i) => first(A[l + 1][i]) * v);
    });
    let { D, P } = cross_entropy(A.at(-1), this.y), RD = curve(P, RZ.at(-1), this.net.sizes.at(-1));
    for (let l = layers.length - 1; l >= 0; l--) {
      outer(A[l], RD, layers[l], Hp);
      if (!l) break;
      outer(RA[l], D, layers[l], Hp, 0);
      const a = A[l], G = pull(D, x, layers[l]), U = pull(RD, x, layers[l]), V = pull(D, p, layers[l]);
      RD = G.map((v, i) => first(a[i]) * (U[i] + V[i]) + second(a[i]) * RZ[l - 1][i] * v);
      D = G.map((v, i) => first(a[i]) * v);
    }
    return this.mean(Hp, p);
  }
  /** The generalised Gauss-Newton matrix times p. */
  ggnp(x, p) {
    const A = this.net.forward(x, this.X), { first } = ACTIVATIONS[this.net.activation];
    let R = null;
    this.net.layers.forEach((layer, l) => {
      const moved = R?.map((v, i) => first(A[l][i]) * v);
      R = affine(A[l], p, layer);
      if (l) affine(moved, x, layer, R, 0);
    });
    const Gp = new Float64Array(this.n_params), { P } = cross_entropy(A.at(-1), this.y);
    this.net.backward(x, A, curve(P, R, this.net.sizes.at(-1)), Gp);
    return this.mean(Gp, p);
  }
  /** All second derivatives, their columns together: for one sample a weight moves its unit's z by
   * its input, so R(·) goes once through the net a unit, not once a weight. */
  hess(x) {
    const { net, n_params: n, n_samples: m } = this, { layers, sizes } = net, last = layers.length - 1;
    const { first, second } = ACTIVATIONS[net.activation], H = new Float64Array(n * n), T = new Float64Array(n);
    const A = net.forward(x, this.X), D = [], G = [], { D: top, P } = cross_entropy(A.at(-1), this.y);
    const slopes = A.map((a, l) => (l && l <= last ? a.map(first) : a)), bends = [];
    D[last] = top;
    for (let l = last; l; l--) {
      G[l] = pull(D[l], x, layers[l]);
      D[l - 1] = G[l].map((v, i) => v * slopes[l][i]);
      bends[l] = G[l].map((v, i) => v * second(A[l][i]));
    }
    layers.forEach(({ n_in, n_out, start }, l) => {
      for (let j = 0; j < n_out; j++) {
        const RZ = [], RA = [], RD = [];
        RZ[l] = new Float64Array(m * n_out);
        for (let i = j; i < RZ[l].length; i += n_out) RZ[l][i] = 1;
        for (let q = l + 1; q <= last; q++) {
          RA[q] = by(slopes[q], RZ[q - 1]);
          RZ[q] = affine(RA[q], x, layers[q], undefined, 0);
        }
        RD[last] = curve(P, RZ[last], sizes[last + 1]);
        for (let q = last; q > l; q--) RD[q - 1] = plus(by(slopes[q], pull(RD[q], x, layers[q])), 1, by(bends[q], RZ[q - 1]));
        for (let i = 0; i < m; i++) {
          for (let q = l, t = start; q <= last; q++) {
            const wide = sizes[q], out = sizes[q + 1], a = A[q], d = D[q], r = RD[q], moves = RA[q];
            for (let k = 0; k <= wide; k++) {
              const input = k < wide ? a[i * wide + k] : 1, moved = moves && k < wide ? moves[i * wide + k] : 0;
              for (let o = i * out; o < (i + 1) * out; o++) T[t++] = moved * d[o] + input * r[o];
            }
          }
          for (let k = 0; k <= n_in; k++) {
            const input = k < n_in ? A[l][i * n_in + k] : 1, row = start + k * n_out + j, at = row * n;
            for (let t = row; t < n; t++) H[at + t] += input * T[t];
          }
        }
      }
    });
    for (let r = 0; r < n; r++)
      for (let c = r; c < n; c++) H[r * n + c] = H[c * n + r] = H[r * n + c] / m + (r === c ? this.penalty.weights[r] : 0);
    return H;
  }
}

/** Two vectors, entry by entry. */
function by(a, b) {
  const c = new Float64Array(a.length);
  for (let i = 0; i < c.length; i++) c[i] = a[i] * b[i];
  return c;
}

/** A and G of each layer, whose Kronecker product is near its Gauss-Newton block; see Python's. */
export function kronecker_factors(loss, x) {
  const { net, X, y, n_samples: m } = loss, { layers, sizes } = net, { first } = ACTIVATIONS[net.activation];
  const A = net.forward(x, X), { P } = cross_entropy(A.at(-1), y), classes = sizes.at(-1), pairs = [];
  let B = new Float64Array(m * classes * classes); // of each sample `classes` rows: B Bᵀ is its H_Z
  for (let i = 0, t = 0; i < m; i++)
    for (let c = 0; c < classes; c++)
      for (let j = 0, root = Math.sqrt(P[i * classes + c]); j < classes; j++)
        B[t++] = root * ((j === c) - P[i * classes + j]);
  for (let l = layers.length - 1; l >= 0; l--) {
    const { n_in, n_out } = layers[l], inputs = new Float64Array(m * (n_in + 1)).fill(1);
    for (let i = 0; i < m; i++) inputs.set(A[l].subarray(i * n_in, (i + 1) * n_in), i * (n_in + 1));
    pairs[l] = [square(inputs, n_in + 1, m), square(B, n_out, m)];
    if (l) B = pull(B, x, layers[l]).map((v, i) => v * first(A[l][Math.floor(i / (classes * n_in)) * n_in + (i % n_in)]));
  }
  return pairs;
}

const square = (M, n, m) => { // MᵀM / m
  const S = new Float64Array(n * n);
  outer(M, M, { n_in: n, n_out: n, start: 0 }, S, 0);
  return S.map((v) => v / m);
};

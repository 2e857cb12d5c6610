// Direction rules: where to go from x (Nocedal & Wright, chapters 3, 5, 6 and 7).

import { EPS, cho_solve, cholesky, dot, eigh, plus, product, times, zeros } from "../linalg.js";

const LEFT_OUT = "pair left out: no positive curvature along the step";

export class Gradient {
  scaled = false; // is a step of length 1 the natural first trial?
  c2 = 0.1; // of the strong Wolfe conditions: N&W, a nearly exact search where p has no scale
  restarted = "restarted from steepest descent";
  note = "";
  get fresh() {
    return true;
  }
  direction(loss, x, g) {
    return times(-1, g);
  }
  update() {}
  restart() {}
}

/** -H⁻¹g by Cholesky; where H is indefinite, with the eigenvalues' absolute values; -g after a
 * search that failed. */
export class Newton extends Gradient {
  scaled = true;
  c2 = 0.9;
  fresh = false;
  direction(loss, x, g) {
    this.note = "";
    if (this.fresh) return times(-1, g);
    const n = g.length;
    const H = loss.hess(x);
    const finite = H.every(Number.isFinite);
    const L = finite && cholesky(H, n);
    this.note = finite ? "" : "Hessian not finite: steepest descent";
    if (!finite || L) return times(-1, L ? cho_solve(L, g) : g);
    const { values, vectors } = eigh(H, n);
    const sizes = values.map(Math.abs);
    const floor = Math.sqrt(EPS) * Math.max(...sizes) || 1;
    this.note = `Hessian not positive definite: smallest eigenvalue ${two_digits(Math.min(...values))}`;
    return sizes.reduce((p, size, i) => {
      const v = vectors.subarray(i * n, (i + 1) * n);
      return plus(p, -dot(v, g) / Math.max(size, floor), v);
    }, zeros(n));
  }
  update() {
    this.fresh = false;
  }
  restart() {
    this.fresh = true;
  }
}

/** -g + βp with Polak-Ribière's β >= 0 (N&W eqs 5.44-5.45). */
export class NonlinearCG extends Gradient {
  fresh = true;
  direction(loss, x, g) {
    this.note = this.fresh || this.beta ? "" : "β = 0: steepest descent";
    return (this.p = this.fresh ? times(-1, g) : plus(times(-1, g), this.beta, this.p));
  }
  update(s, g_old, g) {
    Object.assign(this, {
      beta: Math.max(0, dot(g, plus(g, -1, g_old)) / dot(g_old, g_old)),
      fresh: false,
    });
  }
  restart() {
    this.fresh = true;
  }
}

/** -Hg with H from the last pairs (s, y) (N&W algorithm 7.4). */
export class LBFGS extends Gradient {
  scaled = true;
  c2 = 0.9;
  pairs = [];
  constructor({ memory = 10 } = {}) {
    super();
    this.memory = memory;
  }
  get fresh() {
    return !this.pairs.length;
  }
  direction(loss, x, g) {
    let p = times(-1, g);
    if (this.fresh) return p;
    const alphas = [];
    const last = this.pairs.at(-1);
    for (const { s, y, rho } of this.pairs.slice().reverse()) {
      alphas.unshift(rho * dot(s, p));
      p = plus(p, -alphas[0], y);
    }
    p = p.map((v) => v / (last.rho * dot(last.y, last.y))); // N&W eq. 7.20
    this.pairs.forEach(({ s, y, rho }, i) => (p = plus(p, alphas[i] - rho * dot(y, p), s)));
    return p;
  }
  update(s, g_old, g) {
    const y = plus(g, -1, g_old);
    const sy = dot(s, y);
    this.note = sy > curvature_floor(s, g_old, g) ? "" : LEFT_OUT;
    if (!this.note) this.pairs = [...this.pairs, { s, y, rho: 1 / sy }].slice(-this.memory);
  }
  restart() {
    this.pairs = [];
  }
}

/** -Hg with a dense approximation H of the inverse Hessian (N&W algorithm 6.1). Less curvature
 * than H believes makes H larger first, as long as pairs are few (Oren and Luenberger): see
 * Python's. */
export class BFGS extends Gradient {
  scaled = true;
  c2 = 0.5;
  pairs = 0;
  get fresh() {
    return !this.pairs;
  }
  direction(loss, x, g) {
    return times(-1, this.fresh ? g : product(this.H, g));
  }
  update(s, g_old, g) {
    const y = plus(g, -1, g_old);
    const n = s.length;
    const sy = dot(s, y);
    this.note = sy > curvature_floor(s, g_old, g) ? "" : LEFT_OUT;
    if (this.note) return;
    if (this.fresh)
      // N&W eq. 6.20
      this.H = zeros(n * n).map((_, i) => (i % (n + 1) ? 0 : sy / dot(y, y)));
    else if (this.pairs < n) this.H = times(Math.max(1, sy / dot(y, product(this.H, y))), this.H);
    const rho = 1 / sy;
    const Hy = product(this.H, y);
    const last = rho * (1 + rho * dot(y, Hy)); // N&W eq. 6.17, multiplied out
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++)
        this.H[i * n + j] =
          this.H[i * n + j] - rho * (s[i] * Hy[j] + s[j] * Hy[i]) + last * (s[i] * s[j]);
    this.pairs++;
  }
  restart() {
    this.pairs = 0;
  }
}

/** H⁻¹ of two rows, as a rule without state of the place believes it. */
export const believed = (rule) =>
  Float64Array.from(
    [
      [1, 0],
      [0, 1],
    ].flatMap((e) => [...times(-1, rule.direction(null, null, Float64Array.from(e)))]),
  );

/** What the rounding of both gradients may add to s·y. */
const curvature_floor = (s, g_old, g) =>
  EPS * s.reduce((sum, v, i) => sum + Math.abs(v) * (Math.abs(g_old[i]) + Math.abs(g[i])), 0);

export const DIRECTIONS = {
  gradient: Gradient,
  newton: Newton,
  nlcg: NonlinearCG,
  bfgs: BFGS,
  lbfgs: LBFGS,
};

/** A number as Python's format .2g writes it. */
export function two_digits(v) {
  if (!Number.isFinite(v)) return v !== v ? "nan" : v > 0 ? "inf" : "-inf";
  const [digits, power] = v.toExponential(1).split("e");
  const far = v !== 0 && (power < -4 || power > 1);
  return far
    ? `${digits.replace(".0", "")}e${power[0]}${power.slice(1).padStart(2, "0")}`
    : String(Number(v.toPrecision(2)));
}

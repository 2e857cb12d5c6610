// Step rules: how far to go along p (Nocedal & Wright, chapter 3). Each looks at φ(α) = L(x + αp).

import { dot, plus } from "../linalg.js";
import { rounding } from "./stop.js";

/** φ, with φ(0) and φ'(0) = gᵀp known; the lengths `tried` so far, in order. */
export class Ray {
  tried = [];
  constructor(loss, x, f, g, p) {
    Object.assign(this, { loss, x, p, fun0: f, slope0: dot(g, p) });
    this.rounding = 4 * rounding(x, f, g);
  }
  at(alpha) {
    this.tried.push(alpha);
    return this.loss.fun(plus(this.x, alpha, this.p, (this.z ??= this.x.slice())));
  }
  step(alpha, f = null) {
    const { loss } = this;
    const x = plus(this.x, alpha, this.p);
    if (f === null) this.tried.push(alpha);
    const [fun, jac] = f === null ? loss.fun_and_jac(x) : [f, loss.jac(x)];
    return { alpha, x, fun, jac };
  }
  /** Armijo's condition, N&W eq. 3.4. */
  decreases(alpha, f, c1, slack) {
    return f <= this.fun0 + c1 * alpha * this.slope0 + slack;
  }
}

const fixed = () => (ray, trial) => ray.step(trial);

/** Armijo; N&W algorithm 3.1. */
const backtracking =
  ({ c1 = 1e-4, shrink = 0.5, max_trials = 60 }) =>
  (ray, trial) => {
    // Only where the whole decrease in sight is lost in rounding may a step do without one.
    const slack = -trial * ray.slope0 <= 100 * ray.rounding ? ray.rounding : 0;
    for (let i = 0; i < max_trials; i++, trial *= shrink) {
      const f = ray.at(trial);
      if (!(slack || f < ray.fun0) || !ray.decreases(trial, f, c1, slack)) continue;
      const step = ray.step(trial, f);
      // if the values do not tell, the slope must
      if (f < ray.fun0 - slack || dot(step.jac, ray.p) > 0.999 * ray.slope0) return step;
    }
    return null;
  };

/** The strong Wolfe conditions; N&W algorithms 3.5 and 3.6. */
const wolfe =
  ({ c1 = 1e-4, c2 = 0.9, max_trials = 40 }) =>
  (ray, trial) => {
    let low = { alpha: 0, fun: ray.fun0, slope: ray.slope0 };
    let high = null; // a good step lies between them
    for (let i = 0; i < max_trials; i++) {
      const step = ray.step(trial);
      const made = { alpha: trial, fun: step.fun, slope: dot(step.jac, ray.p) };
      // Once φ is flat to rounding its values cannot rank two trials: the slopes still can.
      const bad =
        !Number.isFinite(made.fun + made.slope) ||
        made.fun > low.fun + ray.rounding ||
        !ray.decreases(trial, made.fun, c1, ray.rounding);
      if (!bad && Math.abs(made.slope) <= -c2 * ray.slope0) return step;
      if (!bad && !high && made.slope < 0) {
        // still going down: look further out
        trial = within(cubic(low, made), 2 * trial, 10 * trial);
        low = made;
        continue;
      }
      if (bad) high = made;
      else {
        if (!high || made.slope * (high.alpha - low.alpha) >= 0) high = low;
        low = made;
      }
      trial = between(low, high);
      // no number is left between the two
      if (trial === low.alpha || trial === high.alpha) return null;
    }
    return null;
  };

/** The cubic's minimum, kept a tenth of the bracket off its ends. */
function between(low, high) {
  const tenth = 0.1 * (high.alpha - low.alpha);
  const ends = [low.alpha + tenth, high.alpha - tenth];
  if (!Number.isFinite(high.fun) || !Number.isFinite(high.slope)) return ends[0]; // come well back
  return within(cubic(low, high), Math.min(...ends), Math.max(...ends));
}

const within = (alpha, a, b) => (Number.isFinite(alpha) ? Math.min(Math.max(alpha, a), b) : b);

/** Where the cubic through two values and slopes has its minimum (N&W eq. 3.59), or NaN. */
function cubic(s, t) {
  const d1 = s.slope + t.slope - (3 * (s.fun - t.fun)) / (s.alpha - t.alpha);
  const d2 = Math.sign(t.alpha - s.alpha) * Math.sqrt(d1 * d1 - s.slope * t.slope);
  return t.alpha - ((t.alpha - s.alpha) * (t.slope + d2 - d1)) / (t.slope - s.slope + 2 * d2);
}

export const LINE_SEARCHES = { fixed, backtracking, wolfe };

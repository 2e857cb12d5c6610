// What the gradient tells of a search that failed; see Python's gradient_test for the test itself.

import { EPS, dot, largest, plus, times } from "./linalg.js";

const NO_DECREASE = "line search found no decrease along a descent direction; is the gradient right? is the loss re-sampled? has it a kink here, as of a ReLU?";
const RESAMPLED = "line search found no decrease along a descent direction: the loss is re-sampled, drawn anew at each evaluation, so the search compares values of different losses; keep its batches fixed";
const FLOOR = "no further decrease: the differences of the loss are lost in rounding, the floor of float64";
const GAVE_UP = "the search gave up where the loss still falls, as its gradient foretells: it may have no minimum; or allow more trials, or another first step";
const BEYOND = "the search gave up where the loss has a gradient whose square is 0 or infinite in float64; scale the loss";

/** How finely values of the loss can be told at x: u(|f| + Σ|xᵢgᵢ|). */
export const rounding = (x, f, g) => EPS * (Math.abs(f) + x.reduce((sum, v, i) => sum + Math.abs(v * g[i]), 0));

/** Why a search from x along p found no decrease where gᵀp < 0. The slopes at both ends of a step
 * foretell what it does to the loss; a right gradient does so twice in a row, beyond rounding. */
export function why_no_decrease(loss, x, f, g, p) {
  if (!(largest(g) > 1e-154 && largest(g) < 1e154)) return BEYOND; // all that follows is of squares
  const noise = rounding(x, f, g), [again, g_again] = loss.fun_and_jac(x); // a second look: is the loss the same?
  const same = EPS ** (1 / 3); // sums in another order are less
  if (!(Math.abs(again - f) <= 100 * noise && largest(plus(g_again, -1, g)) <= same * largest(g))) return RESAMPLED;
  if (!(dot(g, p) < 0)) p = times(-1, g);
  const d = times(1 / largest(p), p), slope = dot(g, d), far = largest(x) || 1; // noise is 0 where f and x are
  let h = Math.max(Math.min((200 * noise) / -slope, 1e-4 * far), 1e-14 * far), foretold = 0, wrong = 0, before = Infinity;
  for (let i = 0; i < 24; i++, h *= 4) {
    const z = plus(x, h, d), [value, end] = loss.fun_and_jac(z), change = value - f, model = 0.5 * dot(plus(g, 1, end), plus(z, -1, x));
    if (!Number.isFinite(change + model)) break;
    const size = Math.max(Math.abs(change), Math.abs(model)), error = Math.abs(change - model);
    if (size > 100 * Math.max(noise, rounding(z, value, end))) {
      const right = error <= 0.05 * size;
      foretold = right ? foretold + 1 : 0;
      const growth = error / (before || 1); // as h or h²: no rounding's does
      wrong = !right && growth > 3.2 && growth < 20 ? wrong + 1 : 0;
      before = error;
    }
    if (wrong === 3) return NO_DECREASE;
    if (foretold < 2) continue;
    const bend = (dot(end, d) - slope) / h; // a parabola's lowest point is slope²/2bend below
    return slope ** 2 > 0 && slope ** 2 <= 200 * Math.max(noise, error) * bend ? FLOOR : GAVE_UP;
  }
  return FLOOR;
}

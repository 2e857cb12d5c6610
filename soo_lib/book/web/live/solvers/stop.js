// What the gradient tells of a search that failed. soo_lib.stuck also looks for a slope that a
// wrong gradient hides.

import { EPS, dot, largest, plus, times } from "../linalg.js";

const NO_DECREASE =
  "line search found no decrease along a descent direction; is the gradient right? is the loss re-sampled? has it a kink here, as of a ReLU?";
const RESAMPLED =
  "line search found no decrease along a descent direction: the loss is re-sampled, drawn anew at each evaluation, so the search compares values of different losses; keep its batches fixed";
const FLOOR =
  "no further decrease: the differences of the loss are lost in rounding, the floor of float64";
const GAVE_UP =
  "the search gave up where the loss still falls, as its gradient foretells: it may have no minimum, or a kink ahead; or allow more trials, or another first step";
const BEYOND =
  "the search gave up where the loss has a gradient whose square is 0 or infinite in float64; scale the loss";

/** How finely values of the loss can be told at x: u(|f| + Σ|xᵢgᵢ|). */
export const rounding = (x, f, g) =>
  EPS * (Math.abs(f) + x.reduce((sum, v, i) => sum + Math.abs(v * g[i]), 0));

/** Why a search from x along p found no decrease where gᵀp < 0. The slopes at both ends of a step
 * foretell what it does to the loss; a right gradient does so twice in a row, beyond rounding. Of
 * a wrong one the values alone tell another slope, alike three times, while its own bends no more
 * than a parabola's, and longer steps do not take its side. Nor is a kink rounding: the slope
 * turns at once, within the loss's rounding, and then no more. */
export function why_no_decrease(loss, x, f, g, p) {
  if (!(largest(g) > 1e-154 && largest(g) < 1e154)) return BEYOND; // all that follows is of squares
  const noise = rounding(x, f, g);
  const [again, g_again] = loss.fun_and_jac(x); // a second look: is the loss the same?
  const same = EPS ** (1 / 3); // sums in another order are less
  if (!(Math.abs(again - f) <= 100 * noise && largest(plus(g_again, -1, g)) <= same * largest(g)))
    return RESAMPLED;
  if (!(dot(g, p) < 0)) p = times(-1, g);
  const d = times(1 / largest(p), p);
  const slope = dot(g, d);
  let far = largest(x) > 1e-100 ? largest(x) : 1; // noise is 0 where f and x are
  let h = Math.max(Math.min((200 * noise) / -slope, 1e-4 * far), 1e-14 * far);
  let change = 0;
  let turn = 0;
  let foretold = 0;
  let falls = 0;
  let fell = false;
  let moved = false;
  let still = false;
  let alike = 0;
  let nearer = 0;
  let kinks = 0;
  let known = NaN;
  let other = NaN;
  let rough = false; // in a row; the slope told last, and one told alike
  for (let i = 0; i < 48; i++) {
    const z = plus(x, h, d);
    const [value, end] = loss.fun_and_jac(z);
    const model = 0.5 * dot(plus(g, 1, end), plus(z, -1, x));
    const before = change;
    const turned = turn;
    const ahead = dot(end, d); // of the slope along d: 4 times as much of a parabola
    [change, turn] = [value - f, ahead - slope];
    // there x itself is lost in rounding
    if (!Number.isFinite(change + model) || h > 1e15 * far) break;
    if (change === 0) {
      // where a loss cancels it may not move for many decades of h: leap
      still ||= Math.min(-slope, -slope - turn) * h > 100 * noise; // by the slopes it falls
      [h, foretold, alike, known] = [16 * h, 0, 0, NaN];
      // x is next to 0, the loss's scale is not
      if (!moved && 1e15 * far < h && h < 1e15) [h, far] = [Math.max(h, 1e-14), 1];
      continue;
    }
    moved = true;
    const size = Math.max(Math.abs(change), Math.abs(model));
    const error = Math.abs(change - model);
    if (size > 100 * Math.max(noise, rounding(z, value, end))) {
      const told = before ? (16 * before - change) / (3 * h) : NaN;
      const off = Math.abs(told - slope);
      foretold = error <= 0.05 * size ? foretold + 1 : 0;
      alike =
        Math.abs(turn - 4 * turned) <= off && Math.abs(told - known) <= 0.1 * off ? alike + 1 : 0;
      nearer = foretold && off <= 0.1 * Math.abs(other - slope) ? nearer + 1 : 0;
      rough ||=
        // a leap of what values tell
        Math.abs(told - other) > 1e3 * Math.max(Math.abs(known - other), Math.abs(other - slope));
      // of larger terms, which round to nothing nearer to x
      if (rough && foretold >= 2) other = NaN;
      falls =
        20 * model < change && change < model / 20 && change < 4 * before && before < 0
          ? falls + 1
          : 0;
      fell ||= falls === 2;
      [known, other] = [told, alike === 2 ? known : nearer === 2 ? NaN : other];
      const kink =
        Math.abs(turn - turned) <= 0.05 * turn && Math.abs(change - h * ahead) <= 0.05 * change;
      // the slope ahead stays, the loss rises by it
      kinks = kink && -slope >= 0.01 * ahead ? kinks + 1 : 0;
      if (kinks === 2) {
        // one, if most of the turn is in one place, as wide as rounding
        const at = (t) => dot(loss.fun_and_jac(plus(x, t, d))[1], d);
        const room = noise / ahead;
        let low = 0;
        let high = h;
        for (let k = 0, middle; k < 60 && high - low > room; k++)
          at((middle = 0.5 * (low + high))) - slope >= 0.5 * turn
            ? (high = middle)
            : (low = middle);
        if (at(high + room) - at(Math.max(0, low - room)) >= 0.5 * turn) return NO_DECREASE;
      }
    }
    if (foretold >= 2 && Number.isNaN(other)) {
      const bend = turn / h; // a parabola's lowest point is slope²/2bend below
      return slope ** 2 > 0 && slope ** 2 <= 200 * Math.max(noise, error) * bend ? FLOOR : GAVE_UP;
    }
    h *= 4;
  }
  if ((still && !moved) || !Number.isNaN(other)) return NO_DECREASE;
  return fell ? GAVE_UP : FLOOR; // off a plateau it falls in more of a hurry than foretold
}

// When a run stops, and why: the criteria, and every message that a run can end with. The page's
// gradients are its own, so the gradient test is asked along the failed direction alone.

import { judge } from "../gradient_test.js";
import { EPS, dot, largest, norm, plus, times } from "../linalg.js";
import { two_digits } from "./directions.js";

const NO_DECREASE = "line search found no decrease along a descent direction";

/** soo_lib.solvers.Status: a message each, made from what was measured. */
export const STATUS = {
  CONVERGED: ({ gnorm }) => `converged: gradient norm ${two_digits(gnorm)} <= gtol`,
  AT_START: ({ gnorm }) =>
    `converged: gradient norm ${two_digits(gnorm)} <= gtol already at x0; gtol is absolute, and knows no loss's units`,
  UNCHANGED: () => "converged: the last iteration changed the loss by at most ftol",
  EPOCHS: ({ epochs }) => `ran ${epochs} epochs`,
  MAXITER: ({ maxiter }) => `stopped at maxiter = ${maxiter} before it converged`,
  NO_START: () => "the loss or its gradient is not finite at x0: start elsewhere",
  DIVERGED: () => "diverged: the loss is no longer finite; the step is too long",
  UNBOUNDED: () => "diverged: the loss is no longer finite; it has no minimum",
  NOT_FINITE: () =>
    "the loss or its gradient is not finite where a step ended: a kink, or too far a step",
  ABOVE: () => "ended above its start; the step is too long",
  NO_MINIMUM: ({ words }) => words,
  RESAMPLED: () =>
    `${NO_DECREASE}: the loss is re-sampled, drawn anew at each evaluation, so the search compares values of different losses; keep its batches fixed`,
  WRONG_GRADIENT: () =>
    `${NO_DECREASE}: the gradient is wrong. Differences of the loss agree with each other and not with it; try gradient_test(loss, x)`,
  KINK: () =>
    `${NO_DECREASE}: the loss has a kink here, as a ReLU or an absolute value has, and no gradient; smooth it, or use a method without gradients`,
  ROUNDING: () =>
    "no further decrease: the differences of the loss are lost in rounding, the floor of float64",
  SCALE: () =>
    "the search gave up where the loss has a gradient whose square is 0 or infinite in float64; scale the loss",
  GAVE_UP: () =>
    "the search gave up where the loss still falls, as its gradient foretells: it may have no minimum, or a kink ahead; or allow more trials, or another first step",
  UNTOLD: () =>
    `${NO_DECREASE}, and the values of the loss do not tell why: they cancel, lie on a plateau, or jump. Is the gradient right? Is the loss smooth?`,
};
const SUCCESS = ["CONVERGED", "AT_START", "UNCHANGED", "EPOCHS"];

/** A reason: the status, whether it is a success, and its message. */
export const because = (status, measured = {}) => ({
  status,
  success: SUCCESS.includes(status),
  message: STATUS[status](measured),
});

/** The reason to stop after the recorder's last row, or null (eq. 29). */
export function criteria(recorder, { maxiter, gtol = 0, ftol = 0 }) {
  const row = recorder.rows.at(-1);
  const before = recorder.rows.at(-2);
  if (!Number.isFinite(row.fun) || !Number.isFinite(row.gnorm)) {
    if (!before) return because("NO_START");
    if (Number.isFinite(row.fun)) return because("NOT_FINITE");
    return because(row.fun === -Infinity ? "UNBOUNDED" : "DIVERGED");
  }
  if (row.gnorm <= gtol)
    return because(!before && row.gnorm ? "AT_START" : "CONVERGED", { gnorm: row.gnorm });
  if (ftol && before && Math.abs(before.fun - row.fun) <= ftol) return because("UNCHANGED");
  if (recorder.nit >= maxiter) return because("MAXITER", { maxiter });
  return null;
}

/** How finely values of the loss can be told at x: u(|f| + Σ|xᵢgᵢ|). */
export const rounding = (x, f, g) =>
  EPS * (Math.abs(f) + x.reduce((sum, v, i) => sum + Math.abs(v * g[i]), 0));

/** The reason why a search from x along p found no lower point. */
export function why_no_decrease(loss, x, f, g, p) {
  if (!(largest(g) > 1e-154 && largest(g) < 1e154)) return because("SCALE");
  const noise = rounding(x, f, g);
  const [again, g_again] = loss.fun_and_jac(x); // a second look: is the loss the same?
  const same = EPS ** (1 / 3) * largest(g); // a sum in another order changes less
  if (!(Math.abs(again - f) <= 100 * noise && largest(plus(g_again, -1, g)) <= same))
    return because("RESAMPLED");
  if (!(dot(g, p) < 0)) p = times(-1, g);
  const d = times((norm(x) || 1) / norm(p), p);
  const along = judge(loss, x, f, g, d);
  if (along.verdict === "wrong") return because("WRONG_GRADIENT");
  if (along.kink) return because("KINK");
  let fall = dot(g, d) ** 2 / (2 * along.bend); // of the parabola along d to its lowest point
  if (Number.isNaN(fall)) fall = Math.abs(dot(g, d)); // of a line
  if (fall > 0 && fall <= 100 * Math.max(noise, along.rounding)) return because("ROUNDING");
  return because(along.verdict === "right" ? "GAVE_UP" : "UNTOLD");
}

// Solvers: a direction rule times a step rule.

import { plus } from "../linalg.js";
import { DIRECTIONS } from "./directions.js";
import { LINE_SEARCHES, Ray } from "./line_search.js";
import { Recorder } from "./recorder.js";
import { because, criteria, why_no_decrease } from "./stop.js";

/** The loop of every method, an iteration at a time: yields the recorder after each row, so that a
 * page can draw, wait or stop in between; returns the result. */
export function* iterate(loss, x0, options = {}) {
  const {
    method = "newton",
    line_search = "wolfe",
    step = 1,
    maxiter = 100,
    gtol = 1e-8,
    ftol = 0,
    ...settings
  } = options;
  const direction = new DIRECTIONS[method](settings);
  const search = LINE_SEARCHES[line_search]({ c2: direction.c2, ...settings });
  // N&W section 3.5: a direction with no scale of its own starts from the last success
  const rescale = line_search === "wolfe" && !direction.scaled;
  const recorder = new Recorder(loss);
  const enough = () => criteria(recorder, { maxiter, gtol, ftol });
  let x = Float64Array.from(x0);
  let [f, g] = recorder.fun_and_jac(x);
  let trial = step;
  let last = null;
  let slope = NaN;
  let restart = "";
  recorder.row(x, f, g);
  let reason = enough();
  yield recorder;
  while (!reason) {
    recorder.resume();
    const p = direction.direction(recorder, x, g);
    const ray = new Ray(recorder, x, f, g, p);
    if (rescale && last && ray.slope0 < 0)
      trial = last.alpha * Math.min(Math.max(slope / ray.slope0, 0.1), 10);
    const found = ray.slope0 < 0 ? search(ray, trial) : null;
    if (!found) {
      if (direction.fresh) {
        const best = recorder.best; // what is asked at the end is no step of the run
        reason = why_no_decrease(recorder, x, f, g, p);
        recorder.best = best;
        break;
      }
      direction.restart();
      restart = direction.restarted;
      continue;
    }
    direction.update(plus(found.x, -1, x), g, found.jac);
    ({ x, fun: f, jac: g } = found); // eq. 1
    recorder.row(x, f, g, found.alpha, [restart, direction.note].filter(Boolean).join("; "), ray);
    [last, slope, restart] = [found, ray.slope0, ""];
    reason = enough();
    yield recorder;
  }
  return as_result(recorder, reason);
}

/** scipy's result of a recorded run, which ended for a reason. */
export function as_result(recorder, reason) {
  let [x, fun, jac] = recorder.last;
  const [lowest, best] = recorder.best;
  const { nit, nfev, njev, nhev } = recorder;
  // fun may be NaN
  if (!reason.success && best && !(fun <= lowest))
    [x, fun, jac] = [best, lowest, recorder.loss.jac(best)];
  const words = x.every(Number.isFinite) ? recorder.loss.why_no_minimum(x) : "";
  const { status, success, message } = words ? because("NO_MINIMUM", { words }) : reason;
  return { x, fun, jac, success, status, message, nit, nfev, njev, nhev, trace: recorder };
}

/** The whole run at once. */
export const minimize = (loss, x0, options) => drain(iterate(loss, x0, options));

export function drain(run) {
  for (;;) {
    const { done, value } = run.next();
    if (done) return value;
  }
}

// The recorder: a loss around a loss that counts every call and keeps one row an iteration.

import { dot, largest, plus, times } from "../linalg.js";
import { Loss } from "../losses/base.js";
import { two_digits } from "./directions.js";
import { rounding, why_no_decrease } from "./stop.js";

const KEEP_X = 100; // iterates are kept of a problem with at most so many parameters
const STALLED = 40; // iterations that lead nowhere

export class Recorder extends Loss {
  constructor(loss, gtol = 0, ftol = 0) {
    super();
    Object.assign(this, {
      loss,
      gtol,
      ftol,
      n_params: loss.n_params,
      best: [Infinity, null],
      outcome: null,
      seconds: 0,
    });
    Object.assign(this, { nfev: 0, njev: 0, nhev: 0, rows: [], marks: [], x: [], rays: [] });
    this.resume();
  }
  get nit() {
    return this.rows.length - 1;
  }
  /** What happens until it resumes is not the solver's. */
  pause() {
    this.seconds += (performance.now() - this.since) / 1000;
  }
  resume() {
    this.since = performance.now();
  }
  see(x, f) {
    if (f < this.best[0]) this.best = [f, x.slice()]; // a search writes its next trial over x
    return f;
  }
  fun(x) {
    this.nfev++;
    return this.see(x, this.loss.fun(x));
  }
  jac(x) {
    this.njev++;
    return this.loss.jac(x);
  }
  fun_and_jac(x) {
    this.nfev++;
    this.njev++;
    const [f, g] = this.loss.fun_and_jac(x);
    return [this.see(x, f), g];
  }
  hess(x) {
    this.nhev++;
    return this.loss.hess(x);
  }
  /** Ends an iteration at x, found along `ray`: the row, and the criteria. */
  row(x, fun, g, step = NaN, note = "", ray = null) {
    this.pause();
    const { nfev, njev, nhev, seconds } = this;
    this.moved = this.last
      ? g.reduce((sum, v, i) => sum + Math.abs(v * (x[i] - this.last[0][i])), 0)
      : 0;
    this.last = [x, fun, g];
    this.rows.push({
      fun,
      gnorm: largest(g),
      step,
      nfev,
      njev,
      nhev,
      evaluations: Math.max(nfev, njev) + nhev,
      seconds,
      note,
    });
    if (this.n_params <= KEEP_X) {
      this.x.push(x);
      this.rays.push(ray);
    }
    // a run whose looks at the loss are not all recorded
    if (fun < this.best[0]) this.best = [fun, x];
    this.outcome = this.converged();
    this.resume();
  }
  converged() {
    const row = this.rows.at(-1);
    const before = this.rows.at(-2);
    if (!Number.isFinite(row.fun) || !Number.isFinite(row.gnorm)) {
      if (!before) return [false, "the loss or its gradient is not finite at x0: start elsewhere"];
      if (Number.isFinite(row.fun))
        return [
          false,
          "the loss or its gradient is not finite where a step ended: a kink, or too far",
        ];
      return [
        false,
        `diverged: the loss is no longer finite; ${row.fun === -Infinity ? "it has no minimum" : "the step is too long"}`,
      ];
    }
    if (row.gnorm <= this.gtol)
      return [
        true,
        `converged: gradient norm ${two_digits(row.gnorm)} <= gtol${before || !row.gnorm ? "" : " already at x0; gtol is absolute, and knows no loss's units"}`,
      ];
    if (this.ftol && before && Math.abs(before.fun - row.fun) <= this.ftol)
      // eq. 29
      return [true, "converged: the last iteration changed the loss by at most ftol"];
    if (!this.stalled()) return null;
    const [x, f, g] = this.last;
    if (this.moved > 1000 * rounding(x, f, g))
      return [false, `no further decrease: the last ${STALLED} iterations went to and fro`];
    const still = largest(plus(x, -1, this.marks[0])) === 0; // every step was refused
    return [
      false,
      still
        ? why_no_decrease(this, x, f, g, times(-1, g))
        : `no further decrease: the last ${STALLED} iterations changed the loss by no more than its rounding, the floor of float64`,
    ];
  }
  /** Is the second half of the last iterations no lower than the first, and did it lead nowhere? */
  stalled() {
    const half = STALLED / 2;
    if (this.nit % half) return false;
    this.marks = [...this.marks.slice(-2), this.last[0]];
    if (this.marks.length < 3) return false;
    const last = this.rows.slice(-STALLED);
    const [f, g] = ["fun", "gnorm"].map((name) => last.map((row) => row[name]));
    const [a, b, c] = this.marks;
    const [first, second] = [plus(b, -1, a), plus(c, -1, b)];
    const noise = rounding(...this.last);
    const old = [f, g].map((v) => v.splice(0, half));
    return (
      Math.max(...f, ...old[0]) - Math.min(...f, ...old[0]) <= 100 * noise &&
      Math.min(...f) >= Math.min(...old[0]) - noise &&
      Math.min(...g) >= Math.min(...old[1]) &&
      Math.max(...g) <= Math.max(...old[1]) &&
      dot(first, second) <= 0.5 * Math.sqrt(dot(first, first) * dot(second, second))
    );
  }
}

/** scipy's result of a recorded run; `failure` is why it ended, if the recorder knows none. */
export function as_result(recorder, failure) {
  let [x, fun, jac] = recorder.last;
  let [success, message] = recorder.outcome ?? [false, failure];
  const [lowest, best] = recorder.best;
  const { nit, nfev, njev, nhev } = recorder;
  // fun may be NaN
  if (!success && best && !(fun <= lowest)) [x, fun, jac] = [best, lowest, recorder.loss.jac(best)];
  const reason = x.every(Number.isFinite) ? recorder.loss.why_no_minimum(x) : "";
  if (reason) [success, message] = [false, reason];
  return { x, fun, jac, success, message, nit, nfev, njev, nhev, trace: recorder };
}

// The recorder: a loss around a loss that counts every call and keeps one row an iteration.

import { largest } from "../linalg.js";
import { Loss } from "../losses/base.js";

const KEEP_X = 100; // iterates are kept of a problem with at most so many parameters

export class Recorder extends Loss {
  constructor(loss) {
    super();
    Object.assign(this, {
      loss,
      n_params: loss.n_params,
      best: [Infinity, null],
      seconds: 0,
    });
    Object.assign(this, { nfev: 0, njev: 0, nhev: 0, rows: [], x: [], rays: [] });
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
  /** Ends an iteration at x, found along `ray`: the row. */
  row(x, fun, g, step = NaN, note = "", ray = null) {
    this.pause();
    const { nfev, njev, nhev, seconds } = this;
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
    this.resume();
  }
}

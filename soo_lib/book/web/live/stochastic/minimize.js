// The loop over epochs and their batches.

import { plus, zeros } from "../linalg.js";
import { partition } from "../losses/batches.js";
import { uniform } from "../random.js";
import { as_result } from "../solvers/minimize.js";
import { Recorder } from "../solvers/recorder.js";
import { because, criteria } from "../solvers/stop.js";
import { RULES } from "./rules.js";

/** minimize_stochastic's loop: yields the recorder after each epoch, and null after each batch, so
 * that a page can draw in between. `deal`: an epoch's batches. */
export function* iterate_epochs(loss, x0, options = {}) {
  const {
    rule = "sgd",
    batch_size = 128,
    epochs = 10,
    step = 0.1,
    seed = 0,
    deal = null,
    ...settings
  } = options;
  const m = loss.n_samples;
  const random = uniform(seed);
  const recorder = new Recorder(loss);
  const state = { k: 0, m: zeros(loss.n_params), v: zeros(loss.n_params) };
  let x = Float64Array.from(x0);
  let reason = null;
  for (let alpha = NaN; ; alpha = step) {
    recorder.pause();
    const seen = loss.fun_and_jac(x); // not the run's own
    recorder.nfev = recorder.njev;
    recorder.resume();
    recorder.row(x, ...seen, alpha);
    reason = criteria(recorder, { maxiter: epochs });
    yield recorder;
    if (reason) break;
    recorder.resume();
    for (const rows of deal?.() ?? partition(m, batch_size, random)) {
      const batch = { loss: rows.length === m ? loss : loss.subset(rows), visits: 1 };
      const [f, g] = batch.loss.fun_and_jac(x);
      const finite = Number.isFinite(f);
      state.k++;
      if (finite) x = plus(x, 1, RULES[rule](batch, x, f, g, step, state, settings));
      recorder.njev += batch.visits * rows.length;
      if (!finite) break; // nor is the mean over all rows, and the recorder will say so
      recorder.pause();
      yield null;
      recorder.resume();
    }
  }
  const lower = recorder.last[1] <= recorder.rows[0].fun;
  if (reason.status === "MAXITER") reason = because(lower ? "EPOCHS" : "ABOVE", { epochs });
  return as_result(recorder, reason);
}

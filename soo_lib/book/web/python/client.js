// The page's side of Python: one worker, started at the reader's first click, ended by Stop.

export const megabytes = (bytes) => (bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0);

/** Why a run has no result, in a sentence for the reader. */
export class Ended extends Error {}

const NO_WORKERS =
  "This browser cannot run Python in a page: it is older than 2023, or forbids workers. " +
  "The rocket at the top of the page opens it on Binder.";
const LOST =
  "The connection was lost. What has come is kept: try again, and it goes on from there.";
const NOT_STARTED = "Python did not start in this browser. The rocket opens the page on Binder.";
const BROKEN =
  "Python has ended by itself, as it does when a page's memory (2 to 4 GB) is not enough. " +
  "The next run starts it anew.";

export class Python {
  /** `runtime` is what the page was told when it was built; `tell(words, share)` shows progress. */
  constructor(runtime, tell) {
    Object.assign(this, { runtime, tell, worker: null, ready: null, end: null });
    this.base = new URL("../pyodide/", import.meta.url).href;
  }

  get running() {
    return this.hear !== undefined && this.hear !== null;
  }

  /** Have Python at hand: at once where it is. */
  start() {
    this.ready ??= this.open().catch((error) => {
      this.close();
      throw error;
    });
    return this.ready;
  }

  open() {
    return new Promise((resolve, reject) => {
      if (!("Worker" in window) || !("DecompressionStream" in window)) throw new Ended(NO_WORKERS);
      this.tell("Fetching Python");
      this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
      this.end = reject;
      this.worker.onerror = (event) => {
        event.preventDefault();
        this.fail(navigator.onLine === false ? LOST : event.message ? BROKEN : LOST);
      };
      this.worker.onmessage = ({ data }) => this.message(data, resolve);
      this.worker.postMessage({ kind: "start", base: this.base, ...this.runtime });
    });
  }

  message(data, ready) {
    if (data.kind === "progress") {
      const { step, had, all } = data;
      if (all) this.tell(`${step}: ${megabytes(had)} of ${megabytes(all)} MB`, had / all);
      else this.tell(step);
    } else if (data.kind === "ready") ready();
    else if (data.kind === "lost") this.fail(LOST);
    else if (data.kind === "failed") {
      this.fail(`${data.started ? BROKEN : NOT_STARTED} (${data.words.slice(0, 300)})`);
    } else this.hear?.(data);
  }

  fail(words) {
    const end = this.end;
    this.close();
    end?.(new Ended(words));
  }

  close() {
    this.worker?.terminate();
    this.worker = this.ready = this.end = this.hear = null;
  }

  /**
   * Run cells, `[{ id, source }]`, one after another until one fails.
   *
   * `on` hears "begin", "output", "fetch" and "end" of each cell. Resolves to the error of the cell
   * that failed, or null; throws Ended where there is no Python or no longer any.
   */
  async run(cells, { fresh = false, on }) {
    await this.start();
    let error = null;
    await new Promise((resolve, reject) => {
      this.end = reject;
      this.hear = (data) => {
        if (data.kind === "end") error = data.error;
        if (data.kind === "done") resolve();
        else on(data);
      };
      this.worker.postMessage({ kind: "run", cells, fresh });
    });
    this.hear = this.end = null;
    return error;
  }

  /** End what runs, with the worker: there is no other way to stop Python in a page. */
  stop(words = "Stopped. All that ran is forgotten: the next run starts Python anew.") {
    this.fail(words);
  }
}

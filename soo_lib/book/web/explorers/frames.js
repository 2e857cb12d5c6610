// When a live picture works and is drawn: at most once a frame of the screen.

const BUDGET = 8; // ms of a frame that may go into work: the rest is the picture's

/**
 * In each frame come build(changed), with the names of the fields that changed since the last (true:
 * new runs have begun); tick(), what plays by itself (true: it goes on); work() while there is time
 * (true: there is more; "on": and nothing new yet; null: not now; false: no more); and
 * draw(changed), where anything is new.
 */
export function frames({ build, tick, work, draw }) {
  const changed = new Set();
  let stale = true; // is there anything that has not been drawn?
  let late = false; // did the drawing wait for this frame, as work filled the last one?
  let asked;

  const ask = () => (asked ||= requestAnimationFrame(now));
  function now() {
    const end = performance.now() + BUDGET;
    asked = cancelAnimationFrame(asked);
    if (build(changed)) late = false; // new runs work before they are drawn
    const playing = tick();
    let more = late;
    if (!late)
      do {
        more = work();
        stale ||= more === true;
      } while (more && performance.now() < end);
    // After long work the picture gets a frame of its own.
    late = stale && !late && !changed.size && performance.now() > end + BUDGET;
    if (stale && !late) draw(changed);
    stale &&= late;
    changed.clear();
    if (more !== false || playing || late) ask();
  }

  return {
    /** Runs a frame at once. */
    now,
    /** The first frame is the caller's. */
    first: (call) => (asked = requestAnimationFrame(call)),
    change(names) {
      for (const name of names) changed.add(name);
      stale ||= names.length > 0;
      ask();
    },
    redraw() {
      stale = true;
      ask();
    },
    stop: () => cancelAnimationFrame(asked),
  };
}

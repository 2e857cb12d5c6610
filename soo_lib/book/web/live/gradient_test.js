// The gradient test: is the gradient the derivative of the loss? (eq. 31)

import { EPS, dot, largest, norm, plus } from "./linalg.js";

const spread = (values) => Math.max(...values) - Math.min(...values);

/** The verdict on a gradient g along d, with the value f at x: see soo_lib.gradient_test.judge. */
export function judge(loss, x, f, g, d) {
  const sizes = x.reduce((sum, v, i) => sum + Math.abs(v * g[i]), 0); // x is rounded too
  const tried = [];
  for (let k = 2; k < 61; k++) {
    const eps = 2 ** -k;
    const [ahead, behind] = [plus(x, eps, d), plus(x, -eps, d)];
    const slope = dot(g, plus(ahead, -1, behind)) / (2 * eps);
    const [up, down] = [loss.fun(ahead), loss.fun(behind)];
    if (!Number.isFinite(up - down)) continue; // near a border only the smaller ε are inside
    const ratio = (up - down) / (2 * eps); // eq. 31
    const turn = (up - f - (f - down)) / (2 * eps);
    const rounding = EPS * (largest([up, down, f]) + sizes);
    const before = tried.at(-1)?.ratio ?? NaN;
    const enough = Math.max(1e-6 * Math.abs(ratio), (60 * rounding) / eps);
    const settled = Math.abs(ratio - before) <= enough;
    tried.push({ eps, ratio, slope, turn, rounding, moved: largest([up - f, down - f]) });
    if (eps <= 2 ** -30 && (settled || up === down)) break;
  }
  if (!tried.length) return { verdict: "untold", eps: [], errors: [], kink: false };

  let least = Infinity; // values of coarser units show it by the least that they change
  for (const { eps, turn, moved, rounding } of tried)
    for (const change of [0.1 * moved, Math.abs(turn * eps)])
      if (change > 4 * rounding) least = Math.min(least, change);
  for (const row of tried) {
    if (Number.isFinite(least)) row.rounding = Math.max(row.rounding, least);
    row.error = Math.abs(row.ratio - row.slope);
    row.noise = (30 * row.rounding) / row.eps;
  }
  const scale = (norm(g) * norm(d)) / Math.sqrt(x.length);
  const size = Math.max(Math.abs(tried.at(-1).slope), scale, Number.MIN_VALUE);
  const relative = Math.min(
    ...tried.map(({ error, moved, eps }) => error / Math.max(moved / eps, size)),
  );
  const order = fitted(tried.filter(({ error, noise }) => error > noise).slice(-5));
  const seen = tried.filter(({ turn, noise }) => Math.abs(turn) > noise);
  const bend = seen.length ? (2 * seen.at(-1).turn) / seen.at(-1).eps : NaN;
  const turns = seen.slice(-6).map(({ turn }) => Math.abs(turn));
  const kink = turns.some((_, i) => {
    const three = turns.slice(i, i + 3);
    return three.length === 3 && Math.min(...three) > 0.8 * Math.max(...three);
  });

  const best = 10 * EPS ** (2 / 3); // as good as a central difference can be
  const lowest = Math.min(...tried.map(({ error }) => error));
  let verdict = "untold";
  if (lowest <= best * size || (relative < best && Number.isNaN(order))) verdict = "right";
  if (relative < 1e-3 && order > 1.5) verdict = "right";
  for (let i = 0; i < tried.length - 2; i++) {
    const three = tried.slice(i, i + 3);
    const off = Math.min(...three.map(({ error }) => error));
    const agree =
      three.every(({ error, noise }) => error > noise) &&
      spread(three.map(({ ratio, slope }) => ratio - slope)) <= 0.1 * off &&
      three.every(({ turn }) => Math.abs(turn) <= 0.5 * off);
    const finer = tried.slice(i).filter(({ noise }) => noise < off);
    if (!agree || !finer.every(({ error }) => error > 0.1 * off)) continue;
    const asked = three.some(({ moved }) => moved) ? off : Infinity;
    const excused = foretells(loss, x, f, g, d, three[2].eps, asked);
    verdict = excused ? "untold" : "wrong";
    break;
  }
  const [eps, errors] = [tried.map((row) => row.eps), tried.map((row) => row.error)];
  return { verdict, relative, order, eps, errors, kink, bend, rounding: tried.at(-1).rounding };
}

/** The slope of log(error) against log(ε); NaN of fewer than three, or where rounding rises. */
function fitted(rows) {
  if (rows.length < 3) return NaN;
  const mean = (values) => values.reduce((a, b) => a + b) / values.length;
  const [u, v] = [rows.map(({ eps }) => Math.log(eps)), rows.map(({ error }) => Math.log(error))];
  const [a, b] = [mean(u), mean(v)];
  const slope = mean(u.map((t, i) => (t - a) * (v[i] - b))) / mean(u.map((t) => (t - a) * (t - a)));
  return slope > -0.5 ? slope : NaN;
}

/** Whether gradients at both ends of longer steps foretell what these do, twice in a row. */
function foretells(loss, x, f, g, d, h, off) {
  const far = 1e10 * Math.max(1, largest(d));
  let told = 0;
  while (told < 2 && h * largest(d) < far) {
    h *= 4;
    const ends = [h, -h].map((step) => {
      const [value, end] = loss.fun_and_jac(plus(x, step, d));
      return { change: value - f, missed: value - f - (step * dot(plus(g, 1, end), d)) / 2 };
    });
    const changes = ends.map(({ change }) => change);
    if (EPS * largest(changes) > 0.01 * h * off) return false; // rounding hides it
    if (!ends.every(({ missed }) => Number.isFinite(missed))) return false;
    const near = ends.every(({ change, missed }) => Math.abs(missed) <= 0.05 * Math.abs(change));
    told = near && Math.abs(ends[0].missed - ends[1].missed) <= 0.2 * h * off ? told + 1 : 0;
  }
  return told === 2;
}

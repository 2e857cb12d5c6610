// Points in the plane with classes, made from a seed: what the playground learns from.

import { normal, permutation, uniform } from "./random.js";

const turn = (angle, r) => [r * Math.cos(angle), r * Math.sin(angle)];

/** The place of a point of class k that stands at the share t of its class. */
const SHAPES = {
  moons: [
    2,
    (t, k) =>
      k
        ? [0.9 - 1.6 * Math.cos(Math.PI * t), 0.7 - 1.7 * Math.sin(Math.PI * t)]
        : [-0.9 + 1.6 * Math.cos(Math.PI * t), -0.7 + 1.7 * Math.sin(Math.PI * t)],
  ],
  circles: [2, (t, k) => turn(2 * Math.PI * t, k ? 2.3 : 1)],
  spirals: [2, (t, k) => turn(Math.PI * (k + 3 * Math.sqrt(t)), 0.3 + 2.3 * Math.sqrt(t))],
  blobs: [3, (t, k) => turn((2 * Math.PI * k) / 3 + 0.5, 1.4)],
};
export const SETS = Object.keys(SHAPES);

/** X, rows one after another, and labels y: `rows` to train on and as many held out. */
export function make_points(set, rows, noise, seed) {
  const [classes, place] = SHAPES[set];
  const random = uniform(seed);
  const around = normal(seed + 1);
  const points = Array.from({ length: 2 * rows }, (_, i) => {
    const k = i % classes;
    const spread = noise * (set === "blobs" ? 1.5 : 1);
    return [place(random(), k).map((v) => v + spread * around()), k];
  });
  const order = permutation(2 * rows, random);
  const part = (of) => ({
    X: Float64Array.from(of.flatMap((i) => points[i][0])),
    y: of.map((i) => points[i][1]),
  });
  return { classes, train: part(order.slice(0, rows)), held_out: part(order.slice(rows)) };
}

// A network at work: what each of its units says of the plane, with the weights between them.

import { INKS, paint } from "./draw.js";
import { clamp, h } from "./elements.js";

/** Draws `maps`: a net's activations at the pixels of a square of `grid` rows, and its classes'
 * shares. */
export function draw_units(canvas, { sizes, layers, kind }, x, maps, grid) {
  const wide = canvas.clientWidth || 600;
  const dense = window.devicePixelRatio || 1;
  const last = sizes.length - 1;
  const gap = wide / sizes.length;
  const side = Math.min(42, gap * 0.6);
  const high = Math.max(...sizes) * (side + 6) + 4;
  const place = (l, k) => [gap * (l + 0.5), high / 2 + (k - (sizes[l] - 1) / 2) * (side + 6)];
  const tile = h("canvas");
  const context = canvas.getContext("2d");
  Object.assign(canvas, { width: wide * dense, height: high * dense });
  canvas.style.aspectRatio = `${wide} / ${high}`;
  context.scale(dense, dense);

  function weight(l, from, k) {
    const w = x[layers[l - 1].start + from * sizes[l] + k];
    const [[u, v], [to, height]] = [place(l - 1, from), place(l, k)];
    const half = (u + to) / 2;
    Object.assign(context, {
      strokeStyle: `rgba(${INKS[w > 0 ? 0 : 1]}, ${clamp(Math.abs(w) / 2, 0.08, 0.9)})`,
      lineWidth: clamp(Math.abs(w), 0.5, 4),
    });
    context.stroke(
      new Path2D(`M${u + side / 2} ${v}C${half} ${v} ${half} ${height} ${to - side / 2} ${height}`),
    );
  }

  function unit(l, k) {
    const map = maps[l];
    const n = sizes[l];
    const middle = l === last || (l && kind === "sigmoid") ? 0.5 : 0;
    const [u, v] = place(l, k);
    let size = middle || (l && kind === "tanh" ? 1 : 1e-9); // the value that is painted strongest
    for (let i = k; i < map.length; i += n) size = Math.max(size, Math.abs(map[i] - middle));
    paint(tile, grid / 2, grid / 2, (i, j) => {
      // every second pixel: a unit's picture is small
      const share = (map[2 * (j * grid + i) * n + k] - middle) / size;
      return l === last
        ? [...INKS[k], 250 * (0.5 + share / 2)]
        : [...INKS[share > 0 ? 0 : 1], 20 + 220 * Math.min(1, Math.abs(share)) || 0];
    });
    context.drawImage(tile, u - side / 2, v - side / 2, side, side);
  }

  for (let l = 0; l <= last; l++)
    for (let k = 0; k < sizes[l]; k++) {
      for (let from = 0; l && from < sizes[l - 1]; from++) weight(l, from, k);
      unit(l, k);
    }
}

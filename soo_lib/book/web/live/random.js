// Random numbers and orders, from a seed.

/** Uniform numbers in [0, 1) from a seed: the 32 bits of a counter, well mixed. */
export function uniform(seed) {
  let counter = Math.imul(seed + 1, 0x9e3779b1);
  return () => {
    let h = (counter = (counter + 0x9e3779b9) | 0);
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
  };
}

export const normal =
  (seed, random = uniform(seed)) =>
  () =>
    Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Moves `count` rows, drawn at random, to the front of `rows`. */
export function shuffle(rows, random, count = rows.length) {
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(random() * (rows.length - i));
    const row = rows[j];
    rows[j] = rows[i];
    rows[i] = row;
  }
  return rows;
}

/** The numbers below m in random order. */
export const permutation = (m, random) => shuffle([...Array(m).keys()], random);

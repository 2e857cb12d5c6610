// What a unit makes of its z.

/** σ, and its derivatives as functions of a = σ(z). */
export const ACTIVATIONS = {
  sigmoid: {
    value: (z) => 1 / (1 + Math.exp(-z)),
    first: (a) => a * (1 - a),
    second: (a) => a * (1 - a) * (1 - 2 * a),
  },
  tanh: { value: Math.tanh, first: (a) => 1 - a * a, second: (a) => -2 * a * (1 - a * a) },
  relu: {
    value: (z) => (z > 0 || z !== z ? z : 0),
    first: (a) => (a > 0 ? 1 : 0),
    second: () => 0,
  },
  linear: { value: (z) => z, first: () => 1, second: () => 0 },
};

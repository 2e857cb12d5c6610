// Vectors are Float64Arrays; a symmetric matrix is one of n·n entries, row after row.

export const EPS = 2 ** -52;
export const zeros = (n) => new Float64Array(n);

export function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** f(a, b), entry by entry */
export function zip(a, b, f) {
  const c = zeros(a.length);
  for (let i = 0; i < c.length; i++) c[i] = f(a[i], b[i]);
  return c;
}

/** a + t b; a search writes its trials into one `c`: a new vector costs more than the sums in it */
export function plus(a, t, b, c = zeros(a.length)) {
  for (let i = 0; i < c.length; i++) c[i] = a[i] + t * b[i];
  return c;
}

export const by = (a, b) => zip(a, b, (u, v) => u * v);
export const times = (t, a) => a.map((v) => t * v);
/** The Euclidean norm. */
export const norm = (a) => Math.sqrt(dot(a, a));
export const largest = (a) =>
  a.reduce((most, v) => (Math.abs(v) > most || v !== v ? Math.abs(v) : most), 0);
export const product = (H, p) =>
  p.map((_, i) => dot(H.subarray(i * p.length, (i + 1) * p.length), p));

/** H⁻¹ of two rows */
export const inverse = ([a, b, , d]) =>
  Float64Array.of(d, -b, -b, a).map((v) => v / (a * d - b * b));

/** The lower factor of H = L Lᵀ, or null where H is not positive definite. */
export function cholesky(H, n) {
  const L = zeros(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = H[i * n + j];
      for (let k = 0; k < j; k++) sum -= L[i * n + k] * L[j * n + k];
      if (i === j && !(sum > 0)) return null;
      L[i * n + j] = i === j ? Math.sqrt(sum) : sum / L[j * n + j];
    }
  return L;
}

/** x of L Lᵀ x = b. */
export function cho_solve(L, b) {
  const n = b.length;
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= L[i * n + k] * x[k];
    x[i] /= L[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    x[i] /= L[i * n + i];
    for (let k = 0; k < i; k++) x[k] -= L[i * n + k] * x[i];
  }
  return x;
}

/** Eigenvalues and eigenvectors, the rows of `vectors`: reflections to a tridiagonal, then QR. */
export function eigh(H, n) {
  const A = H.slice();
  const Q = zeros(n * n);
  const p = zeros(n);
  const v = zeros(n);
  for (let i = 0; i < n; i++) Q[i * n + i] = 1;
  for (let k = 0; k + 2 < n; k++) {
    // a reflection I - βvvᵀ clears column k below its second entry
    let norm = 0;
    let half = 0;
    for (let i = k + 1; i < n; i++) norm = Math.hypot(norm, (v[i] = A[i * n + k]));
    if (norm === 0) continue;
    v[k + 1] += v[k + 1] < 0 ? -norm : norm;
    v[k] = 0;
    const beta = 1 / (norm * Math.abs(v[k + 1]));
    for (let i = k; i < n; i++) {
      p[i] = 0;
      for (let j = k + 1; j < n; j++) p[i] += beta * A[i * n + j] * v[j];
      half += (beta / 2) * p[i] * v[i];
    }
    for (let i = k; i < n; i++) p[i] -= half * v[i];
    for (let i = k; i < n; i++)
      for (let j = k; j < n; j++) A[i * n + j] -= v[i] * p[j] + p[i] * v[j];
    p.fill(0);
    for (let i = k + 1; i < n; i++) for (let j = 0; j < n; j++) p[j] += beta * v[i] * Q[i * n + j];
    for (let i = k + 1; i < n; i++) for (let j = 0; j < n; j++) Q[i * n + j] -= v[i] * p[j];
  }
  return tridiagonal(
    p.map((_, i) => A[i * n + i]),
    p.map((_, i) => A[i * n + n + i] || 0),
    Q,
  );
}

/** The same of the tridiagonal matrix with diagonal d, beside it e; Q, if given, is turned
 * along. */
export function tridiagonal(d, e, Q = null) {
  const n = d.length;
  const small = (i) => !(Math.abs(e[i]) > EPS * (Math.abs(d[i]) + Math.abs(d[i + 1])));
  for (let high = n - 1, tries = 0; high > 0 && tries < 60 * n; tries++) {
    let low = high - 1;
    if (small(low)) {
      high--;
      continue;
    }
    while (low > 0 && !small(low - 1)) low--;
    const gap = (d[high - 1] - d[high]) / 2;
    const f = e[high - 1]; // Wilkinson's shift
    let x = d[low] - d[high] + (f * f) / (gap + (gap < 0 ? -1 : 1) * Math.hypot(gap, f));
    let z = e[low];
    for (let k = low; k < high; k++) {
      // a rotation chases z down the band
      const r = Math.hypot(x, z);
      const c = r ? x / r : 1;
      const s = r ? z / r : 0;
      const [a, b, off] = [d[k], d[k + 1], e[k]];
      if (k > low) e[k - 1] = r;
      d[k] = c * c * a + 2 * c * s * off + s * s * b;
      d[k + 1] = s * s * a - 2 * c * s * off + c * c * b;
      e[k] = x = c * s * (b - a) + (c * c - s * s) * off;
      if (k + 1 < high) {
        z = s * e[k + 1];
        e[k + 1] *= c;
      }
      if (Q)
        for (let i = k * n; i < (k + 1) * n; i++)
          [Q[i], Q[i + n]] = [c * Q[i] + s * Q[i + n], c * Q[i + n] - s * Q[i]];
    }
  }
  return { values: d, vectors: Q };
}

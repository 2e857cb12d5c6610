// Vectors are Float64Arrays; a symmetric matrix is one of n·n entries, row after row.

export const EPS = 2 ** -52;

export function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** a + t b */
export function plus(a, t, b) {
  const c = new Float64Array(a.length);
  for (let i = 0; i < c.length; i++) c[i] = a[i] + t * b[i];
  return c;
}

export const times = (t, a) => plus(new Float64Array(a.length), t, a);
export const largest = (a) => a.reduce((most, v) => (Math.abs(v) > most || v !== v ? Math.abs(v) : most), 0);
export const product = (H, p) => p.map((_, i) => dot(H.subarray(i * p.length, (i + 1) * p.length), p));

/** The lower factor of H = L Lᵀ, or null where H is not positive definite. */
export function cholesky(H, n) {
  const L = new Float64Array(n * n);
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
  const n = b.length, x = b.slice();
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

/** H⁻¹ of a positive definite H, column by column. */
export function inverse(H, n) {
  const L = cholesky(H, n), columns = new Float64Array(n * n), e = new Float64Array(n);
  for (let i = 0; i < n; i++) columns.set(cho_solve(L, e.fill(0).fill(1, i, i + 1)), i * n);
  return columns;
}

/** Eigenvalues and eigenvectors, the rows of `vectors`: reflections to a tridiagonal, then QR. */
export function eigh(H, n) {
  const A = H.slice(), Q = new Float64Array(n * n), p = new Float64Array(n), v = new Float64Array(n);
  for (let i = 0; i < n; i++) Q[i * n + i] = 1;
  for (let k = 0; k + 2 < n; k++) { // a reflection I - βvvᵀ clears column k below its second entry
    let norm = 0;
    for (let i = k + 1; i < n; i++) norm = Math.hypot(norm, (v[i] = A[i * n + k]));
    if (norm === 0) continue;
    v[k + 1] += v[k + 1] < 0 ? -norm : norm;
    const beta = 1 / (norm * Math.abs(v[k + 1]));
    let half = 0;
    for (let i = k; i < n; i++) {
      p[i] = 0;
      for (let j = k + 1; j < n; j++) p[i] += beta * A[i * n + j] * v[j];
      if (i > k) half += (beta / 2) * p[i] * v[i];
    }
    v[k] = 0;
    for (let i = k; i < n; i++) p[i] -= half * v[i];
    for (let i = k; i < n; i++) for (let j = k; j < n; j++) A[i * n + j] -= v[i] * p[j] + p[i] * v[j];
    p.fill(0);
    for (let i = k + 1; i < n; i++) for (let j = 0; j < n; j++) p[j] += beta * v[i] * Q[i * n + j];
    for (let i = k + 1; i < n; i++) for (let j = 0; j < n; j++) Q[i * n + j] -= v[i] * p[j];
  }
  const d = p.map((_, i) => A[i * n + i]), e = p.map((_, i) => (i ? A[i * n + i - 1] : 0)).slice(1);
  return tridiagonal(d, e, Q);
}

/** The same of the tridiagonal matrix with diagonal d, beside it e; Q, if given, is turned along. */
export function tridiagonal(d, e, Q = null) {
  const n = d.length;
  for (let high = n - 1, tries = 0; high > 0 && tries < 60 * n; tries++) {
    const small = (i) => !(Math.abs(e[i]) > EPS * (Math.abs(d[i]) + Math.abs(d[i + 1])));
    if (small(high - 1)) { high--; continue; }
    let low = high - 1;
    while (low > 0 && !small(low - 1)) low--;
    const gap = (d[high - 1] - d[high]) / 2, f = e[high - 1]; // Wilkinson's shift
    let x = d[low] - d[high] + (f * f) / (gap + (gap < 0 ? -1 : 1) * Math.hypot(gap, f)), z = e[low];
    for (let k = low; k < high; k++) { // a rotation chases z down the band
      const r = Math.hypot(x, z), c = r ? x / r : 1, s = r ? z / r : 0, [a, b, off] = [d[k], d[k + 1], e[k]];
      if (k > low) e[k - 1] = r;
      d[k] = c * c * a + 2 * c * s * off + s * s * b;
      d[k + 1] = s * s * a - 2 * c * s * off + c * c * b;
      e[k] = x = c * s * (b - a) + (c * c - s * s) * off;
      if (k + 1 < high) { z = s * e[k + 1]; e[k + 1] *= c; }
      if (Q) for (let i = k * n; i < (k + 1) * n; i++) [Q[i], Q[i + n]] = [c * Q[i] + s * Q[i + n], c * Q[i + n] - s * Q[i]];
    }
  }
  return { values: d, vectors: Q };
}

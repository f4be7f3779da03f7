import { Matrix } from "../trace/matrix";

/** q kᵀ: the dot product of every query with every key. */
export function dotProducts(queries: Matrix, keys: Matrix): Matrix {
  const data = new Float32Array(queries.rows * keys.rows);
  for (let i = 0; i < queries.rows; i++)
    for (let j = 0; j < keys.rows; j++)
      data[i * keys.rows + j] = dot(queries.row(i), keys.row(j));
  return new Matrix(queries.rows, keys.rows, data);
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Softmax of each row. A row whose scores are all -∞ becomes zeros. */
export function softmaxRows(scores: Matrix): Matrix {
  const data = new Float32Array(scores.data.length);
  for (let row = 0; row < scores.rows; row++) data.set(softmax(scores.row(row)), row * scores.cols);
  return new Matrix(scores.rows, scores.cols, data);
}

export function softmax(scores: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(scores);
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
  if (most === -Infinity) return new Float64Array(values.length);
  const exponents = values.map((score) => Math.exp(score - most));
  const sum = exponents.reduce((a, b) => a + b, 0);
  return exponents.map((exponent) => exponent / sum);
}

/** The largest absolute difference of two matrices; of two equal infinities it is 0. */
export function largestDifference(a: Matrix, b: Matrix): number {
  let most = 0;
  for (let i = 0; i < a.data.length; i++)
    if (a.data[i] !== b.data[i]) most = Math.max(most, Math.abs(a.data[i] - b.data[i]));
  return most;
}

export function meanOf(matrices: readonly Matrix[]): Matrix {
  const [first] = matrices;
  return first.map((_, row, col) => {
    const sum = matrices.reduce((total, matrix) => total + matrix.at(row, col), 0);
    return sum / matrices.length;
  });
}

/** Entropy in nats. */
export function entropy(probabilities: ArrayLike<number>): number {
  return Array.from(probabilities).reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
}

/** The root of the mean square. */
export function rms(values: ArrayLike<number>): number {
  return Math.sqrt(dot(values, values) / Math.max(1, values.length));
}

export function indexOfMost(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** The sum of the rows of a matrix, each times its weight. */
export function weightedSum(weights: ArrayLike<number>, rows: Matrix): Float32Array {
  const sum = new Float32Array(rows.cols);
  for (let row = 0; row < rows.rows; row++)
    for (let col = 0; col < rows.cols; col++) sum[col] += weights[row] * rows.at(row, col);
  return sum;
}

/** A matrix of numbers, row by row. */
export class Matrix {
  constructor(
    readonly rows: number,
    readonly cols: number,
    readonly data: Float32Array,
  ) {}

  at(row: number, col: number): number {
    return this.data[row * this.cols + col];
  }

  row(row: number): Float32Array {
    return this.data.subarray(row * this.cols, (row + 1) * this.cols);
  }

  map(change: (value: number, row: number, col: number) => number): Matrix {
    const data = this.data.map((value, i) => change(value, Math.floor(i / this.cols), i % this.cols));
    return new Matrix(this.rows, this.cols, data);
  }
}

/** An array of two or three axes; the first of three counts heads. */
export class Tensor {
  constructor(
    readonly shape: readonly number[],
    readonly data: Float32Array,
    /** Largest difference to the value of the model. */
    readonly error: number,
  ) {}

  get heads(): number {
    return this.shape.length > 2 ? this.shape[0] : 1;
  }

  /** The matrix of a head; an array without heads is one matrix, a vector one row. */
  matrix(head = 0): Matrix {
    const cols = this.shape[this.shape.length - 1] ?? 1;
    const rows = this.shape.length > 1 ? this.shape[this.shape.length - 2] : 1;
    const start = head * rows * cols;
    return new Matrix(rows, cols, this.data.subarray(start, start + rows * cols));
  }
}

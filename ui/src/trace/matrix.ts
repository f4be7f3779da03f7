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

  /** The part of so many rows and columns from a place on. */
  part(top: number, left: number, rows: number, cols: number): Matrix {
    const data = new Float32Array(rows * cols);
    for (let row = 0; row < rows; row++) data.set(this.row(top + row).subarray(left, left + cols), row * cols);
    return new Matrix(rows, cols, data);
  }

  map(change: (value: number, row: number, col: number) => number): Matrix {
    const data = this.data.map((value, i) => change(value, Math.floor(i / this.cols), i % this.cols));
    return new Matrix(this.rows, this.cols, data);
  }
}

/** An array of two or three axes; the first of three counts heads. In a long text its numbers come later, by head. */
export class Tensor {
  constructor(
    readonly shape: readonly number[],
    readonly data: Float32Array,
    /** Largest difference to the value of the model. */
    readonly error: number,
    /** The heads whose numbers are there; undefined for all. */
    private readonly known?: ReadonlySet<number>,
  ) {}

  /** An array of which only the shape is known. */
  static stub(shape: readonly number[]): Tensor {
    return new Tensor(shape, new Float32Array(0), 0, new Set());
  }

  get heads(): number {
    return this.shape.length > 2 ? this.shape[0] : 1;
  }

  private get rows(): number {
    return this.shape.length > 1 ? this.shape[this.shape.length - 2] : 1;
  }

  get cols(): number {
    return this.shape[this.shape.length - 1] ?? 1;
  }

  /** Whether the numbers of a head, or of all, are there. */
  has(head?: number): boolean {
    if (!this.known) return true;
    return head === undefined ? this.known.size === this.heads : this.known.has(head);
  }

  /** The same array with the numbers of a head, or of all. */
  with(part: Tensor, head?: number): Tensor {
    if (this.heads === 1 || head === undefined) return new Tensor(this.shape, part.data, part.error);
    const data = this.data.length ? this.data : new Float32Array(this.heads * this.rows * this.cols);
    data.set(part.data, head * this.rows * this.cols);
    return new Tensor(this.shape, data, Math.max(this.error, part.error), new Set([...this.known!, head]));
  }

  /** The matrix of a head; an array without heads is one matrix, a vector one row. */
  matrix(head = 0): Matrix {
    if (!this.has(this.heads === 1 ? undefined : head)) throw new Error("numbers that have not been asked for");
    const start = head * this.rows * this.cols;
    return new Matrix(this.rows, this.cols, this.data.subarray(start, start + this.rows * this.cols));
  }
}

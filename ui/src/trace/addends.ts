import { Matrix } from "./matrix";
import type { Stream } from "./types";

type Parts = NonNullable<Stream["parts"]>;

/** What a sublayer, with all its heads, adds to a logit. */
export interface Addend {
  path: string;
  value: number;
  /** The sum of all before it. */
  from: number;
}

/** The sublayers in their order, each with the sum of its heads. */
export function sumsOf(parts: Parts, logits: number[]): Addend[] {
  const sums = new Map<string, number>();
  parts.forEach(({ path }, i) => sums.set(path, (sums.get(path) ?? 0) + logits[i]));
  // The constants come last, wherever the first of them was met.
  const paths = [...sums.keys()].sort((a, b) => Number(a === "bias") - Number(b === "bias"));
  let from = 0;
  return paths.map((path) => {
    const addend = { path, value: sums.get(path)!, from };
    from += addend.value;
    return addend;
  });
}

export function sumOf(addends: Addend[]): number {
  return addends.reduce((sum, { value }) => sum + value, 0);
}

/** What each head adds, a row for each attention; null if no attention is split into heads. */
export function headsOf(parts: Parts, logits: number[]): { paths: string[]; matrix: Matrix } | null {
  const paths = [...new Set(parts.filter(({ head }) => head !== null).map(({ path }) => path))];
  const width = Math.max(0, ...parts.map(({ head }) => (head ?? -1) + 1));
  if (!paths.length || width < 2) return null;
  const data = new Float32Array(paths.length * width);
  parts.forEach(({ path, head }, i) => {
    if (head !== null) data[paths.indexOf(path) * width + head] = logits[i];
  });
  return { paths, matrix: new Matrix(paths.length, width, data) };
}

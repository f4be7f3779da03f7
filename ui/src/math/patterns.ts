import { entropy } from "./attention";
import type { Matrix } from "../trace/matrix";

/** What a head can be sorted by. */
export const PATTERNS = ["order", "entropy", "distance", "previous", "first", "diagonal"] as const;
export type Pattern = (typeof PATTERNS)[number];

/**
 * How strongly the weights of a head show a pattern: mean over the rows, in nats, tokens or shares.
 * memory: the number of columns before the text.
 */
export function strength(weights: Matrix, pattern: Pattern, memory = 0): number {
  const rows = Array.from({ length: weights.rows }, (_, row) => row);
  switch (pattern) {
    case "order":
      return 0;
    case "entropy":
      return mean(rows.map((row) => entropy(weights.row(row))));
    case "distance":
      return mean(rows.map((row) => weights.row(row).reduce((sum, w, col) => sum + w * Math.abs(row + memory - col), 0)));
    case "previous":
      return mean(rows.slice(1).map((row) => (row + memory <= weights.cols ? weights.at(row, row + memory - 1) : 0)));
    case "first":
      return mean(rows.slice(1).map((row) => weights.at(row, memory)));
    case "diagonal":
      return mean(rows.filter((row) => row + memory < weights.cols).map((row) => weights.at(row, row + memory)));
  }
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

import { dot } from "../math/attention";
import type { Comparison } from "./comparison";
import { layersOf, type Stack } from "./layers";
import { Matrix } from "./matrix";

/** What a part adds to the residual stream in both traces; undefined where one has no such part. */
export interface Sizes {
  path: string;
  first?: number;
  second?: number;
}

export function addedSizes({ first, second }: Comparison, stack: Stack): Sizes[] {
  const sizes = [first, second].map(
    (trace) => new Map(layersOf(trace, stack).flatMap((layer) => layer.parts.map((part) => [part.path, part.added]))),
  );
  const paths = [...new Set(sizes.flatMap((each) => [...each.keys()]))];
  return paths.map((path) => ({ path, first: sizes[0].get(path), second: sizes[1].get(path) }));
}

/** The parts of a stack after which the states of both traces can be compared, the embedding first; of two models none. */
export function comparedStates({ first, facts }: Comparison, stack: Stack): string[] {
  const parts = layersOf(first, stack).flatMap((layer) => layer.parts.map((part) => part.path));
  if (facts.differs === "models" || !parts.length) return [];
  return [`${stack}.embedding`, ...parts].filter((name) => first.array(`${name}.output`));
}

/** 1 - cosine of the states of paired tokens (columns) after each part (rows), the last on top as on the map. */
export function stateDistances(comparison: Comparison, stack: Stack): { matrix: Matrix; names: string[] } | null {
  const pairs = comparison.pairs(stack === "encoder" ? "source" : "target");
  const names = comparedStates(comparison, stack).reverse();
  const data = new Float32Array(pairs.length * names.length);
  names.forEach((name, row) => {
    const [a, b] = [comparison.first, comparison.second].map((trace) => trace.array(`${name}.output`)!.matrix());
    pairs.forEach(([i, j], col) => (data[row * pairs.length + col] = Math.max(0, 1 - cosine(a.row(i), b.row(j)))));
  });
  return pairs.length && names.length ? { matrix: new Matrix(names.length, pairs.length, data), names } : null;
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

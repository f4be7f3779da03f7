import { dotProducts } from "../math/attention";
import { headOf } from "./head";
import type { Matrix } from "./matrix";
import type { Trace } from "./trace";

/**
 * What the distance of query and key adds to the scores of a head: the model's own numbers
 * (Transformer-XL), or the scores less the scaled dot products (T5). Undefined if it adds nothing.
 */
export function distanceScores(trace: Trace, path: string, head: number): Matrix | undefined {
  const distances = trace.array(`${path}.distances`);
  if (trace.loader && !(distances ?? trace.array(`${path}.scores`))?.has(head)) return undefined;
  if (distances) return distances.matrix(head);
  if (trace.model.settings.positions !== "buckets" || path.endsWith(".cross")) return undefined;
  const { queries, keys, scores, scale } = headOf(trace, path, head);
  const products = dotProducts(queries, keys);
  return scores.map((score, row, col) => (score === -Infinity ? score : score - scale * products.at(row, col)));
}

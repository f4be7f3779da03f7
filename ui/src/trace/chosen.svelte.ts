import { indexOfMost } from "../math/attention";
import { place } from "../state/place.svelte";
import { headOf, type Head } from "./head";
import type { Trace } from "./trace";

/** The attention that the reader looks at. */
export function attentionOf(trace: Trace): string {
  const paths = trace.attentions;
  return paths.includes(place.attention) ? place.attention : paths[0];
}

/** The reader's column among the weights of a row; until one is chosen, that of the largest. */
export function columnOf(weights: Float32Array): number {
  return place.col < 0 ? indexOfMost(weights) : Math.min(place.col, weights.length - 1);
}

/** The head that the reader looks at, with a row and a column that it has. */
export class ChosenHead {
  constructor(private readonly trace: Trace) {}

  readonly path = $derived.by(() => attentionOf(this.trace));
  readonly number = $derived.by(() => Math.min(place.head, this.heads - 1));
  readonly head: Head = $derived.by(() => headOf(this.trace, this.path, this.number));
  readonly row = $derived.by(() => Math.min(place.row, this.head.queries.rows - 1));
  readonly col = $derived.by(() => columnOf(this.head.weights.row(this.row)));

  get heads(): number {
    return this.trace.array(`${this.path}.weights`)!.heads;
  }

  get query(): string {
    return this.head.rowLabels[this.row];
  }

  get key(): string {
    return this.head.colLabels[this.col];
  }
}

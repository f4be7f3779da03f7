import { SvelteMap } from "svelte/reactivity";
import type { Comparison } from "./comparison";
import { decodeArray } from "./decode";
import { ACTIVATIONS } from "../math/activations";
import { weightedSum } from "../math/attention";
import { Tensor } from "./matrix";
import type { Loader } from "../live/loader.svelte";
import type { LiveText } from "../live/liveText.svelte";
import type { Attribution, Content, Conditions, HeadEffect, ModelFacts, Order, Prediction, Search, Stream, Token, TracedText } from "./types";
import { PerOutput } from "./perOutput.svelte";

export type Side = "source" | "target";

/** The tokens of the rows and of the columns of an attention. */
export interface Sides {
  queries: Side;
  keys: Side;
}

/** What is measured beside a trace, as far as the page's data has it. */
interface Stored {
  readonly effects: readonly HeadEffect[];
  readonly search: Search | null;
  readonly order: Order | null;
  readonly lens: readonly Prediction[];
}

const ROUNDED = ["weights", "scores", "logits", "vectors"] as const;
type Rounded = (typeof ROUNDED)[number];

function roundedKind(name: string): Rounded {
  if (name.endsWith(".weights")) return "weights";
  if (/\.(scores|distances|bias)$/.test(name)) return "scores";
  return name.startsWith("heads.") ? "logits" : "vectors";
}

/** A text's way through a model: all that the page draws comes from here. */
export class Trace {
  /** The two traces of a page that compares; this is one of them. */
  comparison: Comparison | null = null;
  /** What can be asked of the model about this text; null in a file. */
  live: LiveText | null = null;
  /** Shares of tokens in each output, and its residual stream; null where the trace has none. */
  attribution: PerOutput<Attribution> | null = null;
  stream: PerOutput<Stream> | null = null;
  /** Whether arrays have fewer bits, and those that follow from others are left out. */
  isCompact = false;
  /** Of a long text: fetches arrays, of which `sizes` has the root mean square of each token. */
  loader: Loader | null = null;
  sizes: Readonly<Record<string, readonly number[]>> = {};
  private readonly computed: Record<string, Tensor> = {};

  constructor(
    readonly name: string,
    readonly model: ModelFacts,
    readonly source: TracedText | null,
    readonly target: TracedText | null,
    readonly prediction: Prediction | null,
    readonly scales: Record<string, number>,
    readonly arrays: SvelteMap<string, Tensor>,
    readonly conditions: Conditions,
    private readonly stored: Stored,
  ) {}

  array(name: string): Tensor | undefined {
    return this.arrays.get(name) ?? this.contextOf(name) ?? this.hiddenOf(name);
  }

  /** The outputs of heads that the page's data leaves out: weights times values. */
  private contextOf(name: string): Tensor | undefined {
    const path = name.replace(/\.context$/, "");
    const [weights, values] = [this.arrays.get(`${path}.weights`), this.arrays.get(`${path}.values`)];
    if (path === name || !weights || !values) return undefined;
    return (this.computed[name] ??= mixValues(weights, values));
  }

  /** What leaves an activation, where the page's data has only what enters it. */
  private hiddenOf(name: string): Tensor | undefined {
    const path = name.replace(/\.hidden$/, "");
    const expanded = this.arrays.get(`${path}.expanded`);
    const activate = ACTIVATIONS[this.model.settings.activation ?? ""];
    if (path === name || !expanded || !activate) return undefined;
    return (this.computed[name] ??= new Tensor(expanded.shape, expanded.data.map(activate), expanded.error));
  }

  /** What changes without each head and sublayer; a live page measures it later. */
  get effects(): readonly HeadEffect[] {
    return this.live?.effects.value ?? this.stored.effects;
  }

  /** The beam search that wrote the text; a live page can search again. */
  get search(): Search | null {
    return this.live?.search.value ?? this.stored.search;
  }

  /** What the order of the tokens changes; a live page can compare other texts. */
  get order(): Order | null {
    return this.live?.order.value ?? this.stored.order;
  }

  /** The prediction on the states of each layer, the embedding first; of a long text a live page asks for it. */
  get lens(): readonly Prediction[] {
    return this.live?.lens.value ?? this.stored.lens;
  }

  tokens(side: Side): Token[] {
    return (side === "source" ? this.source : this.target)?.tokens ?? [];
  }

  /** Paths such as `decoder.layers.0.cross`, in the order of computation. */
  get attentions(): string[] {
    const names = [...this.arrays.keys()].filter((name) => name.endsWith(".weights"));
    return names.map((name) => name.slice(0, -".weights".length));
  }

  get crossAttentions(): string[] {
    return this.attentions.filter((path) => kindOf(path) === "cross");
  }

  /** What changes when a head is switched off, if it was measured. */
  effectOf(path: string, head: number): HeadEffect | undefined {
    return this.effects.find((effect) => effect.path === path && effect.head === head);
  }

  /** The largest rounding error of the numbers in the page, by what they are; 0 for all that are exact. */
  get roundingErrors(): { kind: Rounded; error: number }[] {
    const errors = new Map<Rounded, number>();
    for (const [name, { error }] of this.arrays) {
      const kind = roundedKind(name);
      errors.set(kind, Math.max(errors.get(kind) ?? 0, error));
    }
    return ROUNDED.filter((kind) => errors.get(kind)).map((kind) => ({ kind, error: errors.get(kind)! }));
  }
}

export function kindOf(path: string): "encoder" | "decoder" | "cross" {
  // The recurrent model's one attention, without a layer, looks at the source.
  if (path.endsWith(".cross") || path === "decoder.attention") return "cross";
  return path.startsWith("encoder") ? "encoder" : "decoder";
}

export function sidesOf(path: string): Sides {
  const kind = kindOf(path);
  return {
    queries: kind === "encoder" ? "source" : "target",
    keys: kind === "decoder" ? "target" : "source",
  };
}

/** The number of a path's layer, counted from 1 as readers do. */
export function layerOf(path: string): number {
  return Number(/layers\.(\d+)/.exec(path)?.[1] ?? 0) + 1;
}

function mixValues(weights: Tensor, values: Tensor): Tensor {
  const { rows } = weights.matrix();
  const { cols } = values.matrix();
  const data = new Float32Array(weights.heads * rows * cols);
  for (let head = 0; head < weights.heads; head++)
    for (let row = 0; row < rows; row++)
      data.set(weightedSum(weights.matrix(head).row(row), values.matrix(head)), (head * rows + row) * cols);
  return new Tensor([weights.heads, rows, cols], data, 0);
}

export async function readTrace(content: Content): Promise<Trace> {
  const trace = content.trace!;
  const named = Object.entries(trace.arrays).map(
    async ([name, array]) => [name, await decodeArray(array)] as const,
  );
  const read = new Trace(
    content.name,
    trace.model,
    trace.source,
    trace.target,
    trace.prediction,
    trace.scales,
    new SvelteMap(await Promise.all(named)),
    content.conditions,
    { effects: content.effects ?? [], search: content.search ?? null, order: content.order ?? null, lens: content.lens ?? [] },
  );
  read.sizes = trace.sizes ?? {};
  read.isCompact = trace.compact ?? false;
  read.attribution = content.attribution ? new PerOutput(content.attribution) : null;
  read.stream = content.stream ? new PerOutput(content.stream) : null;
  return read;
}

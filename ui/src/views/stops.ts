import { layerCounts, layersOf } from "../trace/layers";
import { kindOf, type Trace } from "../trace/trace";
import type { Key } from "../text/en";

export type StopId =
  | "map" | "tokens" | "vectors" | "projections" | "scores" | "scale" | "softmax" | "values"
  | "sublayer" | "feed_forward" | "heads" | "masks" | "alignment" | "words" | "next" | "gap" | "off" | "labels" | "lens"
  | "compare" | "search" | "order" | "patch" | "attribution" | "stream";

/** A stop of the tour, in teaching order. */
export interface Stop {
  id: StopId;
  title: Key;
  /** Whether the trace holds what the stop shows. */
  has: (trace: Trace) => boolean;
}

export interface StopGroup {
  title: Key;
  stops: Stop[];
}

const hasQueries = (trace: Trace) => trace.attentions.some((path) => trace.array(`${path}.queries`));
const countHeads = (trace: Trace) =>
  trace.attentions.reduce((sum, path) => sum + trace.array(`${path}.weights`)!.heads, 0);

/** Whether the reader can switch parts of the model off and see what its output becomes. */
function canSwitch(trace: Trace): boolean {
  return trace.live !== null && (trace.prediction?.reading === "single_label" || trace.prediction?.reading === "crf");
}

/** Whether the reader of a long text can ask what the model would predict after each layer. */
function canReadLayers(trace: Trace): boolean {
  if (!trace.loader || !trace.prediction || trace.prediction.kind === "score") return false;
  const isRanked = ["single_label", "crf", "multi_label"].includes(trace.prediction.reading);
  return isRanked && layersOf(trace, trace.target ? "decoder" : "encoder").length > 0;
}

/** Whether the model says a text token by token. */
export function isWritten(trace: Trace): boolean {
  return trace.prediction?.kind === "lm" && trace.target !== null;
}

/** Whether an encoder adds position vectors to those of its tokens; T5 adds numbers to scores instead. */
export function hasPositionVectors(trace: Trace): boolean {
  const { positions } = trace.model.settings;
  const isOne = trace.source?.texts.length === 1;
  return isOne && trace.array("encoder.embedding.position_vectors") !== undefined && positions !== "buckets" && positions !== "none";
}

/** The stops in teaching order, under few headings. */
const GROUPS: StopGroup[] = [
  {
    title: "group_overview",
    stops: [
      { id: "map", title: "stop_map", has: (trace) => layerCounts(trace).length > 0 },
      { id: "compare", title: "stop_compare", has: (trace) => trace.comparison !== null },
    ],
  },
  {
    title: "group_text",
    stops: [
      { id: "tokens", title: "stop_tokens", has: () => true },
      { id: "vectors", title: "stop_vectors", has: (trace) => embeddingsOf(trace).length > 0 },
      { id: "order", title: "stop_order", has: (trace) => trace.order !== null || (trace.live !== null && hasPositionVectors(trace)) },
    ],
  },
  {
    title: "group_attention",
    stops: [
      { id: "projections", title: "stop_projections", has: hasQueries },
      { id: "scores", title: "stop_scores", has: hasQueries },
      { id: "scale", title: "stop_scale", has: hasQueries },
      { id: "softmax", title: "stop_softmax", has: hasQueries },
      { id: "values", title: "stop_values", has: hasQueries },
      { id: "heads", title: "stop_heads", has: (trace) => countHeads(trace) > 1 },
    ],
  },
  {
    title: "group_layers",
    stops: [
      { id: "sublayer", title: "stop_sublayer", has: hasQueries },
      { id: "feed_forward", title: "stop_feed_forward", has: (trace) => feedForwardsOf(trace).length > 0 },
      { id: "masks", title: "stop_masks", has: (trace) => trace.attentions.some((path) => kindOf(path) !== "cross" && trace.array(`${path}.scores`)) },
      { id: "alignment", title: "stop_alignment", has: (trace) => trace.crossAttentions.length > 0 },
    ],
  },
  {
    title: "group_output",
    stops: [
      { id: "next", title: "stop_next", has: isWritten },
      { id: "words", title: "stop_words", has: isWritten },
      { id: "search", title: "stop_search", has: (trace) => trace.search !== null || (trace.live !== null && isWritten(trace)) },
      { id: "gap", title: "stop_gap", has: (trace) => trace.prediction?.kind === "lm" && trace.target === null },
      { id: "labels", title: "stop_labels", has: (trace) => trace.prediction !== null && trace.prediction.kind !== "lm" },
    ],
  },
  {
    title: "group_causes",
    stops: [
      { id: "lens", title: "stop_lens", has: (trace) => trace.lens.length > 0 || canReadLayers(trace) },
      { id: "stream", title: "stop_stream", has: (trace) => trace.stream !== null },
      { id: "attribution", title: "stop_attribution", has: (trace) => trace.attribution !== null },
      { id: "off", title: "stop_off", has: (trace) => trace.effects.length > 0 || canSwitch(trace) },
      { id: "patch", title: "stop_patch", has: (trace) => canSwitch(trace) && layerCounts(trace).length > 0 },
    ],
  },
];

/** The stops that a trace has something for, by heading. */
export function groupsOf(trace: Trace): StopGroup[] {
  const groups = GROUPS.map(({ title, stops }) => ({ title, stops: stops.filter((stop) => stop.has(trace)) }));
  return groups.filter((group) => group.stops.length);
}

export function stopsOf(trace: Trace): Stop[] {
  return groupsOf(trace).flatMap((group) => group.stops);
}

export function missingStops(trace: Trace): Stop[] {
  return GROUPS.flatMap((group) => group.stops).filter((stop) => !stop.has(trace));
}

/** Paths such as `encoder.embedding`. */
export function embeddingsOf(trace: Trace): string[] {
  return ["encoder.embedding", "decoder.embedding"].filter((path) => trace.array(`${path}.output`));
}

/** Paths such as `encoder.layers.0.feed_forward`. */
export function feedForwardsOf(trace: Trace): string[] {
  const paths = [...trace.arrays.keys()].map((name) => /^(.*\.feed_forward)\.(expanded|hidden)$/.exec(name)?.[1]);
  return [...new Set(paths.filter((path) => path !== undefined))];
}

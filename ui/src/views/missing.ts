import { layerCounts } from "../trace/layers";
import { LONGEST } from "../live/outputs";
import type { Trace } from "../trace/trace";
import type { Key } from "../text/en";
import type { Stop, StopId } from "./stops";
import { hasPositionVectors, isWritten, missingStops } from "./stops";

/** Stops that a trace has nothing for, and why: what the model, the text or the file lacks. */
export interface Missing {
  reason: Key;
  stops: Stop[];
}

/** The stops that a trace has nothing for, by reason. */
export function missingOf(trace: Trace): Missing[] {
  const byReason = Map.groupBy(missingStops(trace), (stop) => REASONS[stop.id]?.(trace));
  return [...byReason].flatMap(([reason, stops]) => (reason ? [{ reason, stops }] : []));
}

const isRecurrent = (trace: Trace) => layerCounts(trace).length === 0;

function ofLayers(trace: Trace): Key | undefined {
  return isRecurrent(trace) ? "missing_recurrent" : undefined;
}

function ofOrder(trace: Trace): Key {
  if (!trace.source) return "missing_order_decoder";
  if (isRecurrent(trace)) return "missing_order_recurrent";
  if (trace.source.texts.length > 1) return "missing_order_pair";
  return hasPositionVectors(trace) ? "missing_order_text" : "missing_order_bias";
}

function ofCross(trace: Trace): Key {
  if (!trace.target) return "missing_cross_encoder";
  return trace.source ? "missing_cross_none" : "missing_cross_decoder";
}

function ofWriting(trace: Trace): Key {
  return trace.prediction ? "missing_writing" : "missing_head";
}

function ofSearch(trace: Trace): Key {
  if (!isWritten(trace)) return ofWriting(trace);
  return trace.source ? "missing_search" : "missing_search_decoder";
}

function ofGap(trace: Trace): Key {
  if (!trace.prediction) return "missing_head";
  return isWritten(trace) ? "missing_gap_writing" : "missing_gap_labels";
}

function ofLabels(trace: Trace): Key {
  return trace.prediction ? "missing_labels" : "missing_head";
}

function ofLens(trace: Trace): Key {
  if (!trace.prediction) return "missing_head";
  return isRecurrent(trace) ? "missing_recurrent" : "missing_ranking";
}

function ofStream(trace: Trace): Key {
  return ofLayers(trace) ?? (trace.prediction ? "missing_measurement" : "missing_head");
}

/** What follows from the change of a distribution. */
function ofChanges(trace: Trace): Key {
  if (!trace.prediction) return "missing_head";
  const { kind, reading } = trace.prediction;
  const isDistribution = kind !== "score" && (reading === "single_label" || reading === "crf");
  return isDistribution ? "missing_measurement" : "missing_distribution";
}

function ofShares(trace: Trace): Key {
  const reason = ofChanges(trace);
  const isLong = (["source", "target"] as const).some((side) => trace.tokens(side).length > LONGEST);
  return isLong && reason === "missing_measurement" ? "missing_long" : reason;
}

function ofPatches(trace: Trace): Key {
  if (!trace.live) return "missing_patch";
  return ofLayers(trace) ?? ofChanges(trace);
}

const REASONS: Partial<Record<StopId, (trace: Trace) => Key | undefined>> = {
  map: ofLayers, projections: ofLayers, scores: ofLayers, scale: ofLayers, softmax: ofLayers, values: ofLayers,
  sublayer: ofLayers, feed_forward: ofLayers, masks: ofLayers,
  heads: (trace) => ofLayers(trace) ?? "missing_heads",
  order: ofOrder, alignment: ofCross, next: ofWriting, words: ofWriting, search: ofSearch, gap: ofGap, labels: ofLabels,
  lens: ofLens, stream: ofStream, attribution: ofShares, off: ofChanges, patch: ofPatches,
};

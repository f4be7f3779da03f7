import type { Missing } from "../live/loader.svelte";
import { place } from "../state/place.svelte";
import { attentionOf } from "../trace/chosen.svelte";
import type { Comparison } from "../trace/comparison";
import { inputOf } from "../trace/layers";
import { comparedStates } from "../trace/states";
import { kindOf, type Trace } from "../trace/trace";
import { feedForwardsOf, type StopId } from "./stops";

const OF_HEAD = ["queries", "keys", "values", "scores", "weights", "context", "distances"];
const OF_FEED_FORWARD = ["expanded", "gates", "hidden", "added", "output"];
/** Layers of a long text whose masks are shown: those of one kind differ at most in a window, in turns. */
const MASKS = 2;

/** The attentions whose masks are shown. */
export function maskedIn(trace: Trace): string[] {
  const paths = trace.attentions.filter((path) => trace.array(`${path}.scores`));
  const before = (path: string) => paths.slice(0, paths.indexOf(path)).filter((other) => kindOf(other) === kindOf(path)).length;
  return trace.loader ? paths.filter((path) => before(path) < MASKS) : paths;
}

/** What a stop draws of the trace of a long text. */
function needsOf(trace: Trace, stop: StopId): Missing {
  const path = attentionOf(trace);
  const stack = path?.split(".")[0];
  const head = Math.min(place.head, (trace.array(`${path}.weights`)?.heads ?? 1) - 1);
  const last = (paths: string[]) => paths.slice(-1).map((each) => `${each}.weights`);
  switch (stop) {
    case "vectors":
      return { names: [...trace.arrays.keys()].filter((name) => name.includes(".embedding.")) };
    case "projections": case "scores": case "scale": case "softmax": case "values":
      return { names: [...OF_HEAD.map((name) => `${path}.${name}`), `${stack}.distances.bias`], head };
    case "heads":
      return { names: [`${path}.weights`] };
    case "sublayer":
      return { names: [...OF_HEAD, "added", "output"].map((name) => `${path}.${name}`).concat(inputOf(trace, path)) };
    case "feed_forward": {
      const layer = place.attention.split(".").slice(0, 3).join(".");
      const paths = feedForwardsOf(trace);
      const chosen = paths.find((each) => each.startsWith(`${layer}.`)) ?? paths[0];
      return { names: [...OF_FEED_FORWARD.map((name) => `${chosen}.${name}`), inputOf(trace, chosen)] };
    }
    case "masks":
      return { names: maskedIn(trace).map((each) => `${each}.scores`), head: 0 };
    case "alignment":
      return { names: trace.crossAttentions.includes(path) ? [`${path}.weights`] : last(trace.crossAttentions) };
    case "next": case "gap":
      return { names: [`heads.${trace.prediction!.head}.logits`] };
    case "words":
      return { names: [...last(trace.crossAttentions), ...last(trace.attentions.filter((each) => kindOf(each) === "decoder"))] };
    default:
      return { names: [] };
  }
}

/** What a stop needs and the page does not have; null if there is nothing, as always in a file. */
export function missingIn(trace: Trace, stop: StopId): Missing | null {
  return trace.loader && without(trace, needsOf(trace, stop));
}

export type CompareTab = "words" | "attention" | "states";

/** What a tab of a comparison needs of one of its traces, and the page does not have. */
export function missingInTab(comparison: Comparison, trace: Trace, tab: CompareTab): Missing | null {
  return trace.loader && without(trace, { names: needsOfTab(comparison, trace, tab) });
}

function needsOfTab(comparison: Comparison, trace: Trace, tab: CompareTab): string[] {
  switch (tab) {
    case "words": {
      const { head, reading } = trace.prediction!;
      return comparison.hasOneOutput && reading === "single_label" ? [`heads.${head}.logits`] : [];
    }
    case "attention":
      return [`${comparison.attentionAt(place.attention)}.weights`];
    case "states":
      return (["encoder", "decoder"] as const).flatMap((stack) => comparedStates(comparison, stack).map((part) => `${part}.output`));
  }
}

/** Those arrays of a trace whose numbers are not there; null if there are none. */
function without(trace: Trace, { names, head }: Missing): Missing | null {
  const missing = names.filter((name) => {
    const array = trace.arrays.get(name);
    return array && !array.has(array.heads === 1 ? undefined : head);
  });
  return missing.length ? { names: missing, head } : null;
}

import { PerOutput } from "../trace/perOutput.svelte";
import type { Trace } from "../trace/trace";
import { layerCounts } from "../trace/layers";
import type { Attribution, Stream } from "../trace/types";
import type { LiveText } from "./liveText.svelte";

/** As in Python's `explorer/attribution.py`. */
export const LONGEST = 128;

/** Let a live page ask for shares and residual streams of the outputs that the reader looks at. */
export function explainOutputs(trace: Trace, live: LiveText): void {
  const { prediction } = trace;
  if (!prediction) return;
  const isDistribution = prediction.kind !== "score" && ["single_label", "crf"].includes(prediction.reading);
  const isShort = (["source", "target"] as const).every((side) => trace.tokens(side).length <= LONGEST);
  if (isDistribution && isShort) trace.attribution = new PerOutput<Attribution>(null, (position) => live.ask("attribution", { position }));
  if (layerCounts(trace).length)
    trace.stream = new PerOutput<Stream>(null, async (position) => (await live.ask<{ stream: Stream }>("stream", { position })).stream);
}

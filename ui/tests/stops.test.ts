import { SvelteMap } from "svelte/reactivity";
import { describe, expect, test } from "vitest";
import type { Loader } from "../src/live/loader.svelte";
import { Tensor } from "../src/trace/matrix";
import { Trace } from "../src/trace/trace";
import type { Conditions, ModelFacts, Prediction, TracedText } from "../src/trace/types";
import { stopsOf } from "../src/views/stops";

const text: TracedText = { texts: [""], normalized: [""], tokens: [] };
const label = { head: "", kind: "token", reading: "single_label", positions: [], words: [] } as Prediction;
const layer = ["encoder.layers.0.attention.added", "encoder.layers.0.feed_forward.added"];

/** An encoder's trace with arrays of these names. */
function traceOf(names: string[], prediction: Prediction | null, isLong: boolean): Trace {
  const array = isLong ? Tensor.stub([200, 8]) : new Tensor([200, 8], new Float32Array(1600), 0);
  const arrays = new SvelteMap(names.map((name) => [name, array]));
  const stored = { effects: [], search: null, order: null, lens: [] };
  const trace = new Trace("", { settings: {} } as unknown as ModelFacts, text, null, prediction, {}, arrays, {} as Conditions, stored);
  if (isLong) trace.sizes = Object.fromEntries(names.map((name) => [name, [1]]));
  if (isLong) trace.loader = {} as Loader;
  return trace;
}
const hasLens = (trace: Trace) => stopsOf(trace).some((stop) => stop.id === "lens");

// By what Python's `describe_long_layers` answers and refuses.
describe("the outputs after each layer of a long text can be asked for", () => {
  test("if there are layers, and a head that ranks", () => expect(hasLens(traceOf(layer, label, true))).toBe(true));

  test("but not without layers", () => expect(hasLens(traceOf(["encoder.states"], label, true))).toBe(false));

  test("nor without a head", () => expect(hasLens(traceOf(layer, null, true))).toBe(false));

  test("nor if outputs are not ranked", () => {
    for (const change of [{ kind: "score" }, { reading: "span" }, { reading: "regression" }])
      expect(hasLens(traceOf(layer, { ...label, ...change } as Prediction, true))).toBe(false);
  });

  test("nor if a page has no numbers of layers and cannot ask", () => expect(hasLens(traceOf(layer, label, false))).toBe(false));
});

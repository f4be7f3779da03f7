import type { Key } from "../text/en";
import type { Trace } from "./trace";
import type { PositionPrediction, Prediction } from "./types";

/** The sentence that says what a head that labels a text, or its tokens, answers. */
export function labelTitle(prediction: Prediction, index: number): Key {
  if (prediction.kind === "score") return "labels_title_score";
  if (prediction.reading === "span") return "labels_title_span";
  if (prediction.reading === "regression") return "labels_title_number";
  if (prediction.kind === "sequence") return "labels_title_whole";
  const hasLabel = !prediction.words.length || prediction.words.includes(index);
  return hasLabel ? "labels_title_token" : "labels_title_rest";
}

/** What a position is: the label that a CRF chose with the others, or else the most probable. */
export function labelOf(position: PositionPrediction): PositionPrediction["candidates"][number] {
  return position.chosen ?? position.candidates[0];
}

/** The first and last token of the most probable answer, within the last text. */
export interface Span {
  first: number;
  last: number;
}

export function bestSpan(trace: Trace, prediction: Prediction): Span {
  const tokens = trace.tokens(trace.source ? "source" : "target");
  const last = Math.max(...tokens.map((token) => token.segment));
  const context = tokens.flatMap((token, i) => (token.start !== null && token.segment === last ? [i] : []));
  const chance = (i: number, edge: number) =>
    prediction.positions[i].candidates.find((candidate) => candidate.id === edge)!.probability;
  let best = { first: context[0], last: context[0] };
  let most = -1;
  for (const first of context)
    for (const end of context) {
      const product = end < first ? -1 : chance(first, 0) * chance(end, 1);
      if (product > most) [best, most] = [{ first, last: end }, product];
    }
  return best;
}

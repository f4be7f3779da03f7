import { indexOfMost } from "../math/attention";
import { namesOf, nameOfText } from "../text/tokens";
import { nextNames } from "./head";
import type { Trace } from "./trace";
import type { HeadEffect } from "./types";

/** The name of what is predicted at each position: the token that follows, or the label. */
export function outputNames(trace: Trace): string[] {
  const { positions, kind } = trace.prediction!;
  if (kind === "lm" && trace.target) return nextNames(trace);
  if (kind === "sequence") return positions.map((position) => nameOfText(position.candidates[0].text));
  return namesOf(trace.tokens("source"));
}

/** The probability of an output with all heads, and without one. */
export function changeOf(trace: Trace, effect: HeadEffect, output: number): { before: number; after: number } {
  const position = trace.prediction!.positions[output];
  const before = (position.chosen ?? position.candidates[0]).probability;
  return { before, after: before * Math.exp(effect.log_probs[output]) };
}

/** The output that becomes least probable without a head. */
export function strongestOutput(effect: HeadEffect): number {
  return indexOfMost(effect.log_probs.map((change) => -change));
}

import { indexOfMost } from "../math/attention";
import { namesOf, nameOfText } from "../text/tokens";
import { nextNames } from "./head";
import type { Trace } from "./trace";
import type { AblatedPart, HeadEffect } from "./types";

/** In nats, where colours are strongest: a single strong effect does not hide the others. */
export const MOST = 1;

/** What was off when an effect was measured. */
export function partOf({ path, head }: HeadEffect): AblatedPart {
  if (path === "positions") return { kind: "positions" };
  return head === null ? { kind: "sublayer", path } : { kind: "head", path, head };
}

/** The name of what is predicted at each position: the token that follows, or the label. */
export function outputNames(trace: Trace): string[] {
  const { positions, kind } = trace.prediction!;
  if (kind === "lm" && trace.target) return nextNames(trace);
  if (kind === "sequence") return positions.map((position) => nameOfText(position.candidates[0].text));
  return namesOf(trace.tokens(trace.source ? "source" : "target"));
}

/** The probability of an output with all parts, and without some. */
export function changeOf(trace: Trace, effect: { log_probs: number[] }, output: number): { before: number; after: number } {
  const position = trace.prediction!.positions[output];
  const before = (position.chosen ?? position.candidates[0]).probability;
  return { before, after: before * Math.exp(effect.log_probs[output]) };
}

/** The head without which an output becomes least probable, or if no heads were measured the part. */
export function strongestEffect(effects: readonly HeadEffect[], output: number): HeadEffect | undefined {
  const heads = effects.filter((effect) => effect.head !== null);
  const compared = heads.length ? heads : effects;
  return compared[indexOfMost(compared.map((effect) => -effect.log_probs[output]))];
}

/** The output that becomes least probable without a head. */
export function strongestOutput(effect: HeadEffect): number {
  return indexOfMost(effect.log_probs.map((change) => -change));
}

import { namesOf, nameOfText } from "../text/tokens";
import { nextNames } from "./head";
import type { Trace } from "./trace";

/** The name of what is predicted at each position: the token that follows, or the label. */
export function outputNames(trace: Trace): string[] {
  const { positions, kind } = trace.prediction!;
  if (kind === "lm" && trace.target) return nextNames(trace);
  if (kind === "sequence") return positions.map((position) => nameOfText(position.candidates[0].text));
  return namesOf(trace.tokens("source"));
}

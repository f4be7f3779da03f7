import { indexOfMost } from "../math/attention";
import { meanWeights, nextNames } from "./head";
import type { Trace } from "./trace";

/** A position worth to begin with: of a translator, a word with one clear source; a gap; else the middle. */
export function firstRow(trace: Trace): number {
  const path = trace.crossAttentions.at(-1);
  const tokens = trace.tokens(trace.target ? "target" : "source");
  if (!path || trace.prediction?.kind !== "lm") {
    const gap = tokens.findIndex((token) => token.start === null && /mask/i.test(token.piece));
    return gap >= 0 ? gap : Math.floor(tokens.length / 2);
  }
  const weights = meanWeights(trace, path);
  const names = nextNames(trace);
  const source = trace.tokens("source");
  const clear = names.map((name, row) => {
    const most = indexOfMost(weights.row(row));
    const isWord = /\p{L}{2}/u.test(name) && source[most].start !== null && trace.prediction?.positions[row]?.rank === 0;
    return isWord ? weights.at(row, most) : 0;
  });
  return indexOfMost(clear);
}

/** The attention to begin with: the first one, or of a page that compares the last one to the source. */
export function firstAttention(trace: Trace): string {
  return (trace.comparison && trace.crossAttentions.at(-1)) || trace.attentions[0] || "";
}

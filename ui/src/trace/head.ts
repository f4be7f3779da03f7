import { meanOf } from "../math/attention";
import { nameOf, nameOfText, namesOf } from "../text/tokens";
import type { Matrix } from "./matrix";
import { sidesOf, type Side, type Trace } from "./trace";

/** What one head of an attention computes, as matrices. */
export interface Head {
  queries: Matrix;
  keys: Matrix;
  values: Matrix;
  /** Scaled, with bias and mask. */
  scores: Matrix;
  weights: Matrix;
  context: Matrix;
  /** What q·k is multiplied by. */
  scale: number;
  rowLabels: string[];
  colLabels: string[];
  sides: { queries: Side; keys: Side };
}

export function headOf(trace: Trace, path: string, head: number): Head {
  const matrix = (name: string) => trace.array(`${path}.${name}`)!.matrix(head);
  const sides = sidesOf(path);
  return {
    queries: matrix("queries"),
    keys: matrix("keys"),
    values: matrix("values"),
    scores: matrix("scores"),
    weights: matrix("weights"),
    context: matrix("context"),
    scale: trace.scales[path] ?? 1,
    rowLabels: namesOf(trace.tokens(sides.queries)),
    colLabels: namesOf(trace.tokens(sides.keys)),
    sides,
  };
}

/** The mean of the heads' weights. */
export function meanWeights(trace: Trace, path: string): Matrix {
  const weights = trace.array(`${path}.weights`)!;
  return meanOf(Array.from({ length: weights.heads }, (_, head) => weights.matrix(head)));
}

/** The token that follows each position of the decoder. */
export function nextNames(trace: Trace): string[] {
  const tokens = trace.tokens("target");
  return tokens.map((_, row) => {
    const chosen = trace.prediction?.positions[row]?.chosen;
    return chosen ? nameOfText(chosen.text) : nameOf(tokens[row + 1]);
  });
}


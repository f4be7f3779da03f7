import { meanOf } from "../math/attention";
import { nameOf, nameOfText, namesOf } from "../text/tokens";
import type { Matrix, Tensor } from "./matrix";
import { kindOf, sidesOf, type Side, type Trace } from "./trace";

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
  /** What the distance of query and key adds to the scaled score, in T5 and Transformer-XL. */
  bias: Matrix | undefined;
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
    bias: biasOf(trace, path)?.matrix(head),
    rowLabels: namesOf(trace.tokens(sides.queries)),
    colLabels: keyNames(trace, path),
    sides,
  };
}

function biasOf(trace: Trace, path: string): Tensor | undefined {
  const shared = kindOf(path) === "cross" ? undefined : `${path.split(".")[0]}.distances.bias`;
  return trace.array(`${path}.distances`) ?? (shared === undefined ? undefined : trace.array(shared));
}

/** How many keys come before the text: the memory of earlier text, which Transformer-XL has. */
export function memoryOf(trace: Trace, path: string): number {
  return trace.array(`${path}.weights`)!.cols - trace.tokens(sidesOf(path).keys).length;
}

/** The names of the columns; those of a memory are places before the text. */
export function keyNames(trace: Trace, path: string): string[] {
  const memory = Math.max(0, memoryOf(trace, path));
  const before = Array.from({ length: memory }, (_, i) => `[−${memory - i}]`);
  return [...before, ...namesOf(trace.tokens(sidesOf(path).keys))];
}

/** The weights of a query on the tokens of the text, as the mean of the heads. */
export function tokenWeights(trace: Trace, path: string, row: number): Float32Array {
  return meanWeights(trace, path).row(row).subarray(Math.max(0, memoryOf(trace, path)));
}

/** The mean of the heads' weights. */
export function meanWeights(trace: Trace, path: string): Matrix {
  const weights = trace.array(`${path}.weights`)!;
  return meanOf(Array.from({ length: weights.heads }, (_, head) => weights.matrix(head)));
}

/**
 * The token that follows each position of the decoder; after the last one, if nothing was chosen there, the most
 * probable one. Of a decoder that reads, the token itself.
 */
export function nextNames(trace: Trace): string[] {
  const tokens = trace.tokens("target");
  const { prediction } = trace;
  if (prediction?.kind !== "lm") return namesOf(tokens);
  return tokens.map((_, row) => {
    const { chosen, candidates } = prediction.positions[row];
    return chosen || row + 1 === tokens.length ? nameOfText((chosen ?? candidates[0]).text) : nameOf(tokens[row + 1]);
  });
}


import { softmax } from "../math/attention";
import { namesOf } from "../text/tokens";
import { Matrix } from "./matrix";
import { pairTokens, type Pair } from "./pairs";
import { readTrace, sidesOf, type Side, type Trace } from "./trace";
import type { ComparisonFacts, Content } from "./types";

/** Two traces, and which of their tokens, attentions and outputs belong together. */
export class Comparison {
  constructor(
    readonly first: Trace,
    readonly second: Trace,
    readonly facts: ComparisonFacts,
  ) {}

  /** Pairs of rows: a token of the first text, and one of the second. */
  pairs(side: Side): Pair[] {
    return pairTokens(namesOf(this.first.tokens(side)), namesOf(this.second.tokens(side)));
  }

  /** Paths of attentions that both models have. */
  get attentions(): string[] {
    const others = new Set(this.second.attentions);
    return this.first.attentions.filter((path) => others.has(path));
  }

  /** An attention that both have: this one, or else the last. */
  attentionAt(path: string): string {
    const paths = this.attentions;
    return paths.includes(path) ? path : paths[paths.length - 1];
  }

  /** The number of heads that both have in an attention. */
  heads(path: string): number {
    return Math.min(...[this.first, this.second].map((trace) => trace.array(`${path}.weights`)!.heads));
  }

  /** Second minus first, of a matrix of an attention, over the tokens that are paired. */
  difference(path: string, first: Matrix, second: Matrix): Difference {
    const sides = sidesOf(path);
    const rows = this.pairs(sides.queries);
    const cols = this.pairs(sides.keys);
    const data = new Float32Array(rows.length * cols.length);
    rows.forEach(([a, b], row) =>
      cols.forEach(([c, d], col) => (data[row * cols.length + col] = second.at(b, d) - first.at(a, c))),
    );
    return { matrix: new Matrix(rows.length, cols.length, data), rows, cols };
  }

  /** Whether the outputs of both are over the same tokens or labels, so that they can be subtracted. */
  get hasOneOutput(): boolean {
    return this.facts.differs === "texts" || (this.facts.has_one_vocabulary && this.first.prediction?.kind === "lm");
  }

  /** Pairs of positions at which both predict. */
  get outputs(): Pair[] {
    const [a, b] = [this.first.prediction, this.second.prediction];
    if (!a || !b || a.kind !== b.kind) return [];
    if (a.kind === "sequence") return [[0, 0]];
    return this.pairs(this.first.target ? "target" : "source").filter(([i, j]) => i < a.positions.length && j < b.positions.length);
  }

  /** Kullback-Leibler divergence of the second distribution from the first, in nats. */
  divergence([i, j]: Pair): number | undefined {
    if (!this.hasOneOutput) return undefined;
    const [p, q] = [distribution(this.first, i), distribution(this.second, j)];
    if (!p || !q || p.length !== q.length) return undefined;
    return p.reduce((sum, each, k) => (each > 0 ? sum + each * Math.log(each / q[k]) : sum), 0);
  }
}

export interface Difference {
  matrix: Matrix;
  rows: Pair[];
  cols: Pair[];
}

/** The probabilities of all outputs at a position, where the trace has them. */
export function distribution(trace: Trace, position: number): Float64Array | undefined {
  const { head, reading } = trace.prediction!;
  if (reading !== "single_label") return undefined;
  const logits = trace.array(`heads.${head}.logits`)?.matrix();
  return logits && position < logits.rows ? softmax(logits.row(position)) : undefined;
}

/** Read the second trace of a page's content, if it has one, and give both their comparison. */
export async function linkSecond(first: Trace, content: Content): Promise<void> {
  if (!content.second || !content.comparison) return;
  const second = await readTrace(content.second);
  first.comparison = second.comparison = new Comparison(first, second, content.comparison);
}

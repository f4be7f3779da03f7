import { describe, expect, test } from "vitest";
import { ACTIVATIONS } from "../src/math/activations";
import { dotProducts, entropy, softmaxRows, weightedSum } from "../src/math/attention";
import { cut } from "../src/math/sampling";
import { half } from "../src/trace/decode";
import { Matrix } from "../src/trace/matrix";
// Written by torch, NumPy and transformers: vectors.py.
import vectors from "./vectors.json";

const SIZE = 4;
const WIDTH = 8;
const matrix = (values: number[]) => new Matrix(SIZE, WIDTH, Float32Array.from(values));
const close = (a: ArrayLike<number>, b: number[]) =>
  Array.from(a).forEach((value, i) => expect(value).toBeCloseTo(b[i], 5));

describe("the page computes what torch computes", () => {
  const raw = dotProducts(matrix(vectors.queries), matrix(vectors.keys));
  const scores = raw.map((value, row, col) => (col > row ? -Infinity : value / Math.sqrt(WIDTH)));
  const weights = softmaxRows(scores);

  test("dot products", () => close(raw.data, vectors.raw));

  test("softmax under a causal mask", () => close(weights.data, vectors.weights));

  test("a row without an open cell is zeros", () => {
    const closed = new Matrix(1, 3, new Float32Array(3).fill(-Infinity));
    expect([...softmaxRows(closed).data]).toEqual([0, 0, 0]);
  });

  test("the mixture of values", () => {
    for (let row = 0; row < SIZE; row++)
      close(weightedSum(weights.row(row), matrix(vectors.values)), vectors.context.slice(row * WIDTH, (row + 1) * WIDTH));
  });

  test("entropy", () => close(Array.from({ length: SIZE }, (_, row) => entropy(weights.row(row))), vectors.entropies));

  test.each(vectors.cuts)("temperature $temperature, top-p $topP, top-k $topK", ({ kept, ...settings }) =>
    close(cut(vectors.logits, settings), kept),
  );

  test.each(Object.entries(vectors.activations))("%s", (name, outputs) =>
    close(vectors.inputs.map(ACTIVATIONS[name]), outputs),
  );

  test("half precision", () => {
    vectors.bits.forEach((bits, i) => expect(half(bits)).toBe(vectors.halves[i]));
    expect(half(0xfc00)).toBe(-Infinity);
  });
});

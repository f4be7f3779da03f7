import { describe, expect, test } from "vitest";
import { toTsv } from "../src/draw/save";
import { findTerms } from "../src/text/terms";

const termsOf = (text: string, language: "en" | "zh-CN" = "en") =>
  findTerms(text, language, () => true).flatMap(({ text, term }) => (term ? [[text, term]] : []));

describe("terms in a text", () => {
  test("each at its first use, whole words only", () =>
    expect(termsOf("Queries meet keys; a key is no keyboard.")).toEqual([["Queries", "query"], ["keys", "key"]]));

  test("the longer term wins", () => expect(termsOf("Cross-attention has attention.")).toEqual([["Cross-attention", "cross"], ["attention", "attention"]]));

  test("in Chinese without spaces", () =>
    expect(termsOf("每个头看回头路，值得注意的值", "zh-CN")).toEqual([["头", "head"], ["值", "value"]]));

  test("not where Chinese uses the word in another sense", () =>
    expect(termsOf("输出头给出真实的值和平均值", "zh-CN")).toEqual([]));

  test("the pieces are the text", () => {
    const text = "Softmax of a dot product.";
    expect(findTerms(text, "en", () => true).map((piece) => piece.text).join("")).toBe(text);
    expect(findTerms(text, "en", () => false)).toEqual([{ text }]);
  });
});

test("a matrix as tab-separated lines, whatever its names hold", () =>
  expect(toTsv(["a\tb", "c"], ["x\n", "y"], (row, col) => row * 2 + col)).toBe("\tx \ty\na b\t0\t1\nc\t2\t3\n"));

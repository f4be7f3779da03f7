import { describe, expect, test } from "vitest";
import { pairTokens } from "../src/trace/pairs";

const pairs = (first: string, second: string) => pairTokens(first.split(" "), second.split(" "));

describe("tokens of two texts are paired", () => {
  test("equal texts token by token", () => expect(pairs("a b", "a b")).toEqual([[0, 0], [1, 1]]));

  test("one exchanged word in its place", () => expect(pairs("a b c", "a x c")).toEqual([[0, 0], [1, 1], [2, 2]]));

  test("an inserted word stays alone", () => expect(pairs("a c", "a b c")).toEqual([[0, 0], [1, 2]]));

  test("a token has one pair, however often it occurs", () => expect(pairs("a a a", "a a")).toEqual([[0, 0], [1, 1]]));

  test("texts without a common token have no pairs if their lengths differ", () => expect(pairs("a b", "x")).toEqual([]));
});

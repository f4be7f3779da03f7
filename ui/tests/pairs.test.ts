import { describe, expect, test } from "vitest";
import { commonTokens, pairTokens } from "../src/trace/pairs";

const pairs = (first: string, second: string) => pairTokens(first.split(" "), second.split(" "));

describe("tokens of two texts are paired", () => {
  test("equal texts token by token", () => expect(pairs("a b", "a b")).toEqual([[0, 0], [1, 1]]));

  test("one exchanged word in its place", () => expect(pairs("a b c", "a x c")).toEqual([[0, 0], [1, 1], [2, 2]]));

  test("an inserted word stays alone", () => expect(pairs("a c", "a b c")).toEqual([[0, 0], [1, 2]]));

  test("a token has one pair, however often it occurs", () => expect(pairs("a a a", "a a")).toEqual([[0, 0], [1, 1]]));

  test("texts without a common token have no pairs if their lengths differ", () => expect(pairs("a b", "x")).toEqual([]));
});

describe("tokens that two texts have in common", () => {
  const kept = (first: string, second: string) => {
    const { first: a, second: b } = commonTokens([...first], [...second]);
    return [[...first].filter((_, i) => a[i]).join(""), [...second].filter((_, i) => b[i]).join("")];
  };

  // Cormen et al., Introduction to Algorithms, section on the longest common subsequence: length 4.
  test("are in one order in both", () => {
    const [first, second] = kept("abcbdab", "bdcaba");
    expect(first).toBe(second);
    expect(first).toHaveLength(4);
  });

  test("an exchanged word changes no other", () => expect(kept("abcd", "axcd")).toEqual(["acd", "acd"]));

  test("nothing in common", () => expect(kept("ab", "xy")).toEqual(["", ""]));
});

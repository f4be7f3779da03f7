/** The number of a token of the first text, and of one of the second. */
export type Pair = [number, number];

/**
 * Pair the tokens of two texts: equal ones from the beginning, and equal ones from the end. Those
 * between are paired in order if both texts have equally many there, and otherwise stay alone.
 */
export function pairTokens(first: readonly string[], second: readonly string[]): Pair[] {
  const shorter = Math.min(first.length, second.length);
  let before = 0;
  while (before < shorter && first[before] === second[before]) before++;
  let after = 0;
  while (after < shorter - before && first[first.length - 1 - after] === second[second.length - 1 - after]) after++;
  const hasEqualMiddle = first.length === second.length;
  const start: Pair[] = Array.from({ length: hasEqualMiddle ? first.length - after : before }, (_, i) => [i, i]);
  const end: Pair[] = Array.from({ length: after }, (_, i) => [first.length - after + i, second.length - after + i]);
  return [...start, ...end];
}

/** Which tokens of two texts both have, in one order: the longest common subsequence. */
export function commonTokens(first: readonly string[], second: readonly string[]): { first: boolean[]; second: boolean[] } {
  /** Length for the tokens from i and j on. */
  const length = Array.from({ length: first.length + 1 }, () => new Array<number>(second.length + 1).fill(0));
  for (let i = first.length - 1; i >= 0; i--)
    for (let j = second.length - 1; j >= 0; j--)
      length[i][j] = first[i] === second[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
  const kept = { first: first.map(() => false), second: second.map(() => false) };
  for (let i = 0, j = 0; i < first.length && j < second.length; ) {
    if (first[i] === second[j]) kept.first[i++] = kept.second[j++] = true;
    else if (length[i + 1][j] >= length[i][j + 1]) i++;
    else j++;
  }
  return kept;
}

/** "müde", or "müde | breit" where the tokens of a pair differ. */
export function pairName([i, j]: Pair, first: readonly string[], second: readonly string[]): string {
  return first[i] === second[j] ? first[i] : `${first[i]} | ${second[j]}`;
}

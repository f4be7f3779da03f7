export interface Ranked {
  name: string;
  value: number;
  index: number;
}

/** Names with their values, the largest first. */
export function ranked(values: ArrayLike<number>, names: readonly string[]): Ranked[] {
  const all = Array.from(values, (value, index) => ({ name: names[index] ?? `${index + 1}`, value, index }));
  return all.sort((a, b) => b.value - a.value);
}

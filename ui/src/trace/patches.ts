import { layerName } from "../text/parts";
import { namesOf } from "../text/tokens";
import { t } from "../text/language.svelte";
import { Matrix } from "./matrix";
import { pairName } from "./pairs";
import type { Side, Trace } from "./trace";
import type { Patches, Shares } from "./types";

/** One patch: a state and the number of a pair of tokens, or an attention and the number of a head. */
export interface PatchPlace {
  name: string;
  index: number;
}

/** The states of a stack, the last layer first as on the map, and the tokens that they belong to. */
export interface StateGroup {
  side: Side;
  names: string[];
  labels: string[];
  tokens: string[];
}

/** Positions at which the two runs give different answers. */
export function differingPositions({ answers: [first, second] }: Patches): number[] {
  return [...first.keys()].filter((i) => first[i] !== second[i]);
}

export function stateGroups(trace: Trace, patches: Patches): StateGroup[] {
  const sides: Side[] = ["target", "source"];
  return sides.flatMap((side) => {
    const stack = side === "source" ? "encoder." : "decoder.";
    const names = Object.keys(patches.states).filter((name) => name.startsWith(stack)).reverse();
    const [first, second] = [trace.tokens(side), patches.tokens[side]].map(namesOf);
    const labels = names.map((name) => (name.includes(".layers.") ? layerName(name) : t("lens_embedding")));
    const tokens = (patches.pairs[side] ?? []).map((pair) => pairName(pair, first, second));
    return names.length ? [{ side, names, labels, tokens }] : [];
  });
}

/** The shares of patches at a position of the output. */
export function shareMatrix(shares: Record<string, Shares>, names: string[], position: number): Matrix {
  const cols = shares[names[0]].length;
  const values = names.flatMap((name) => shares[name].map((each) => each[position] ?? 0));
  return new Matrix(names.length, cols, Float32Array.from(values));
}

export function shareOf(patches: Patches, { name, index }: PatchPlace, position: number): number {
  return (patches.states[name] ?? patches.heads[name])[index][position] ?? 0;
}

/** Of both runs: by how much the second answer is more probable than the first, as logarithms. */
export function distancesOf({ log_probs }: Patches, position: number): number[] {
  return log_probs.map(([first, second]) => second[position] - first[position]);
}

/** The first patch with the largest share. The last states are left out: the answer follows from one of them alone. */
export function strongest(patches: Patches, kind: "states" | "heads", position: number): PatchPlace {
  const names = Object.keys(patches[kind]).slice(0, kind === "states" ? -1 : undefined);
  let best = { name: "", index: 0, share: -Infinity };
  for (const name of names)
    patches[kind][name].forEach((row, index) => {
      const share = row[position] ?? 0;
      if (share > best.share) best = { name, index, share };
    });
  return best;
}

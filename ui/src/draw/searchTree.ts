import type { Search, SearchNode } from "../trace/types";

/** Where each node stands: its step, and its rank among those of its step, the most probable first. */
export function placeNodes(nodes: readonly SearchNode[]): { column: number; row: number }[] {
  const steps = Map.groupBy(nodes.keys(), (i) => nodes[i].step);
  const rows = new Array<number>(nodes.length);
  for (const same of steps.values())
    same.sort((a, b) => nodes[b].log_prob - nodes[a].log_prob).forEach((i, row) => (rows[i] = row));
  return nodes.map((node, i) => ({ column: node.step, row: rows[i] }));
}

/** A node and all before it, the last first. */
export function chainOf(nodes: readonly SearchNode[], i: number): number[] {
  const chain: number[] = [];
  for (let each = i; each >= 0; each = nodes[each].parent) chain.push(each);
  return chain;
}

/** The end of the best text. */
export function bestOf({ nodes }: Search): number {
  return nodes.findLastIndex((node) => node.is_best);
}

import type { Matrix } from "../trace/matrix";

/** How many cells of scores a mask has closed, and the message that says which. */
export interface Closed {
  count: number;
  kind: "mask_none" | "mask_some" | "mask_window";
}

/** Cells of later tokens are closed for causality; earlier ones are, where a layer has a window. */
export function closedCells(scores: Matrix): Closed {
  const memory = scores.cols - scores.rows;
  let count = 0;
  let early = 0;
  scores.data.forEach((score, i) => {
    if (score !== -Infinity) return;
    count++;
    if ((i % scores.cols) - memory <= Math.floor(i / scores.cols)) early++;
  });
  return { count, kind: early ? "mask_window" : count ? "mask_some" : "mask_none" };
}

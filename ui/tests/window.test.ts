import { expect, test } from "vitest";
import { follow, within } from "../src/draw/window";

const SIZE = 512;
const ROOM = 40;

// By what a window is: it shows the cell, lies within the figure, and moves no further than it must.
test("a window follows a cell", () => {
  for (let first = 0; first <= SIZE - ROOM; first++)
    for (let cell = 0; cell < SIZE; cell++) {
      const moved = follow(cell, first, ROOM);
      const isShown = cell >= moved && cell < moved + ROOM && within(moved, SIZE, ROOM) === moved;
      const isSeen = cell >= first && cell < first + ROOM;
      const shortest = isSeen ? 0 : Math.min(Math.abs(cell - first), Math.abs(cell - (first + ROOM - 1)));
      if (!isShown || Math.abs(moved - first) !== shortest) expect.fail(`cell ${cell}, window from ${first} to ${moved}`);
    }
});

test("a window stays within the figure", () => {
  expect(within(-3, SIZE, ROOM)).toBe(0);
  expect(within(12.6, SIZE, ROOM)).toBe(13);
  expect(within(500, SIZE, ROOM)).toBe(472);
});

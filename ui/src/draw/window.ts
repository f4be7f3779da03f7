/** Rows or columns of a large figure that are shown at once. */
export const SIZE = 40;

/** The nearest first cell of a window of `room` cells that lies within `size` cells. */
export function within(first: number, size: number, room: number): number {
  return Math.max(0, Math.min(size - room, Math.round(first)));
}

/** The first cell of a window that has moved no further than it must to show a cell. */
export function follow(cell: number, first: number, room: number): number {
  return cell < first ? cell : cell >= first + room ? cell - room + 1 : first;
}

import type { Role, ScaleKind } from "../draw/colours";
import type { Cell } from "../draw/heatmap";
import type { Matrix } from "../trace/matrix";

export interface HeatmapProps {
  matrix: Matrix;
  /** What the figure shows, for those who hear it. */
  label: string;
  rowLabels: string[];
  /** Names that must have room beside the rows, where figures below each other share their columns. */
  rowRoom?: string[];
  /** Empty where columns have no names, as the numbers of a vector. */
  colLabels: string[];
  rowRole?: Role;
  colRole?: Role;
  scale: ScaleKind;
  /** The value of the strongest colour; by default the largest of the matrix. */
  most?: number;
  /** Null if the reader's place is in another figure. */
  selected: Cell | null;
  onselect: (row: number, col: number) => void;
  largestCell?: number;
  /** The words for a value, where a number says little. */
  describe?: (value: number) => string;
  /** Whether the colours stand for numbers. */
  hasKey?: boolean;
}

/** Where the keyboard may go, in cells of the matrix that is drawn: outside of it if that is a window. */
export interface Limits {
  top: number;
  left: number;
  rows: number;
  cols: number;
}

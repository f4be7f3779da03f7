import type { Matrix } from "../trace/matrix";
import type { Theme } from "../state/theme.svelte";
import { drawPixels, isStrong, shadeOf, shades, type ScaleKind } from "./colours";

/** Where the cells of a heat map are, in CSS pixels. */
export interface Geometry {
  left: number;
  top: number;
  cellWidth: number;
  cellHeight: number;
  width: number;
  height: number;
}

export interface HeatmapStyle {
  scale: ScaleKind;
  most: number;
  theme: Theme;
  /** Colours of the page. */
  ink: string;
  paper: string;
  faint: string;
  /** The text of a cell, where there is room; may be empty. */
  format: (value: number) => string;
}

export interface Cell {
  row: number;
  col: number;
}

const ROOM_FOR_NUMBER = 30;
const GAP_FROM = 10;

export function drawCells(g: CanvasRenderingContext2D, matrix: Matrix, at: Geometry, style: HeatmapStyle): void {
  const gap = Math.min(at.cellWidth, at.cellHeight) >= GAP_FROM ? 1 : 0;
  if (gap) drawApart(g, matrix, at, style, gap);
  else drawTogether(g, matrix, at, style);
}

/** Tens of thousands of cells: one picture, a pixel for each, made larger. */
function drawTogether(g: CanvasRenderingContext2D, matrix: Matrix, at: Geometry, style: HeatmapStyle): void {
  const picture = document.createElement("canvas");
  drawPixels(picture, matrix, style.scale, style.most, style.theme);
  g.imageSmoothingEnabled = false;
  g.drawImage(picture, at.left, at.top, at.cellWidth * matrix.cols, at.cellHeight * matrix.rows);
  matrix.data.forEach((value, i) => {
    if (value !== -Infinity) return;
    const [row, col] = [Math.floor(i / matrix.cols), i % matrix.cols];
    drawClosed(g, at.left + col * at.cellWidth, at.top + row * at.cellHeight, at.cellWidth, at.cellHeight, style.faint);
  });
}

function drawApart(g: CanvasRenderingContext2D, matrix: Matrix, at: Geometry, style: HeatmapStyle, gap: number): void {
  const colours = shades(style.scale, style.theme);
  const hasNumbers = at.cellWidth >= ROOM_FOR_NUMBER;
  g.textAlign = "center";
  g.textBaseline = "middle";
  g.font = "11px system-ui, sans-serif";
  for (let row = 0; row < matrix.rows; row++)
    for (let col = 0; col < matrix.cols; col++) {
      const value = matrix.at(row, col);
      const x = at.left + col * at.cellWidth;
      const y = at.top + row * at.cellHeight;
      if (value === -Infinity) {
        drawClosed(g, x, y, at.cellWidth - gap, at.cellHeight - gap, style.faint);
        continue;
      }
      const shade = shadeOf(value, style.scale, style.most);
      g.fillStyle = colours[shade];
      g.fillRect(x, y, at.cellWidth - gap, at.cellHeight - gap);
      if (!hasNumbers) continue;
      g.fillStyle = isStrong(shade, style.scale) ? style.paper : style.ink;
      g.fillText(style.format(value), x + at.cellWidth / 2, y + at.cellHeight / 2 + 0.5, at.cellWidth - 5);
    }
}

/** A closed cell: no colour, one diagonal line. */
function drawClosed(g: CanvasRenderingContext2D, x: number, y: number, width: number, height: number, colour: string): void {
  g.strokeStyle = colour;
  g.lineWidth = 1;
  g.beginPath();
  g.moveTo(x + 1, y + height - 1);
  g.lineTo(x + width - 1, y + 1);
  g.stroke();
}

export function drawOutline(g: CanvasRenderingContext2D, cell: Cell, at: Geometry, colour: string): void {
  g.strokeStyle = colour;
  g.lineWidth = 2;
  g.strokeRect(at.left + cell.col * at.cellWidth - 1, at.top + cell.row * at.cellHeight - 1, at.cellWidth + 1, at.cellHeight + 1);
}

/** The cell under a point, or null. */
export function cellAt(x: number, y: number, at: Geometry, matrix: Matrix): Cell | null {
  const col = Math.floor((x - at.left) / at.cellWidth);
  const row = Math.floor((y - at.top) / at.cellHeight);
  return col >= 0 && row >= 0 && col < matrix.cols && row < matrix.rows ? { row, col } : null;
}

/** The number of which a scale's strongest colour speaks. */
export function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++)
    if (Number.isFinite(values[i])) most = Math.max(most, Math.abs(values[i]));
  return most;
}

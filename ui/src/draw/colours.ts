import { interpolateLab, piecewise } from "d3-interpolate";
import type { Theme } from "../state/theme.svelte";
import type { Matrix } from "../trace/matrix";

export type ScaleKind = "weights" | "signed";
export type Role = "query" | "key" | "value" | "residual" | "source" | "target";

/** From nothing to 1, and from −1 through 0 to 1; evenly spaced in lightness on either side. */
const STOPS: Record<ScaleKind, Record<Theme, string[]>> = {
  weights: {
    light: ["#f6f5f1", "#d3e2e3", "#8fbfca", "#3f8aa8", "#1d5683", "#10284f"],
    dark: ["#1b1f27", "#1d3a4f", "#216684", "#3f98ac", "#8ccbc8", "#eef6e6"],
  },
  signed: {
    light: ["#7a2412", "#c4694b", "#e9c3b2", "#f6f5f1", "#b3c9e3", "#4f83c0", "#173f7d"],
    dark: ["#ffc2a8", "#d9734f", "#6b3526", "#1b1f27", "#223f66", "#4c8bd6", "#bddcff"],
  },
};
const SHADES = 255;

const mixed = new Map<string, string[]>();

/** The colours of a scale, from its lowest value to its highest. */
export function shades(kind: ScaleKind, theme: Theme): string[] {
  const name = `${kind} ${theme}`;
  let colours = mixed.get(name);
  if (!colours) {
    const colour = piecewise(interpolateLab, STOPS[kind][theme]);
    colours = Array.from({ length: SHADES + 1 }, (_, i) => colour(i / SHADES));
    mixed.set(name, colours);
  }
  return colours;
}

/** Where a value stands on a scale whose largest value is `most`, as the number of a shade. */
export function shadeOf(value: number, kind: ScaleKind, most: number): number {
  const share = most > 0 ? value / most : 0;
  const place = kind === "weights" ? share : (share + 1) / 2;
  return Math.round(Math.min(1, Math.max(0, place)) * SHADES);
}

/** Whether a text on this shade must be light. */
export function isStrong(shade: number, kind: ScaleKind): boolean {
  return kind === "weights" ? shade > SHADES * 0.52 : Math.abs(shade / SHADES - 0.5) > 0.27;
}

const palettes = new Map<string, Uint8ClampedArray>();

/** The same colours as numbers: red, green and blue of each. */
function palette(kind: ScaleKind, theme: Theme): Uint8ClampedArray {
  const name = `${kind} ${theme}`;
  let numbers = palettes.get(name);
  if (!numbers) {
    numbers = Uint8ClampedArray.from(shades(kind, theme).flatMap((colour) => colour.match(/\d+/g)!.slice(0, 3).map(Number)));
    palettes.set(name, numbers);
  }
  return numbers;
}

/** Draw a matrix with a pixel for each number; a closed cell has no colour. */
export function drawPixels(canvas: HTMLCanvasElement, matrix: Matrix, kind: ScaleKind, most: number, theme: Theme): void {
  canvas.width = matrix.cols;
  canvas.height = matrix.rows;
  const g = canvas.getContext("2d")!;
  const image = g.createImageData(matrix.cols, matrix.rows);
  const colours = palette(kind, theme);
  matrix.data.forEach((value, i) => {
    if (value === -Infinity) return;
    const shade = 3 * shadeOf(value, kind, most);
    for (let channel = 0; channel < 3; channel++) image.data[4 * i + channel] = colours[shade + channel];
    image.data[4 * i + 3] = 255;
  });
  g.putImageData(image, 0, 0);
}

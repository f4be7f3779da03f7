import type { Layer, Part } from "../trace/layers";

/** Where the parts of a stack are on the map. Upwards is the direction of computation. */
export interface Box {
  id: string;
  kind: Part["kind"] | "embedding" | "top" | "layer";
  /** Path of the part; of a folded layer, of the layer. */
  path: string;
  x: number;
  y: number;
  width: number;
  height: number;
  /** Size of what it adds to the stream. */
  added: number;
}

export interface Frame {
  number: number;
  y: number;
  height: number;
}

/** The residual stream at a height. */
export interface Point {
  y: number;
  size: number;
}

export interface Tower {
  boxes: Box[];
  frames: Frame[];
  stream: Point[];
  height: number;
}

export interface TowerOptions {
  x: number;
  width: number;
  /** Numbers of the layers that show their sublayers. */
  open: (layer: number) => boolean;
  /** Path of the embedding, and its size. */
  embedding: { path: string; size: number };
  /** Path of what stands on top: the memory or the head. */
  top: string;
}

const BOX = 50;
const GAP = 14;
const PADDING = 14;
const FOLDED = 30;

/** Place a stack from the bottom; y is measured upwards from there and flipped by `standOn`. */
export function layoutTower(layers: Layer[], options: TowerOptions): Tower {
  const { x, width } = options;
  const boxes: Box[] = [];
  const frames: Frame[] = [];
  let y = 0;
  const place = (box: Pick<Box, "id" | "kind" | "path" | "added">, height: number) => {
    boxes.push({ ...box, x, width, y, height });
    y += height;
  };
  place({ id: "embedding", kind: "embedding", path: options.embedding.path, added: 0 }, BOX);
  const stream: Point[] = [{ y, size: options.embedding.size }];
  y += GAP;
  layers.forEach((layer, number) => {
    const start = y;
    if (options.open(number)) {
      y += PADDING;
      layer.parts.forEach((part, i) => {
        if (i) y += GAP;
        place({ id: part.path, kind: part.kind, path: part.path, added: part.added }, BOX);
        stream.push({ y: y - 4, size: part.stream });
      });
      y += PADDING + 10;
      frames.push({ number, y: start, height: y - start });
    } else {
      const last = layer.parts[layer.parts.length - 1];
      place({ id: layer.path, kind: "layer", path: layer.path, added: 0 }, FOLDED);
      stream.push({ y: y - 4, size: last.stream });
    }
    y += GAP;
  });
  stream.push({ y: y + BOX / 2, size: stream[stream.length - 1].size });
  if (options.top) place({ id: "top", kind: "top", path: options.top, added: 0 }, BOX);
  return { boxes, frames, stream, height: y };
}

/** The same tower with y measured downwards, its foot at `bottom`. */
export function standOn(tower: Tower, bottom: number): Tower {
  const flip = <T extends { y: number; height: number }>(each: T): T => ({ ...each, y: bottom - each.y - each.height });
  return {
    boxes: tower.boxes.map(flip),
    frames: tower.frames.map(flip),
    stream: tower.stream.map((point) => ({ ...point, y: bottom - point.y })),
    height: tower.height,
  };
}

/** The outline of a stream whose width follows its size. */
export function streamPath(points: Point[], x: number, widthOf: (size: number) => number): string {
  const side = (sign: number) =>
    points.map((point) => `${x + (sign * widthOf(point.size)) / 2} ${point.y}`);
  return `M${side(-1).join("L")}L${side(1).reverse().join("L")}Z`;
}

import { rms } from "../math/attention";
import type { Trace } from "./trace";

export type Stack = "encoder" | "decoder";

/** A sublayer, such as the cross-attention of a decoder layer. */
export interface Part {
  path: string;
  kind: "attention" | "cross" | "feed_forward";
  /** Size of what it adds to the residual stream, over all tokens or for one. */
  added: number;
  /** Size of the residual stream behind it. */
  stream: number;
}

export interface Layer {
  path: string;
  parts: Part[];
}

const ADDED = /^((encoder|decoder)\.layers\.\d+)\.(attention|cross|feed_forward)\.added$/;

/** The layers of a stack from the first to the last, with sizes of all tokens or of one. */
export function layersOf(trace: Trace, stack: Stack, token?: number): Layer[] {
  const layers = new Map<string, Layer>();
  for (const name of trace.arrays.keys()) {
    const [, path, owner, kind] = ADDED.exec(name) ?? [];
    if (owner !== stack) continue;
    const part = `${path}.${kind}`;
    const layer = layers.get(path) ?? { path, parts: [] };
    layers.set(path, layer);
    layer.parts.push({
      path: part,
      kind: kind as Part["kind"],
      added: sizeOf(trace, name, token),
      stream: sizeOf(trace, `${part}.output`, token),
    });
  }
  return [...layers.values()];
}

/** The number of layers of each stack that the model has. */
export function layerCounts(trace: Trace): number[] {
  const stacks: Stack[] = ["encoder", "decoder"];
  return stacks.map((stack) => layersOf(trace, stack).length).filter(Boolean);
}

/** The root of the mean square of an array, or of its row of a token. */
export function sizeOf(trace: Trace, name: string, token?: number): number {
  const sizes = trace.sizes[name];
  if (sizes) return token === undefined ? rms(sizes) : sizes[Math.min(token, sizes.length - 1)];
  const matrix = trace.array(name)?.matrix();
  if (!matrix) return 0;
  return rms(token === undefined ? matrix.data : matrix.row(Math.min(token, matrix.rows - 1)));
}

/** What a sublayer read: the residual stream before it. */
export function inputOf(trace: Trace, part: string): string {
  const stack = part.split(".")[0] as Stack;
  const paths = layersOf(trace, stack).flatMap((layer) => layer.parts.map((each) => each.path));
  const before = paths[paths.indexOf(part) - 1];
  return before ? `${before}.output` : `${stack}.embedding.output`;
}

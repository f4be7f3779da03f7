import { Tensor } from "./matrix";
import type { EncodedArray } from "./types";

/** Return the numbers of an array of the trace. */
export async function decodeArray(array: EncodedArray | { shape: number[] }): Promise<Tensor> {
  if (!("data" in array)) return Tensor.stub(array.shape);
  return new Tensor(array.shape, await numbersOf(array), array.error);
}

async function numbersOf(array: EncodedArray): Promise<Float32Array> {
  const bytes = await unpack(array.data);
  const width = array.shape[array.shape.length - 1] ?? 1;
  switch (array.dtype) {
    case "float16":
      return Float32Array.from(new Uint16Array(bytes.buffer), (bits) => HALVES[bits]);
    case "planes":
      return fromPlanes(bytes, (bits) => HALVES[bits]);
    case "float32":
      return new Float32Array(bytes.buffer);
    case "int8": {
      const scales = new Float32Array((await unpack(array.scales!)).buffer);
      return Float32Array.from(new Int8Array(bytes.buffer), (value, i) => value * scales[Math.floor(i / width)]);
    }
    case "int16":
      return fromPlanes(bytes, (bits) => (bits === 0x8000 ? -Infinity : ((bits << 16) >> 16) * array.step!));
    case "top": {
      const [ids, fill] = await Promise.all([unpack(array.ids!), unpack(array.fill!)]);
      return spread(new Float32Array(bytes.buffer), new Int32Array(ids.buffer), new Float32Array(fill.buffer), width);
    }
  }
}

/** Rows of which only some columns are known; the others of a row all have the same value. */
function spread(values: Float32Array, ids: Int32Array, fill: Float32Array, width: number): Float32Array {
  const numbers = new Float32Array(fill.length * width);
  fill.forEach((value, row) => numbers.fill(value, row * width, (row + 1) * width));
  const count = ids.length / fill.length;
  ids.forEach((id, i) => (numbers[Math.floor(i / count) * width + id] = values[i]));
  return numbers;
}

function unpack(text: string): Promise<Uint8Array<ArrayBuffer>> {
  return inflate(fromBase64(text));
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The value of each of the 65,536 numbers in half precision. */
const HALVES = Float32Array.from({ length: 2 ** 16 }, (_, bits) => half(bits));

/** The low bytes of all numbers come before the high ones. */
function fromPlanes(bytes: Uint8Array, numberOf: (bits: number) => number): Float32Array {
  const count = bytes.length / 2;
  const numbers = new Float32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = numberOf(bytes[i] | (bytes[count + i] << 8));
  return numbers;
}

/** Half precision: 1 bit of sign, 5 of exponent, 10 of fraction. */
export function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

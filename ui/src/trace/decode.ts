import { Tensor } from "./matrix";
import type { EncodedArray } from "./types";

/** Return the numbers of an array of the trace. */
export async function decodeArray(array: EncodedArray): Promise<Tensor> {
  const bytes = await inflate(fromBase64(array.data));
  const data = array.dtype === "float16" ? fromFloat16(bytes) : new Float32Array(bytes.buffer);
  return new Tensor(array.shape, data, array.error);
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

function fromFloat16(bytes: Uint8Array<ArrayBuffer>): Float32Array {
  const numbers = new Float32Array(bytes.length / 2);
  for (let i = 0; i < numbers.length; i++) numbers[i] = HALVES[bytes[2 * i] | (bytes[2 * i + 1] << 8)];
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

import { layerOf, kindOf } from "../trace/trace";
import { t } from "./language.svelte";

/** "Decoder layer 2, cross-attention" of a path. */
export function attentionName(path: string): string {
  return t(`attention_${kindOf(path)}`, { layer: layerOf(path) });
}

/** "Encoder layer 2" of a path. */
export function layerName(path: string): string {
  return t(path.startsWith("encoder") ? "layer_encoder" : "layer_decoder", { layer: layerOf(path) });
}

/** "cross 2·3" of head 3 in the cross-attention of layer 2. */
export function headName(head: { path: string; head: number }): string {
  return `${t(`short_${kindOf(head.path)}`)} ${layerOf(head.path)}·${head.head + 1}`;
}

/** "2 cross-attention" of a sublayer's path, and the embedding's name. */
export function partName(path: string): string {
  const kind = /(attention|cross|feed_forward|embedding)$/.exec(path)![1] as "attention" | "cross" | "feed_forward" | "embedding";
  return kind === "embedding" ? t("part_embedding") : `${layerOf(path)} ${t(`part_${kind}`)}`;
}

import { layerOf, kindOf, sidesOf, type Side, type Trace } from "../trace/trace";
import type { AblatedPart } from "../trace/types";
import { t } from "./language.svelte";
import { nameOf } from "./tokens";

/** "Source text", or "Text" if the model has only one. */
export function textName(trace: Trace, side: Side): string {
  if (!trace.source || !trace.target) return t("text_only");
  return t(side === "source" ? "text_source" : "text_target");
}

/** "Decoder layer 2, cross-attention" of a path. */
export function attentionName(path: string): string {
  return t(`attention_${kindOf(path)}`, { layer: layerOf(path) });
}

/** "Encoder layer 2" of a path. */
export function layerName(path: string): string {
  return t(path.startsWith("encoder") ? "layer_encoder" : "layer_decoder", { layer: layerOf(path) });
}

/** "cross 2" of the cross-attention of layer 2. */
export function shortAttentionName(path: string): string {
  return `${t(`short_${kindOf(path)}`)} ${layerOf(path)}`;
}

/** "cross-attention, layer 2, head 3" of a head. */
export function headName({ path, head }: { path: string; head: number }): string {
  return t(`head_${kindOf(path)}`, { layer: layerOf(path), head: head + 1 });
}

/** "decoder, layer 2, head 3" of a head that is off, "Encoder layer 2, Feed-forward" of a sublayer, and so on: for lists. */
export function shortOffName(part: AblatedPart, trace: Trace): string {
  switch (part.kind) {
    case "head":
      return headName(part);
    case "sublayer":
      return t("sublayer_name", { layer: layerName(part.path), part: t(`part_${sublayerKind(part.path)}`) });
    case "layer":
      return layerName(part.path);
    case "token":
      return `“${nameOf(trace.tokens(part.side)[part.key])}”`;
    case "edge": {
      const { queries, keys } = sidesOf(part.path);
      const [query, key] = [nameOf(trace.tokens(queries)[part.query]), nameOf(trace.tokens(keys)[part.key])];
      return `${part.head < 0 ? attentionName(part.path) : headName(part)}: ${query} → ${key}`;
    }
    case "positions":
      return t("off_positions");
  }
}

/** The same in a sentence: "head 3 of “Decoder layer 2, cross-attention”". */
export function offName(part: AblatedPart, trace: Trace): string {
  if (part.kind === "head") return t("off_head", { head: part.head + 1, where: attentionName(part.path) });
  if (part.kind === "sublayer") return t("off_sublayer", { layer: layerName(part.path), part: t(`part_${sublayerKind(part.path)}`) });
  return shortOffName(part, trace);
}

function sublayerKind(path: string): "attention" | "cross" | "feed_forward" {
  return /(attention|cross|feed_forward)$/.exec(path)![1] as "attention" | "cross" | "feed_forward";
}

/** "2 cross-attention" of a sublayer's path, and the embedding's name. */
export function partName(path: string): string {
  const kind = /(attention|cross|feed_forward|embedding)$/.exec(path)![1] as "attention" | "cross" | "feed_forward" | "embedding";
  return kind === "embedding" ? t("part_embedding") : `${layerOf(path)} ${t(`part_${kind}`)}`;
}

/** "Layer 2" of the states after it, the embedding's name, or "after the last norm". */
export function stateName(name: string): string {
  if (name.endsWith("embedding.output")) return t("part_embedding");
  return /layers\.\d/.test(name) ? t("after_layer", { layer: layerOf(name) }) : t("after_norm");
}

/** The same of a part that adds to a logit; "bias" stands for all constants. */
export function addendName(path: string): string {
  return path === "bias" ? t("stream_bias") : partName(path);
}

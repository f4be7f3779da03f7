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

/** "Decoder layer 2, cross-attention, head 3" of a head. */
export function headName({ path, head }: { path: string; head: number }): string {
  return t("head_name", { where: attentionName(path), head: head + 1 });
}

/** "Decoder layer 2, feed-forward" of an attention's or a feed-forward network's path. */
export function sublayerName(path: string): string {
  return path.endsWith("feed_forward") ? t("feed_forward_name", { layer: layerName(path) }) : attentionName(path);
}

/** The name of what is off: that of a head, a sublayer, a layer, a token and so on. */
export function offName(part: AblatedPart, trace: Trace): string {
  switch (part.kind) {
    case "head":
      return headName(part);
    case "sublayer":
      return sublayerName(part.path);
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

/** The same within a sentence. */
export function quotedOffName(part: AblatedPart, trace: Trace): string {
  const isName = part.kind === "head" || part.kind === "sublayer" || part.kind === "layer";
  return isName ? t("off_quoted", { part: offName(part, trace) }) : offName(part, trace);
}

/** "Layer 2, cross-attention" of a sublayer's path where the stack is known, and the embedding's name. */
export function partName(path: string): string {
  const kind = /(attention|cross|feed_forward|embedding)$/.exec(path)![1] as "attention" | "cross" | "feed_forward" | "embedding";
  return kind === "embedding" ? t("part_embedding") : t(`in_layer_${kind}`, { layer: layerOf(path) });
}

/** "Layer 2, head 3" of a head where the attention is known. */
export function headInLayer({ path, head }: { path: string; head: number }): string {
  return t("head_in_layer", { layer: layerOf(path), head: head + 1 });
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

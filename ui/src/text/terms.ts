import type { Language } from "./language.svelte";

/** How each term is written; its definition is the message `term_…`. */
const FORMS = {
  token: ["tokens?", "词元"],
  vocabulary: ["vocabular(?:y|ies)", "词表"],
  vector: ["vectors?", "向量"],
  dot_product: ["dot products?", "点积"],
  softmax: ["softmax", "softmax"],
  head: ["heads?", "(?<![回从开前后出])头"],
  query: ["quer(?:y|ies)", "查询"],
  key: ["keys?", "键"],
  value: ["values?", "(?<!真实的)(?<![均数])值(?!得)"],
  residual: ["residual stream", "残差流"],
  norm: ["layer norm", "归一化"],
  mask: ["masks?", "掩码"],
  encoder: ["encoder", "编码器"],
  decoder: ["decoder", "解码器"],
  memory: ["memory", "记忆"],
  cross: ["cross-attention", "交叉注意力"],
  attention: ["attention", "注意力"],
  logits: ["logits", "logits"],
  entropy: ["entropy", "熵"],
  divergence: ["divergence|Kullback–Leibler", "散度"],
  nat: ["nats?", "奈特"],
  beam: ["beam search", "集束搜索"],
} as const;

export type Term = keyof typeof FORMS;
const TERMS = Object.keys(FORMS) as Term[];

/** Longer forms first, so that cross-attention is not read as attention. Chinese has no spaces. */
const patterns: Record<Language, RegExp> = {
  en: new RegExp(`\\b(?:${TERMS.map((term) => `(?<${term}>${FORMS[term][0]})`).join("|")})\\b`, "gi"),
  "zh-CN": new RegExp(TERMS.map((term) => `(?<${term}>${FORMS[term][1]})`).join("|"), "g"),
};

export interface Piece {
  text: string;
  term?: Term;
}

/** A text cut at its terms, each at its first use; those that `isNew` refuses are plain text. */
export function findTerms(text: string, language: Language, isNew: (term: Term) => boolean): Piece[] {
  const pieces: Piece[] = [];
  const seen = new Set<Term>();
  let end = 0;
  for (const match of text.matchAll(patterns[language])) {
    const term = TERMS.find((each) => match.groups![each] !== undefined)!;
    if (seen.has(term) || !isNew(term)) continue;
    seen.add(term);
    pieces.push({ text: text.slice(end, match.index) }, { text: match[0], term });
    end = match.index + match[0].length;
  }
  return [...pieces, { text: text.slice(end) }];
}

/** The content of the page, as Python's `explorer/content.py` and `explain/encode.py` write it. */

export interface Content {
  name: string;
  /** Absent in a live page that has no text yet. */
  trace?: EncodedTrace;
  conditions: Conditions;
  /** What changes without each head; absent where it was not measured. */
  effects?: HeadEffect[];
  /** The prediction on the states of each layer, the embedding first; absent of a long text. */
  lens?: Prediction[];
  /** The beam search that wrote the text, if one did. */
  search?: Search | null;
  /** What the order of the tokens changes, if the encoder adds position vectors. */
  order?: Order | null;
  /** The share of each token in outputs; absent where it was not measured. */
  attribution?: Attribution;
  /** The residual stream of outputs, if the model has one. */
  stream?: Stream | null;
  /** A second trace, to be compared with this one. */
  second?: Content;
  comparison?: ComparisonFacts;
  /** What was asked of the model. */
  request?: TextRequest;
  /** What the page can ask for; absent in a file. */
  live?: LiveFacts;
}

/** The three ways to attribute an output to tokens. */
export type Method = "integrated" | "gradient" | "erasure";

export interface Attribution {
  /** Of integrated gradients. */
  steps: number;
  outputs: AttributionOutput[];
}

export interface AttributionOutput extends Record<Method, TokenShares> {
  position: number;
  /** The log-probability of the output minus that of a text whose token vectors are 0. */
  total: number;
}

/** Of each token, in nats; null for a text that the model does not have. */
export interface TokenShares {
  source: number[] | null;
  target: number[] | null;
}

export interface Stream {
  /** Names of the states: the embedding, each layer, and the final norm if there is one. */
  states: string[];
  /** What adds up to a logit: sublayers, heads of attentions, and "bias"; null if nothing does. */
  parts: { path: string; head: number | null }[] | null;
  outputs: StreamOutput[];
}

export interface StreamOutput {
  position: number;
  /** Of each state. */
  norms: number[];
  /** Of each state with the last. */
  cosines: number[];
  /** What each part adds. */
  logits: number[] | null;
}

/** The states of each token in a text, and in another text of the same tokens. */
export interface Order {
  /** Of the first text. */
  tokens: Token[];
  /** The tokens of the other text, as numbers of those of the first. */
  order: number[];
  /** The states that are compared, from the embedding on. */
  names: string[];
  /** With position vectors, and with none. */
  on: Moved;
  off: Moved;
}

export interface Moved {
  /** 1 - cosine of the states of each token, by layer. */
  distances: number[][];
  /** The largest difference of any number of the states. */
  largest: number;
}

/** What the states of a second text do in the run of the first, as Python's `explorer/patching.py` has it. */
export interface Patches {
  /** Of the second text. */
  tokens: Record<"source" | "target", Token[]>;
  /** Numbers of a token of the first text and of the one whose states take its place. */
  pairs: Partial<Record<"source" | "target", [number, number][]>>;
  /** The most probable output of both runs at each position. */
  answers: [string[], string[]];
  /** In both runs, of both answers, at each position. */
  log_probs: number[][][];
  /** By the name of a state, and by the path of an attention. */
  states: Record<string, Shares>;
  heads: Record<string, Shares>;
}

/** Of each pair or head, at each position of the output: 0 for the first answer, 1 for the second; null if both are one. */
export type Shares = (number | null)[][];

export interface Search {
  beam: number;
  length_norm: "power" | "gnmt";
  alpha: number;
  nodes: SearchNode[];
  /** Number of tokens with which a reader lets all texts begin. */
  forced?: number;
}

/** A text that the search considered: a token after the text of another node. */
export interface SearchNode {
  step: number;
  /** Number of the node before it; -1 for a first token. */
  parent: number;
  id: number;
  token: string;
  /** All its tokens. */
  text: string;
  log_prob: number;
  /** The same, normalized by length. */
  score: number;
  status: "kept" | "ended" | "pruned" | "open";
  is_best: boolean;
}

export interface ComparisonFacts {
  differs: "models" | "texts";
  /** Whether the outputs of both are over the same tokens. */
  has_one_vocabulary: boolean;
}

/** A text for a model, as Python's `explorer/request.py` has it; empty settings are left to the model. */
export interface TextRequest {
  text: string;
  target: string;
  to: string;
  source_language: string;
  head: string;
  max_new: number;
}

export interface LiveFacts {
  /** Of the texts that the model reads; empty if it is not known. */
  language: string;
  target_languages: string[];
  source_languages: string[];
  source_language: string;
  /** Names, if there are several. */
  heads: string[];
  writes: boolean;
  /** Whether the model is a decoder alone, which continues its text. */
  continues: boolean;
  reads_pairs: boolean;
  /** What differs in a page that shows two traces. */
  compares: "models" | "texts" | null;
}

/** What changes without some parts. */
export interface Effect {
  /** Change of the log-probability of each position's chosen output. */
  log_probs: number[];
  /** Of the new distribution of each position from the original one, in nats. */
  divergences: number[];
  /** By position, the output that is most probable then, where it is another one. */
  instead: Record<string, string>;
}

/** What changes without a head, without a whole sublayer, or without positions. */
export interface HeadEffect extends Effect {
  /** Of a sublayer; "positions" for the positions. */
  path: string;
  /** Null for all that the path names. */
  head: number | null;
}

/** A part of the model that a reader switches off, as Python's `explorer/ablated_parts.py` has it. */
export type AblatedPart =
  | { kind: "head"; path: string; head: number }
  | { kind: "sublayer" | "layer"; path: string }
  | { kind: "token"; side: "source" | "target"; key: number }
  | { kind: "edge"; path: string; head: number; query: number; key: number }
  | { kind: "positions" };

/** What changes without the parts that are off. */
export interface OffReply extends Effect {
  positions: PositionPrediction[];
}

export interface Conditions {
  version: string;
  torch: string;
  device: string;
  dtype: string;
  threads: number;
}

export interface EncodedTrace {
  schema: number;
  model: ModelFacts;
  source: TracedText | null;
  target: TracedText | null;
  prediction: Prediction | null;
  /** Of a long text, most have only a shape: the page asks for their numbers. */
  arrays: Record<string, EncodedArray | { shape: number[] }>;
  /** Of a long text: the root mean square of each token in arrays without heads. */
  sizes?: Record<string, number[]>;
  /** What each attention multiplies its scores by. */
  scales: Record<string, number>;
  /** Whether arrays have fewer bits, and those that the page computes are left out. */
  compact?: boolean;
}

export interface ModelFacts {
  family: string;
  task: string;
  languages: string[];
  parameters: number;
  settings: Settings;
  /** Number of weights of each part, by the path of the part. */
  sizes?: Record<string, number>;
}

export interface Settings {
  vocab_size: number;
  /** Of the decoder; 0 where both texts have one vocabulary. */
  target_vocab_size?: number;
  d_model: number;
  d_ff: number;
  n_heads: number;
  n_encoder_layers?: number;
  n_decoder_layers?: number;
  positions?: string;
  gated?: boolean;
  bias?: string;
  norm?: string;
  norm_place?: string;
  activation?: string;
}

/** The number of tokens that a model can predict. */
export function outputSize(settings: Settings): number {
  return settings.target_vocab_size || settings.vocab_size;
}

export interface TracedText {
  texts: string[];
  normalized: string[];
  tokens: Token[];
}

export interface Token {
  id: number;
  piece: string;
  display: string;
  /** First character; null for a special token. */
  start: number | null;
  end: number | null;
  bytes: string;
  segment: number;
  unknown: boolean;
}

export interface Prediction {
  head: string;
  kind: "lm" | "token" | "sequence" | "score";
  reading: "single_label" | "multi_label" | "regression" | "crf" | "span";
  positions: PositionPrediction[];
  /** Of a tagger: the first position of each word, which has the word's label. */
  words: number[];
}

export interface PositionPrediction {
  candidates: Candidate[];
  rest: number;
  entropy: number;
  chosen: Candidate | null;
  rank: number | null;
}

export interface Candidate {
  id: number;
  text: string;
  score: number;
  probability: number;
}

export interface EncodedArray {
  /**
   * planes: float16, the low bytes of all numbers before the high ones. int8: multiples of the scale of each row.
   * int16: of a step, in planes too. top: the largest values of each row.
   */
  dtype: "float16" | "planes" | "float32" | "int8" | "int16" | "top";
  shape: number[];
  /** base64 of zlib-deflated little-endian values, row by row. */
  data: string;
  /** Largest difference to the value of the model. */
  error: number;
  /** Of int8, one for each row: float32, as `data`. */
  scales?: string;
  /** Of int16. */
  step?: number;
  /** Of top: the columns of the values, as int32; the value of all other columns of each row. */
  ids?: string;
  fill?: string;
}

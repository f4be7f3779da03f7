import { softmax } from "./attention";

export interface SamplingSettings {
  temperature: number;
  /** The smallest set of tokens with this much probability stays; 1 keeps all. */
  topP: number;
  /** This many tokens stay; 0 keeps all. */
  topK: number;
}

/** The probabilities from which a token is drawn: what is cut has none, the rest is scaled to 1. */
export function cut(logits: ArrayLike<number>, settings: SamplingSettings): Float64Array {
  const probabilities = softmax(Float64Array.from(logits, (logit) => logit / settings.temperature));
  if (settings.topP >= 1 && !settings.topK) return probabilities;
  const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[b] - probabilities[a]);
  const kept = new Float64Array(probabilities.length);
  const left = order.slice(0, settings.topK || order.length);
  const all = left.reduce((total, index) => total + probabilities[index], 0); // top-p counts what top-k leaves
  let sum = 0;
  for (const index of left) {
    if (settings.topP < 1 && sum >= settings.topP * all) break;
    kept[index] = probabilities[index];
    sum += probabilities[index];
  }
  return kept.map((probability) => probability / sum);
}

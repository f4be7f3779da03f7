/** Sentences of the literature to begin with, by language. */
export const EXAMPLES: Record<string, string[]> = {
  en: [
    "The animal didn't cross the street because it was too tired.",
    "The animal didn't cross the street because it was too wide.",
    "The dog chases the cat.",
  ],
  zh: ["我喜欢这个美丽花园", "猫追狗。", "狗追猫。", "小明把苹果放进了冰箱，因为它坏了"],
  de: ["Die Katze schläft.", "Der Hund jagt die Katze."],
};

const PAIRS = [
  ["The animal didn't cross the street because it was too tired.", "The animal didn't cross the street because it was too wide."],
  ["猫追狗。", "狗追猫。"],
];

/** A text that differs from another one in what matters, where it is known; otherwise the same text, to be changed. */
export function siblingOf(text: string): string {
  const pair = PAIRS.find((each) => each.includes(text));
  return pair?.find((each) => each !== text) ?? text;
}

import { en, type Key } from "./en";
import { zh } from "./zh";

export type Language = "en" | "zh-CN";
export type Values = Record<string, string | number>;

const CATALOGUES: Record<Language, Record<Key, string>> = { en, "zh-CN": zh };

class CurrentLanguage {
  current = $state<Language>(navigator.language.startsWith("zh") ? "zh-CN" : "en");
}

export const language = new CurrentLanguage();

/** The message of a key in the current language, with `{name}` replaced by values. */
export function t(key: Key, values: Values = {}): string {
  return message(key, values).replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

/** A message whose `{name:one|many}` became a word for that number. */
export function message(key: Key, values: Record<string, unknown> = {}): string {
  return CATALOGUES[language.current][key].replace(/\{(\w+):(.*?)\|(.*?)\}/g, (_, name: string, one: string, many: string) =>
    String(values[name]) === "1" ? one : many,
  );
}

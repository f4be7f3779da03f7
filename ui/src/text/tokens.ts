import type { Token } from "../trace/types";

/** A token as a word in a sentence or a label: without spaces around it, a special one as its piece. */
export function nameOf(token: Token | undefined): string {
  if (!token) return "";
  if (token.start === null) return token.piece;
  return nameOfText(token.display);
}

export function nameOfText(text: string): string {
  const shown = text.trim() || text.replace(/ /g, "␣").replace(/\n/g, "⏎") || "∅";
  return shown.replace(/\p{Cc}/gu, (sign) => `⟨${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}⟩`);
}

export function namesOf(tokens: readonly Token[]): string[] {
  return tokens.map(nameOf);
}

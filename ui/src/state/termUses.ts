import { getContext, setContext } from "svelte";
import type { Term } from "../text/terms";

const USES = Symbol("term uses");

/** Start a text of several paragraphs: each term is explained in the first that uses it. */
export function startTermUses(): void {
  setContext(USES, new Map<Term, object>());
}

export function getTermUses(): Map<Term, object> {
  return getContext<Map<Term, object>>(USES);
}

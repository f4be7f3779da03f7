import { getContext, setContext } from "svelte";
import type { Trace } from "../trace/trace";

const TRACE = Symbol("trace");

export function setTrace(trace: Trace): void {
  setContext(TRACE, trace);
}

/** The trace that the page shows. */
export function getTrace(): Trace {
  return getContext<Trace>(TRACE);
}

import { decodeArray } from "../trace/decode";
import type { Trace } from "../trace/trace";
import type { EncodedArray } from "../trace/types";
import { t } from "../text/language.svelte";
import { messageOf } from "./ask";
import type { LiveText } from "./liveText.svelte";

/** Arrays of a trace, of one head or of all. */
export interface Missing {
  names: readonly string[];
  head?: number;
}

const ALL = -1;

/** Asks for the numbers of a long text that a stop needs. */
export class Loader {
  error = $state("");
  private asked = "";

  constructor(
    private readonly trace: Trace,
    private readonly live: LiveText,
  ) {}

  async load({ names, head }: Missing): Promise<void> {
    const question = JSON.stringify([names, head]);
    if (question === this.asked) return;
    this.asked = question;
    this.error = "";
    try {
      const reply = await this.live.ask<{ arrays: Record<string, EncodedArray> }>("arrays", { names, number: head ?? ALL });
      for (const [name, array] of Object.entries(reply.arrays))
        this.trace.arrays.set(name, this.trace.arrays.get(name)!.with(await decodeArray(array), head));
    } catch (error) {
      this.error = messageOf(error, t("live_gone"));
    } finally {
      if (this.asked === question) this.asked = "";
    }
  }
}

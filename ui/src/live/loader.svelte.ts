import { decodeArray } from "../trace/decode";
import type { Tensor } from "../trace/matrix";
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
/** Arrays of one question: each is a pass of the model, which keeps these arrays at once. */
const MOST = 16;

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
      const loaded: [string, Tensor][] = [];
      for (let i = 0; i < names.length; i += MOST) loaded.push(...(await this.askFor(names.slice(i, i + MOST), head)));
      // All at once: a part of them would be a reason to ask for the rest.
      for (const [name, array] of loaded) this.trace.arrays.set(name, this.trace.arrays.get(name)!.with(array, head));
    } catch (error) {
      this.error = messageOf(error, t("live_gone"));
    } finally {
      if (this.asked === question) this.asked = "";
    }
  }

  private async askFor(names: readonly string[], head?: number): Promise<[string, Tensor][]> {
    const { arrays } = await this.live.ask<{ arrays: Record<string, EncodedArray> }>("arrays", { names, number: head ?? ALL });
    return Promise.all(Object.entries(arrays).map(async ([name, array]): Promise<[string, Tensor]> => [name, await decodeArray(array)]));
  }
}

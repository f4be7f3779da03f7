import { t } from "../text/language.svelte";
import type { AblatedPart, OffReply, TracedText } from "../trace/types";
import { messageOf } from "./ask";

/** Asks the model without some parts. */
type Ask = <Reply>(kind: "off" | "rewrite", off: readonly AblatedPart[]) => Promise<Reply>;

/** The parts of the model that are off, and what its output becomes without them. */
export class Switches {
  parts = $state.raw<readonly AblatedPart[]>([]);
  changed = $state.raw<OffReply | null>(null);
  /** The parts without which `changed` was measured: the last ones until the next answer is there. */
  measured = $state.raw<readonly AblatedPart[]>([]);
  /** What the model writes without the parts; null if that is not known. */
  written = $state.raw<TracedText | null>(null);
  loading = $state(false);
  error = $state("");
  private asked = 0;

  constructor(
    private readonly ask: Ask,
    private readonly writes: boolean,
  ) {}

  add(part: AblatedPart): void {
    const same = (each: AblatedPart) => JSON.stringify(each) === JSON.stringify(part);
    if (!this.parts.some(same)) void this.set([...this.parts, part]);
  }

  remove(part: AblatedPart): void {
    void this.set(this.parts.filter((each) => each !== part));
  }

  /** Ask for the output without these parts; an answer that comes too late is dropped. */
  async set(parts: readonly AblatedPart[]): Promise<void> {
    const number = ++this.asked;
    this.parts = parts;
    this.error = "";
    this.written = null;
    if (!parts.length) {
      this.changed = null;
      this.loading = false;
      return;
    }
    this.loading = true;
    try {
      const changed = await this.ask<OffReply>("off", parts);
      if (number !== this.asked) return;
      this.changed = changed;
      this.measured = parts;
      if (this.canWriteAgain) {
        const { target } = await this.ask<{ target: TracedText }>("rewrite", parts);
        if (number === this.asked) this.written = target;
      }
    } catch (error) {
      if (number === this.asked) {
        this.changed = null;
        this.error = messageOf(error, t("live_gone"));
      }
    } finally {
      if (number === this.asked) this.loading = false;
    }
  }

  /** An edge, or a token of the target, belongs to the text that is written already. */
  private get canWriteAgain(): boolean {
    const isBound = (part: AblatedPart) => part.kind === "edge" || (part.kind === "token" && part.side === "target");
    return this.writes && !this.parts.some(isBound);
  }
}

import { t } from "../text/language.svelte";
import { messageOf } from "./ask";

/** Something that the page asks for when a reader wants it. */
export class Later<Value> {
  value = $state.raw<Value | null>(null);
  loading = $state(false);
  /** What went wrong with the last question. */
  error = $state("");
  private pending: AbortController | null = null;

  /** Ask; the old value stays until the new one is there. An earlier question that is not answered yet is given up. */
  async ask(work: (signal: AbortSignal) => Promise<Value>): Promise<void> {
    this.giveUp();
    const pending = (this.pending = new AbortController());
    this.loading = true;
    this.error = "";
    try {
      const value = await work(pending.signal);
      if (this.pending === pending) this.value = value;
    } catch (error) {
      if (this.pending === pending) this.error = messageOf(error, t("live_gone"));
    } finally {
      if (this.pending === pending) this.giveUp();
    }
  }

  /** Wait for no answer any more; the server then stops computing it. */
  giveUp(): void {
    this.pending?.abort();
    this.pending = null;
    this.loading = false;
  }
}

import { t } from "../text/language.svelte";
import { messageOf } from "./ask";

/** Something that the page asks for when a reader wants it. */
export class Later<Value> {
  value = $state.raw<Value | null>(null);
  loading = $state(false);
  /** What went wrong with the last question. */
  error = $state("");
  private asked = 0;

  /** Ask; the old value stays until the new one is there, and an answer that comes too late is dropped. */
  async ask(work: () => Promise<Value>): Promise<void> {
    const number = ++this.asked;
    this.loading = true;
    this.error = "";
    try {
      const value = await work();
      if (number === this.asked) this.value = value;
    } catch (error) {
      if (number === this.asked) this.error = messageOf(error, t("live_gone"));
    } finally {
      if (number === this.asked) this.loading = false;
    }
  }
}

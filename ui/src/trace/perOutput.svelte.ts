import { SvelteMap } from "svelte/reactivity";
import { messageOf } from "../live/ask";
import { t } from "../text/language.svelte";

interface Measured {
  outputs: { position: number }[];
}

/** Numbers about each output: a file has all of them, a live page asks for those that are looked at. */
export class PerOutput<M extends Measured> {
  private readonly known = new SvelteMap<number, M["outputs"][number]>();
  /** What all outputs have in common. */
  common = $state.raw<M | null>(null);
  private last = $state.raw<M["outputs"][number] | undefined>();
  loading = $state(false);
  error = $state("");
  private wanted = -1;

  constructor(
    measured: M | null,
    private readonly ask?: (position: number) => Promise<M>,
  ) {
    if (measured) this.keep(measured);
  }

  /** An output, or the one that was known last while the answer is on its way. */
  at(position: number): M["outputs"][number] | undefined {
    return this.known.get(position) ?? this.last;
  }

  /** Ask for an output that is not known. */
  async want(position: number): Promise<void> {
    this.wanted = position;
    this.error = "";
    if (!this.known.has(position) && this.ask) {
      this.loading = true;
      try {
        this.keep(await this.ask(position));
      } catch (error) {
        if (position === this.wanted) this.error = messageOf(error, t("live_gone"));
      }
      if (position !== this.wanted) return;
      this.loading = false;
    }
    this.last = this.known.get(position) ?? this.last;
  }

  private keep(measured: M): void {
    this.common = measured;
    for (const output of measured.outputs) this.known.set(output.position, output);
  }
}

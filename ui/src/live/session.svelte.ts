import { place } from "../state/place.svelte";
import { linkSecond } from "../trace/comparison";
import { firstAttention, firstRow } from "../trace/first";
import { readTrace, type Trace } from "../trace/trace";
import type { Content, LiveFacts, TextRequest } from "../trace/types";
import { t } from "../text/language.svelte";
import { stopsOf } from "../views/stops";
import { ask, messageOf } from "./ask";
import { Loader } from "./loader.svelte";
import { LiveText } from "./liveText.svelte";
import { explainOutputs } from "./outputs";

/** What the page shows, and in a live page what it asks the model. */
class Session {
  name = "";
  /** Null in a file, which cannot ask. */
  facts = $state.raw<LiveFacts | null>(null);
  trace = $state.raw<Trace | null>(null);
  /** What the reader is writing. */
  request = $state<TextRequest>({ text: "", target: "", to: "", source_language: "", head: "", max_new: 8 });
  /** Of a page that compares two texts, the second one. */
  secondText = $state("");
  loading = $state(false);
  error = $state("");

  async start(content: Content): Promise<void> {
    this.name = content.name;
    this.facts = content.live ?? null;
    this.request.source_language = content.live?.source_language ?? "";
    if (content.trace) await this.open(content);
    if (location.hash) place.read(location.hash);
    this.checkStop();
  }

  /** Ask for the trace of the reader's text and show it. */
  async show(): Promise<void> {
    this.trace?.live?.giveUp();
    this.trace?.comparison?.second.live?.giveUp();
    await this.wait(async () => this.open(await this.askForTraces()));
  }

  private askForTraces(): Promise<Content> {
    if (!this.facts?.compares) return ask<Content>("trace", { text: this.request });
    const text = this.facts.compares === "texts" ? this.secondText : this.request.text;
    return ask<Content>("compare", { first: this.request, second: { ...this.request, text } });
  }

  private async open(content: Content): Promise<void> {
    const trace = await readTrace(content);
    await linkSecond(trace, content);
    if (trace.comparison && !this.trace) place.stop = "compare";
    if (content.request) this.request = { ...content.request };
    if (content.second?.request) this.secondText = content.second.request.text;
    this.connect(trace, content, trace.comparison ? 0 : null);
    if (trace.comparison) this.connect(trace.comparison.second, content.second!, 1);
    if (this.facts?.compares === "texts") {
      trace.live!.second = this.secondText;
      trace.comparison!.second.live!.second = this.request.text;
    }
    if (!trace.attentions.includes(place.attention)) place.attention = firstAttention(trace);
    place.row = firstRow(trace);
    place.col = -1;
    this.trace = trace;
    this.checkStop();
  }

  /** Let a trace ask the model for more; in a file it cannot. */
  private connect(trace: Trace, content: Content, model: number | null): void {
    if (!this.facts || !content.request) return;
    const writes = trace.prediction?.kind === "lm" && trace.target !== null;
    trace.live = new LiveText(content.request, model, writes);
    explainOutputs(trace, trace.live);
    if (content.trace!.sizes) trace.loader = new Loader(trace, trace.live);
  }

  /** Go to the first stop if the trace has none of the address. */
  private checkStop(): void {
    const stops = this.trace ? stopsOf(this.trace) : [];
    if (stops.length && !stops.some((stop) => stop.id === place.stop)) place.stop = stops[0].id;
  }

  private async wait(work: () => Promise<void>): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    this.error = "";
    try {
      await work();
    } catch (error) {
      this.error = messageOf(error, t("live_gone"));
    } finally {
      this.loading = false;
    }
  }
}

export const session = new Session();

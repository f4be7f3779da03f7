import type { HeadEffect, Order, Patches, Prediction, Search, TextRequest } from "../trace/types";
import { ask } from "./ask";
import { siblingOf } from "./examples";
import { Later } from "./later.svelte";
import { Switches } from "./switches.svelte";

/** What a reader chooses of a search: how many texts it keeps, and the tokens that all begin with. */
export interface SearchSettings {
  beam: number;
  prefix: readonly number[];
}

/** A text that the page's model has read, and what can be asked about it. */
export class LiveText {
  readonly effects = new Later<readonly HeadEffect[]>();
  readonly search = new Later<Search>();
  readonly order = new Later<Order>();
  readonly lens = new Later<readonly Prediction[]>();
  readonly patches = new Later<Patches>();
  readonly switches: Switches;
  settings = $state.raw<SearchSettings>({ beam: 0, prefix: [] });
  /** The last search that chose its first tokens itself. */
  freeSearch = $state.raw<Search | null>(null);

  /** The text whose states are put into the run of this one. */
  second = $state("");

  /** model: of a page that compares, 0 or 1. writes: whether the model wrote what its decoder reads. */
  constructor(
    readonly request: TextRequest,
    private readonly model: number | null,
    writes: boolean,
  ) {
    this.second = siblingOf(request.text);
    this.switches = new Switches((kind, off) => this.ask(kind, { off }), writes && !request.target);
  }

  /** Ask something about this text; see Python's `explorer/respond.py`. */
  ask<Reply>(kind: string, more: object = {}, signal?: AbortSignal): Promise<Reply> {
    const model = this.model === null ? {} : { model: this.model };
    return ask<Reply>(kind, { text: this.request, ...model, ...more }, signal);
  }

  /** Measure what each head and sublayer does. */
  measureParts(): Promise<void> {
    return this.effects.ask(async (signal) => (await this.ask<{ effects: HeadEffect[] }>("effects", {}, signal)).effects);
  }

  /** Read what the model would predict after each layer, if it is not known yet. */
  async readLayers(): Promise<void> {
    if (this.lens.value || this.lens.loading) return;
    await this.lens.ask(async (signal) => (await this.ask<{ lens: Prediction[] }>("lens", {}, signal)).lens);
  }

  /** Search again; a beam of 0 is left to the model. */
  searchWith(change: Partial<SearchSettings>): Promise<void> {
    const settings = (this.settings = { ...this.settings, ...change });
    return this.search.ask(async (signal) => {
      const { search } = await this.ask<{ search: Search }>("search", { search: settings }, signal);
      if (!search.forced) this.freeSearch = search;
      return search;
    });
  }

  /** Compare a text with another one of the same tokens, or, without one, with itself backwards. */
  compareOrders(text: string, other: string): Promise<void> {
    const request = { ...this.request, text };
    return this.order.ask(async (signal) => (await this.ask<{ order: Order }>("order", { text: request, other }, signal)).order);
  }

  /** Put the states of the second text into the run of this one. */
  patchWith(): Promise<void> {
    return this.patches.ask((signal) => this.ask<Patches>("patch", { other: this.second }, signal));
  }

  /** Wait for none of these answers any more, because another text is asked for. */
  giveUp(): void {
    for (const later of [this.effects, this.search, this.order, this.lens, this.patches]) later.giveUp();
  }
}

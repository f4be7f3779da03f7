import type { HeadEffect, Order, Patches, Search, TextRequest } from "../trace/types";
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
  readonly patches = new Later<Patches>();
  readonly switches: Switches;
  settings = $state.raw<SearchSettings>({ beam: 0, prefix: [] });
  /** The last search that chose its first tokens itself. */
  freeSearch = $state.raw<Search | null>(null);

  /** The text whose states are put into the run of this one. */
  second = $state("");

  constructor(
    readonly request: TextRequest,
    writes: boolean,
  ) {
    this.second = siblingOf(request.text);
    this.switches = new Switches(request, writes);
  }

  /** Measure what each head and sublayer does. */
  measureParts(): Promise<void> {
    return this.effects.ask(async () => (await ask<{ effects: HeadEffect[] }>("effects", this.request)).effects);
  }

  /** Search again; a beam of 0 is left to the model. */
  searchWith(change: Partial<SearchSettings>): Promise<void> {
    const settings = (this.settings = { ...this.settings, ...change });
    return this.search.ask(async () => {
      const { search } = await ask<{ search: Search }>("search", this.request, { search: settings });
      if (!search.forced) this.freeSearch = search;
      return search;
    });
  }

  /** Compare a text with another one of the same tokens, or, without one, with itself backwards. */
  compareOrders(text: string, other: string): Promise<void> {
    const request = { ...this.request, text };
    return this.order.ask(async () => (await ask<{ order: Order }>("order", request, { other })).order);
  }

  /** Put the states of the second text into the run of this one. */
  patchWith(): Promise<void> {
    return this.patches.ask(() => ask<Patches>("patch", this.request, { other: this.second }));
  }
}

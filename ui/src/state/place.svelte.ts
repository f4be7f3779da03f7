import type { StopId } from "../views/stops";

/** Where the reader is, kept in the address so that a place can be shared and the back button works. */
class Place {
  stop = $state<StopId>("map");
  /** Of a page that compares: 0 for its first trace, 1 for its second. */
  trace = $state(0);
  /** The stop before this one, if the reader came from one. */
  cameFrom: StopId | null = null;
  /** Path of an attention, such as `encoder.layers.0.attention`. */
  attention = $state("");
  head = $state(0);
  /** Token of the queries, and of the keys: -1 until one is chosen, for the one that is looked at most. */
  row = $state(0);
  col = $state(-1);

  get address(): string {
    const { stop, attention, head, row, col, trace } = this;
    const numbers = { head: `${head}`, row: `${row}`, ...(col < 0 ? {} : { col: `${col}` }), ...(trace ? { trace: `${trace}` } : {}) };
    return `#${new URLSearchParams({ stop, attention, ...numbers })}`;
  }

  read(address: string): void {
    const values = new URLSearchParams(address.slice(1));
    this.stop = (values.get("stop") ?? this.stop) as StopId;
    this.attention = values.get("attention") ?? this.attention;
    for (const name of ["head", "row", "col", "trace"] as const)
      if (values.has(name)) this[name] = Math.max(0, Number.parseInt(values.get(name)!, 10) || 0);
  }

  go(stop: StopId, change: Partial<Pick<Place, "attention" | "head" | "row" | "col">> = {}): void {
    Object.assign(this, change, { stop, cameFrom: this.stop });
    this.keep("pushState");
  }

  /** Show the other trace in the same place. */
  show(trace: number): void {
    this.trace = trace;
    this.keep("replaceState");
  }

  select(row: number, col: number): void {
    this.row = row;
    this.col = col;
    this.keep("replaceState");
  }

  /** Write the place into the address. A page in a notebook's frame has none of its own. */
  private keep(how: "pushState" | "replaceState"): void {
    if (location.protocol !== "about:") history[how](null, "", this.address);
  }
}

export const place = new Place();

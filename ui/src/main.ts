import "./app.css";
import { mount } from "svelte";
import App from "./App.svelte";
import Fault from "./Fault.svelte";
import { place } from "./state/place.svelte";
import { firstRow } from "./trace/first";
import { readTrace } from "./trace/trace";
import { stopsOf } from "./views/stops";
import { theme } from "./state/theme.svelte";

const target = document.getElementById("app")!;

async function start(): Promise<void> {
  const trace = await readTrace(JSON.parse(document.getElementById("content")!.textContent!));
  place.attention = trace.attentions[0] ?? "";
  place.row = firstRow(trace);
  if (location.hash) place.read(location.hash);
  const stops = stopsOf(trace);
  if (!stops.some((stop) => stop.id === place.stop)) place.stop = stops[0].id;
  mount(App, { target, props: { trace } });
}

document.documentElement.dataset.theme = theme.current;
start().catch((error: unknown) => mount(Fault, { target, props: { detail: String(error) } }));

import "./app.css";
import { mount } from "svelte";
import Fault from "./Fault.svelte";
import Shown from "./Shown.svelte";
import { place } from "./state/place.svelte";
import { linkSecond } from "./trace/comparison";
import { firstAttention, firstRow } from "./trace/first";
import { readTrace } from "./trace/trace";
import { stopsOf } from "./views/stops";
import { theme } from "./state/theme.svelte";

const target = document.getElementById("app")!;

async function start(): Promise<void> {
  const content = JSON.parse(document.getElementById("content")!.textContent!);
  const trace = await readTrace(content);
  await linkSecond(trace, content);
  if (trace.comparison) place.stop = "compare";
  place.attention = firstAttention(trace);
  place.row = firstRow(trace);
  if (location.hash) place.read(location.hash);
  const stops = stopsOf(trace);
  if (!stops.some((stop) => stop.id === place.stop)) place.stop = stops[0].id;
  mount(Shown, { target, props: { trace } });
}

document.documentElement.dataset.theme = theme.current;
start().catch((error: unknown) => mount(Fault, { target, props: { detail: String(error) } }));

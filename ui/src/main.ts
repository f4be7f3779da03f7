import "./app.css";
import { mount } from "svelte";
import Fault from "./Fault.svelte";
import { session } from "./live/session.svelte";
import Page from "./Page.svelte";
import { theme } from "./state/theme.svelte";

const target = document.getElementById("app")!;

async function start(): Promise<void> {
  await session.start(JSON.parse(document.getElementById("content")!.textContent!));
  mount(Page, { target });
}

document.documentElement.dataset.theme = theme.current;
start().catch((error: unknown) => mount(Fault, { target, props: { detail: String(error) } }));

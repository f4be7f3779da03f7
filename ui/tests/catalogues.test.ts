import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { en, type Key } from "../src/text/en";
import { zh } from "../src/text/zh";

const SOURCE = join(import.meta.dirname, "../src");
const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter(
  (name) => /\.(svelte|ts)$/.test(name) && !/text\/(en|zh)\.ts$/.test(name),
);
const code = files.map((name) => readFileSync(join(SOURCE, name), "utf8")).join("\n");
const quoted = new Set([...code.matchAll(/"(\w+)"/g)].map((match) => match[1]));
const patterns = [...code.matchAll(/`(\w+_)\$\{[^`]*?\}(\w*)`/g)].map((match) => new RegExp(`^${match[1]}.+${match[2]}$`));

describe("catalogues", () => {
  test("every message is used", () => {
    const unused = Object.keys(en).filter((key) => !quoted.has(key) && !patterns.some((pattern) => pattern.test(key)));
    expect(unused).toEqual([]);
  });

  test("both languages have the same messages with the same values", () => {
    expect(Object.keys(zh)).toEqual(Object.keys(en));
    const names = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort();
    for (const key of Object.keys(en) as Key[]) expect(names(zh[key]), key).toEqual(names(en[key]));
  });

  test("no component writes markup from a text", () => {
    expect(code).not.toMatch(/\{@html|innerHTML/);
  });
});

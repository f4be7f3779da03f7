import { language } from "./language.svelte";

/** At most three significant digits, with the separators of the language. */
export function number(value: number, digits = 3): string {
  if (value === -Infinity) return "−∞";
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size > 0 && (size < 1e-3 || size >= 1e6)) return scientific(value);
  const format = new Intl.NumberFormat(language.current, {
    maximumSignificantDigits: digits,
    signDisplay: "negative",
  });
  return format.format(value).replace("-", "−");
}

/** Two decimals; what is too small for them is below or above the least, not 0. */
export function decimal(value: number, decimals = 2): string {
  const least = 10 ** -decimals;
  if (value === 0 || Math.abs(value) >= least / 2) return fixed(value, decimals);
  return value > 0 ? `<${fixed(least, decimals)}` : `>${fixed(-least, decimals)}`;
}

/** A fixed number of decimals, where small numbers are compared. */
export function fixed(value: number, decimals = 2): string {
  const format = new Intl.NumberFormat(language.current, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
    signDisplay: "negative",
  });
  return Number.isFinite(value) ? format.format(value).replace("-", "−") : number(value);
}

/** 0.814 as 81%. */
export function percent(value: number): string {
  const format = new Intl.NumberFormat(language.current, { style: "percent", signDisplay: "negative" });
  return format.format(value).replace("-", "−");
}

/** 5,227,008 as 5.2 M. */
export function count(value: number): string {
  const format = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  return format.format(value).replace(/([KMB])$/, " $1").replace("K", "k");
}

function scientific(value: number): string {
  const [mantissa, exponent] = value.toExponential(1).split("e");
  const raised = [...String(Number(exponent))].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"["0123456789".indexOf(c)] ?? "⁻");
  return `${mantissa.replace("-", "−")} × 10${raised.join("")}`;
}

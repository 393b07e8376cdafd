/** Numbers as people read them, with their metric's unit. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const precise = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
const tenths = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });
/** Units whose values are shares of one. */
const SHARES = new Set(["ratio", "fraction", "share"]);

export function isShare(unit: string): boolean {
  return SHARES.has(unit);
}

export function count(value: number): string {
  return Math.abs(value) < 100_000 ? whole.format(value) : compact.format(value);
}

/** "57.5 %", "83.5 min", "1,240 flights"; an en dash for what is not known. */
export function quantity(value: number | null | undefined, unit = ""): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (SHARES.has(unit)) return `${number(value * 100)} %`;
  const text = number(value);
  if (unit === "" || unit === "1" || unit === "none") return text;
  return unit === "percent" ? `${text} %` : `${text} ${unit}`;
}

/** A value on an axis: long units are said once, beside the chart. */
export function tick(value: number | null, unit: string): string {
  if (value === null) return quantity(value);
  return SHARES.has(unit) || unit === "percent" || unit.length <= 3 ? quantity(value, unit) : number(value);
}

export function number(value: number): string {
  const size = Math.abs(value);
  if (size >= 1_000_000) return compact.format(value);
  if (size >= 1000) return whole.format(value);
  return size >= 100 ? tenths.format(value) : precise.format(value);
}

/** "512 B", "20 kB", "1.5 GB": by thousands, as files are listed. */
export function fileSize(bytes: number): string {
  const step = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${precise.format(bytes / 1000 ** step)} ${["B", "kB", "MB", "GB", "TB"][step]}`;
}

/** "1 alert", "2 alerts". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

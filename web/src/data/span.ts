/** Stretches of time that pages ask points for. */
import type { Span } from "./frameworks";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Ends are rounded up to this, so that opening a page twice asks the same question. */
const GRAIN_MS = 300_000;
/** Steps that divide days, in seconds. */
const STEPS = [1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];
/** As many points as a chart has room to show. */
const WANTED = 700;

export const RANGES = [
  ["1", "24 h"],
  ["7", "7 d"],
  ["30", "30 d"],
  ["90", "90 d"],
  ["365", "1 y"],
] as const;
export type RangeDays = (typeof RANGES)[number][0];

/** Hours of forecast that a range has room for: the past stays the larger part. */
export const AHEAD: Record<RangeDays, number> = { 1: 12, 7: 48, 30: 72, 90: 0, 365: 0 };

export function daysUntilNow(days: number, now = Date.now()): Span {
  const to = Math.ceil(now / GRAIN_MS) * GRAIN_MS;
  return between(to - days * DAY_MS, to);
}

/** A trigger with enough before and after it to see what was normal. */
export function around(from: string, to: string | null, now = Date.now()): Span {
  const start = Date.parse(from);
  const end = to === null ? now : Date.parse(to);
  const margin = Math.max(12 * HOUR_MS, (end - start) * 0.6);
  const floor = Math.floor((start - margin) / GRAIN_MS) * GRAIN_MS;
  const ceiling = Math.ceil(Math.min(now, end + margin) / GRAIN_MS) * GRAIN_MS;
  return between(floor, ceiling);
}

function between(from: number, to: number): Span {
  const ideal = (to - from) / 1000 / WANTED;
  const step = STEPS.find((size) => size >= ideal) ?? DAY_MS / 1000;
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString(), step };
}

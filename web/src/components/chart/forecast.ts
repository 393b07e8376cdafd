/** A forecast as lines of a chart: the expected value, and the edges of its bands from wide to narrow. */
import type uPlot from "uplot";
import type { Forecast } from "@/api/types";
import { isShare } from "@/format/number";
import type { ChartLine } from "./time-chart";

type Hour = Forecast["points"][number];
type Edge = Exclude<keyof Hour, "timestamp">;

const EDGES: readonly Edge[] = [
  "value",
  "lower_95",
  "upper_95",
  "lower_80",
  "upper_80",
  "lower_50",
  "upper_50",
];
const HOUR_S = 3600;
/** How strongly each band is drawn, from wide to narrow; they lie upon each other. */
const STRENGTH = [9, 11, 14] as const;

/** What a value can be at all. The method does not know it, and a share of −20 % would be nonsense. */
export interface Bounds {
  least: number;
  most: number;
}

export function boundsOf(measured: readonly { value: number }[], unit: string): Bounds {
  const negative = measured.some(({ value }) => value < 0);
  const least = negative ? -Infinity : 0;
  return { least, most: isShare(unit) && measured.every(({ value }) => value <= 1) ? 1 : Infinity };
}

export function forecastLines(points: readonly Hour[], { least, most }: Bounds): ChartLine[] {
  return EDGES.map((edge) => ({
    label: edge === "value" ? "Forecast" : edge,
    step: HOUR_S,
    points: points.flatMap((hour) => {
      const said = hour[edge];
      // A night in which nothing is ever measured has no forecast either.
      if (said === null) return [];
      const value = Math.min(most, Math.max(least, said));
      return [{ timestamp: hour.timestamp, value, min: value, max: value, count: 1 }];
    }),
  }));
}

/** How they are drawn, in the same order. The widest band may leave the picture: it must not flatten it. */
export function forecastSeries(colour: string): uPlot.Series[] {
  return EDGES.map((edge) =>
    edge === "value"
      ? { label: "Forecast", stroke: colour, width: 1.5, dash: [5, 4], points: { show: false } }
      : { label: edge, width: 0, points: { show: false }, auto: !edge.endsWith("95") },
  );
}

/** The bands between the edges; `first` is the place of the expected value among all series. */
export function forecastBands(first: number, fill: (percent: number) => string): uPlot.Band[] {
  return STRENGTH.map((percent, index) => ({
    series: [first + 2 + 2 * index, first + 1 + 2 * index],
    fill: fill(percent),
  }));
}

import type { ChartLine } from "./time-chart";

/** null breaks the line; undefined only says that this line has no point at that time. */
export type Column = (number | null | undefined)[];

export interface Aligned {
  /** Seconds since 1970, ascending, without repeats. */
  times: number[];
  /** One per line, as long as `times`. */
  columns: Column[];
  /** Lowest and highest value behind each point of the first line. */
  lowest: Column;
  highest: Column;
}

/** This many usual distances without a point are a gap that is shown as one. */
const GAP = 3;

/** Lines with their own timestamps, on one common axis of time. */
export function align(lines: readonly ChartLine[]): Aligned {
  const moments = new Set<number>();
  const stops = lines.map(({ points, step }) => {
    const at = points.map(({ timestamp }) => Date.parse(timestamp) / 1000);
    // What is measured hourly has no gap because it is asked for by the quarter of an hour.
    const usual = Math.max(step, usualDistance(at));
    const gaps = at.filter((moment, index) => (at[index + 1] ?? moment) - moment > GAP * usual);
    const breaks = gaps.map((moment) => moment + usual);
    for (const moment of [...at, ...breaks]) moments.add(moment);
    return { at, breaks };
  });
  const times = [...moments].sort((a, b) => a - b);
  const place = new Map(times.map((moment, index) => [moment, index]));
  const column = (line: number, pick: (point: ChartLine["points"][number]) => number): Column => {
    const values: Column = new Array<number | null | undefined>(times.length).fill(undefined);
    const { at, breaks } = stops[line] ?? { at: [], breaks: [] };
    for (const moment of breaks) values[place.get(moment) ?? -1] = null;
    lines[line]?.points.forEach((point, index) => {
      const position = place.get(at[index] ?? NaN);
      if (position !== undefined) values[position] = pick(point);
    });
    return values;
  };
  return {
    times,
    columns: lines.map((_line, index) => column(index, ({ value }) => value)),
    lowest: column(0, ({ min }) => min),
    highest: column(0, ({ max }) => max),
  };
}

/** The median time between neighbours, in seconds. */
function usualDistance(at: readonly number[]): number {
  const distances = at.slice(1).map((moment, index) => moment - (at[index] ?? moment));
  return distances.sort((a, b) => a - b)[Math.floor(distances.length / 2)] ?? 0;
}

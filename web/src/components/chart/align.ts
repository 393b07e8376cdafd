import { instantReader } from "@/format/instant";
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
/** As many distances tell what is usual. */
const LOOKED_AT = 1_000;

/** Lines with their own timestamps, on one common axis of time. */
export function align(lines: readonly ChartLine[]): Aligned {
  const [only] = lines;
  return lines.length === 1 && only !== undefined ? alone(only) : together(lines);
}

/** One line needs no common axis: its points are taken as they come, a hundred thousand at once. */
function alone({ points, step }: ChartLine): Aligned {
  const at = secondsOf(points);
  const usual = Math.max(step, usualDistance(at));
  const times: number[] = [];
  const values: Column = [];
  const lowest: Column = [];
  const highest: Column = [];
  let before = Infinity;
  points.forEach((point, index) => {
    const moment = at[index] ?? NaN;
    if (moment - before > GAP * usual) {
      times.push(before + usual);
      values.push(null);
      lowest.push(null);
      highest.push(null);
    }
    times.push(moment);
    values.push(point.value);
    lowest.push(point.min);
    highest.push(point.max);
    before = moment;
  });
  return { times, columns: [values], lowest, highest };
}

function together(lines: readonly ChartLine[]): Aligned {
  const moments = new Set<number>();
  const stops = lines.map(({ points, step }) => {
    const at = secondsOf(points);
    // What is measured hourly has no gap because it is asked for by the quarter of an hour.
    const usual = Math.max(step, usualDistance(at));
    const gaps = at.filter((moment, index) => (at[index + 1] ?? moment) - moment > GAP * usual);
    const breaks = gaps.map((moment) => moment + usual);
    for (const moment of at) moments.add(moment);
    for (const moment of breaks) moments.add(moment);
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

function secondsOf(points: ChartLine["points"]): number[] {
  const read = instantReader();
  return points.map(({ timestamp }) => read(timestamp));
}

/** The median time between neighbours, in seconds. */
function usualDistance(at: readonly number[]): number {
  const few = at.slice(0, LOOKED_AT);
  const distances = few.slice(1).map((moment, index) => moment - (few[index] ?? moment));
  return distances.sort((a, b) => a - b)[Math.floor(distances.length / 2)] ?? 0;
}

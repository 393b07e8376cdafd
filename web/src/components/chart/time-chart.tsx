import { useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Forecast, Point, Severity } from "@/api/types";
import { useTheme } from "@/components/theme";
import { useZone } from "@/components/time";
import { quantity, tick } from "@/format/number";
import { align } from "./align";
import { boundsOf, forecastBands, forecastLines, forecastSeries } from "./forecast";
import { legend } from "./legend";

export interface ChartLine {
  label: string;
  points: readonly Point[];
  /** Seconds between points, as the server chose it. */
  step: number;
}

export interface Threshold {
  value: number;
  severity: Severity;
  label: string;
}

/** A stretch of time in which something fired; without an end it still does. */
export interface Episode {
  from: string;
  to: string | null;
  severity: Severity;
}

export interface TimeChartProps {
  /** What the chart shows, for those who cannot see it. */
  label: string;
  lines: readonly ChartLine[];
  unit: string;
  from: string;
  to: string;
  thresholds?: readonly Threshold[];
  episodes?: readonly Episode[];
  tall?: boolean;
  /** What is expected after the last point, of a chart with one line. */
  forecast?: Forecast | undefined;
  /** Charts with the same key show the same moment under the pointer. */
  together?: string;
}

const NO_THRESHOLDS: readonly Threshold[] = [];
const NO_EPISODES: readonly Episode[] = [];

export default function TimeChart(props: TimeChartProps) {
  const { lines, unit, from, to, thresholds = NO_THRESHOLDS, episodes = NO_EPISODES, together } = props;
  const forecast = props.forecast === undefined || props.forecast.points.length === 0 ? null : props.forecast;
  const holder = useRef<HTMLDivElement>(null);
  const theme = useTheme();
  const zone = useZone();
  const { data, began } = useMemo(
    () => ({
      began: performance.now(),
      data: align(
        forecast === null
          ? lines
          : [...lines, ...forecastLines(forecast.points, boundsOf(lines[0]?.points ?? [], unit))],
      ),
    }),
    [lines, forecast, unit],
  );

  const { label } = props;
  const description = useMemo(
    () => describe({ label, lines, unit, thresholds, forecast }),
    [label, lines, unit, thresholds, forecast],
  );

  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const colour = palette(element);
    const ahead = forecast === null ? [] : forecastSeries(colour("series-1"));
    const fill = (percent: number) => faded(colour("series-1"), percent);
    const after = 1 + lines.length + ahead.length;
    const now = forecast === null ? null : Date.parse(forecast.as_of) / 1000;
    const band = lines.length === 1 && (lines[0]?.points.some(({ count }) => count > 1) ?? false);
    const options: uPlot.Options = {
      width: element.clientWidth,
      height: element.clientHeight,
      padding: [10, 12, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      legend: { show: false },
      cursor: {
        y: false,
        points: { size: 7 },
        ...(together !== undefined && { sync: { key: together } }),
        drag: { x: false, y: false },
      },
      scales: {
        x: { time: true, range: () => [Date.parse(from) / 1000, Date.parse(to) / 1000] },
        y: { range: (_plot, low, high) => spread(low, high, thresholds) },
      },
      axes: [
        {
          stroke: colour("muted"),
          font: FONT,
          grid: { show: false },
          ticks: { stroke: colour("line"), size: 4 },
          size: onlyDays(from, to) ? 26 : 38,
          values: TIMES,
        },
        {
          stroke: colour("muted"),
          font: FONT,
          size: (_plot, values) => 16 + 6.4 * Math.max(2, ...(values ?? []).map((value) => value.length)),
          grid: { stroke: colour("line"), width: 1 },
          ticks: { show: false },
          gap: 8,
          values: (_plot, splits) => splits.map((split) => tick(split, unit)),
          space: 34,
        },
      ],
      series: [
        {},
        ...lines.map(({ label, points }, index): uPlot.Series => ({
          label,
          stroke: colour(`series-${(index % 5) + 1}`),
          width: 1.5,
          points: { show: points.length === 1 },
          spanGaps: false,
        })),
        ...ahead,
        ...(band
          ? [
              { ...EDGE, label: "min" },
              { ...EDGE, label: "max" },
            ]
          : []),
      ],
      bands: [
        ...(ahead.length > 0 ? forecastBands(1 + lines.length, fill) : []),
        ...(band ? [{ series: [after + 1, after], fill: fill(14) } as uPlot.Band] : []),
      ],
      hooks: {
        drawClear: [(plot) => drawEpisodes(plot, episodes, now, colour)],
        draw: [
          (plot) => drawThresholds(plot, thresholds, colour),
          (plot) => now !== null && drawNow(plot, now, colour("line-strong")),
        ],
        ready: [() => measure(began)],
      },
      plugins: [legend({ lines: lines.length, forecast: ahead.length > 0, unit, zone })],
    };
    const columns = band ? [...data.columns, data.lowest, data.highest] : data.columns;
    const plot = new uPlot(options, [data.times, ...columns] as uPlot.AlignedData, element);
    const observer = new ResizeObserver(() => {
      plot.setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [data, began, lines, forecast, unit, from, to, thresholds, episodes, together, theme, zone]);

  return <div ref={holder} role="img" aria-label={description} className="absolute inset-0" />;
}

const FONT = '11px Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", sans-serif';
const EDGE: uPlot.Series = { width: 0, points: { show: false } };

/** Increment in seconds, label, and what is added where the year, day or hour changes; 24 h clock. */
const TIMES: uPlot.Axis.Values = [
  [31_536_000, "{YYYY}", null, null, null, null, null, null, 1],
  [2_419_200, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [86_400, "{D} {MMM}", null, null, null, null, null, null, 1],
  [3600, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
  [60, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
];

/** Whether the marks of time are days of a few months: one line of text, without the year. */
function onlyDays(from: string, to: string): boolean {
  const days = (Date.parse(to) - Date.parse(from)) / 86_400_000;
  return days > 4 && days < 100;
}

/** From points in hand to points on the screen; `make web-speed` reads it. */
function measure(began: number): void {
  performance.clearMeasures(DRAWN);
  performance.measure(DRAWN, { start: began, end: performance.now() });
}

const DRAWN = "chart drawn";

function palette(element: Element): (name: string) => string {
  const style = getComputedStyle(element);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

function faded(colour: string, percent: number): string {
  return colour.replace(")", ` / ${percent}%)`);
}

/** Room above and below, and every threshold in sight unless it would flatten the line. */
function spread(low: number | null, high: number | null, thresholds: readonly Threshold[]): [number, number] {
  let [from, to] = [low ?? 0, high ?? 1];
  const reach = Math.max(to - from, Math.abs(to) * 0.05, 1e-9);
  for (const { value } of thresholds) {
    if (value > to && value - to < reach * 3) to = value;
    if (value < from && from - value < reach * 3) from = value;
  }
  const room = Math.max(to - from, Math.abs(to) * 0.02, 1e-9) * 0.08;
  // Counts and shares start at zero: a cut axis makes small changes look large.
  return [from >= 0 && from < (to - from) * 0.6 ? 0 : from - room, to + room];
}

/** What still fires does so until now, not into the forecast. */
function drawEpisodes(
  plot: uPlot,
  episodes: readonly Episode[],
  now: number | null,
  colour: (name: string) => string,
): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { from, to, severity } of episodes) {
    const left = plot.valToPos(Date.parse(from) / 1000, "x", true);
    const end = to === null ? now : Date.parse(to) / 1000;
    const right = end === null ? bbox.left + bbox.width : plot.valToPos(end, "x", true);
    const width = Math.max(2 * devicePixelRatio, right - left);
    // On a year hundreds are a hair wide: as strongly drawn as one, they would hide the line.
    ctx.fillStyle = faded(colour(severity), right - left < 4 * devicePixelRatio ? 6 : 14);
    ctx.fillRect(left, bbox.top, width, bbox.height);
    ctx.fillStyle = colour(severity);
    ctx.fillRect(left, bbox.top, width, 2 * devicePixelRatio);
  }
  ctx.restore();
}

/** Where the past ends. */
function drawNow({ ctx, bbox, valToPos }: uPlot, now: number, colour: string): void {
  const x = Math.round(valToPos(now, "x", true)) + 0.5;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

function drawThresholds(
  plot: uPlot,
  thresholds: readonly Threshold[],
  colour: (name: string) => string,
): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const { value, severity } of thresholds) {
    const y = Math.round(plot.valToPos(value, "y", true)) + 0.5;
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.strokeStyle = colour(severity);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

interface Described extends Pick<TimeChartProps, "label" | "lines" | "unit"> {
  thresholds: readonly Threshold[];
  forecast: Forecast | null;
}

function describe({ label, lines, unit, thresholds, forecast }: Described): string {
  const parts = lines.map(({ label: name, points }) => {
    const newest = points.at(-1);
    if (newest === undefined) return `${name}: no points`;
    let [least, most] = [Infinity, -Infinity];
    for (const { value } of points) {
      if (value < least) least = value;
      if (value > most) most = value;
    }
    return `${name}: last ${quantity(newest.value, unit)}, between ${quantity(least, unit)} and ${quantity(most, unit)}`;
  });
  const limits = thresholds.map(({ value, label: name }) => `${name} at ${quantity(value, unit)}`);
  const expected = forecast?.points.at(-1);
  const ahead = expected === undefined ? [] : [`Expected at the end: ${quantity(expected.value, unit)}`];
  return [label, ...parts, ...ahead, ...limits].join(". ");
}

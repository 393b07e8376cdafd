import { describe, expect, it } from "vitest";
import { align } from "@/components/chart/align";
import { boundsOf, forecastBands, forecastLines, forecastSeries } from "@/components/chart/forecast";
import { instantReader } from "@/format/instant";

const hour = (timestamp: string, value: number | null) => ({
  timestamp,
  value,
  lower_50: value === null ? null : value - 1,
  upper_50: value === null ? null : value + 1,
  lower_80: value === null ? null : value - 2,
  upper_80: value === null ? null : value + 2,
  lower_95: value === null ? null : value - 3,
  upper_95: value === null ? null : value + 3,
});
const free = { least: -Infinity, most: Infinity };

describe("a forecast in a chart", () => {
  const points = [hour("2026-01-31T00:00:00Z", 5), hour("2026-01-31T01:00:00Z", null)];

  it("is the expected value and the edges of three bands, with nothing where nothing is expected", () => {
    const lines = forecastLines(points, free);
    expect(lines.map((line) => line.points.map(({ value }) => value))).toEqual([
      [5],
      [2],
      [8],
      [3],
      [7],
      [4],
      [6],
    ]);
    expect(forecastSeries("red")).toHaveLength(lines.length);
  });

  it("has bands between a lower and an upper edge", () => {
    const names = ["x", "line", ...forecastSeries("red").map(({ label }) => String(label))];
    for (const { series } of forecastBands(2, String)) {
      const [upper, lower] = series.map((index) => names[index] ?? "");
      expect(upper?.replace("upper", "lower")).toBe(lower);
      expect(upper).toMatch(/^upper/);
    }
  });

  it("stays where values can be", () => {
    expect(boundsOf([{ value: 0.2 }], "ratio")).toEqual({ least: 0, most: 1 });
    expect(boundsOf([{ value: 2 }], "ratio")).toEqual({ least: 0, most: Infinity });
    expect(boundsOf([{ value: -2 }], "min")).toEqual({ least: -Infinity, most: Infinity });
    const [, lowest] = forecastLines(points, { least: 4, most: 6 });
    expect(lowest?.points[0]?.value).toBe(4);
  });

  it("follows the measured line on one axis", () => {
    const measured = {
      label: "m",
      step: 3600,
      points: [{ timestamp: "2026-01-30T23:00:00Z", value: 1, min: 1, max: 1, count: 1 }],
    };
    const { times, columns } = align([measured, ...forecastLines(points, free)]);
    expect(times).toHaveLength(2);
    expect(columns[0]).toEqual([1, undefined]);
    expect(columns[1]).toEqual([undefined, 5]);
  });
});

describe("instants by the hundred thousand", () => {
  it.each([
    "2026-01-31T12:00:05Z",
    "2024-02-29T23:59:59.5Z",
    "2026-01-31T12:00:05.123456+00:00",
    "2026-01-31T12:00:05+02:00",
    "1999-12-31T00:00:00.001Z",
  ])("%s is read as Date.parse reads it", (at) => {
    expect(instantReader()(at)).toBeCloseTo(Date.parse(at) / 1000, 2);
  });

  it("are read one after the other, over midnight", () => {
    const read = instantReader();
    expect(read("2026-01-31T23:59:59Z") + 1).toBe(read("2026-02-01T00:00:00Z"));
  });
});

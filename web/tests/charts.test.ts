import { describe, expect, it } from "vitest";
import { align } from "@/components/chart/align";
import { around, daysUntilNow } from "@/data/span";

const point = (minute: number, value: number) => ({
  timestamp: new Date(minute * 60_000).toISOString(),
  value,
  min: value - 1,
  max: value + 1,
  count: 2,
});

describe("lines on one axis of time", () => {
  it("share their moments and keep their own values", () => {
    const one = { label: "one", step: 60, points: [point(0, 1), point(1, 2)] };
    const two = { label: "two", step: 60, points: [point(1, 5), point(2, 6)] };
    const { times, columns, lowest, highest } = align([one, two]);
    expect(times).toEqual([0, 60, 120]);
    expect(columns).toEqual([
      [1, 2, undefined],
      [undefined, 5, 6],
    ]);
    expect(lowest).toEqual([0, 1, undefined]);
    expect(highest).toEqual([2, 3, undefined]);
  });

  it("break where points are missing", () => {
    const points = [0, 1, 2, 3, 10, 11].map((minute) => point(minute, minute));
    const { times, columns } = align([{ label: "one", step: 60, points }]);
    expect(times).toEqual([0, 60, 120, 180, 240, 600, 660]);
    expect(columns[0]).toEqual([0, 1, 2, 3, null, 10, 11]);
  });

  it("do not break because a line is measured less often than it is asked for", () => {
    const points = [0, 60, 120, 180].map((minute) => point(minute, minute));
    expect(align([{ label: "hourly", step: 900, points }]).columns).toEqual([[0, 60, 120, 180]]);
  });
});

describe("spans", () => {
  const now = Date.parse("2026-01-31T12:03:00Z");

  it("end on a grain and ask for about as many points as a chart shows", () => {
    expect(daysUntilNow(1, now)).toEqual({
      from: "2026-01-30T12:05:00.000Z",
      to: "2026-01-31T12:05:00.000Z",
      step: 300,
    });
    expect(daysUntilNow(365, now).step).toBe(86_400);
  });

  it("show what was normal around a trigger, and nothing of the future", () => {
    const { from, to } = around("2026-01-31T10:00:00Z", null, now);
    expect(Date.parse(from)).toBeLessThanOrEqual(Date.parse("2026-01-30T22:00:00Z"));
    expect(to).toBe("2026-01-31T12:05:00.000Z");
  });
});

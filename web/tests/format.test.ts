import { describe, expect, it } from "vitest";
import { dayOf, startOfDay } from "@/format/days";
import { count, fileSize, plural, quantity, tick } from "@/format/number";
import { duration, exact, lasted, parseDuration, relative, utc } from "@/format/time";
import { byUrgency, labelText, ruleName, ruleText, title } from "@/format/words";
import { trigger } from "./support/triggers";

const now = Date.parse("2026-01-31T12:00:00Z");
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();

describe("times", () => {
  it.each([
    [0, "now"],
    [-20, "now"],
    [42, "42 s ago"],
    [300, "5 min ago"],
    [3 * 3600 + 1700, "3 h ago"],
    [2 * 86_400, "2 d ago"],
    [40 * 86_400, "22 Dec 2025"],
    [-120, "in 2 min"],
  ])("%i seconds ago is %s", (seconds, text) => {
    expect(relative(ago(seconds), now, "UTC")).toBe(text);
  });

  it("are exact in the member's zone and in UTC", () => {
    expect(exact("2026-01-31T12:00:05Z", "America/New_York")).toBe("31 Jan 2026, 07:00:05");
    expect(utc("2026-01-31T12:00:05.123Z")).toBe("2026-01-31 12:00:05 UTC");
    expect(exact("2026-01-31T12:00:05Z", "Nowhere/AtAll")).toBe("31 Jan 2026, 12:00:05");
  });

  it.each([
    [0, "0 s"],
    [59, "59 s"],
    [3600, "1 h"],
    [3900, "1 h 5 min"],
    [90_061, "1 d 1 h"],
  ])("%i seconds last %s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
    expect(lasted(ago(seconds), now)).toBe(text);
  });

  it.each([
    ["90s", 90],
    ["2h30m", 9000],
    ["1d", 86_400],
    ["0s", 0],
    ["15", 15],
    ["2 h", 7200],
    ["", null],
    ["soon", null],
    ["h2", null],
  ])("%s is written for %s seconds", (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it("days begin at the zone's midnight, across clock changes too", () => {
    expect(startOfDay("2026-01-31", "America/New_York")).toBe("2026-01-31T05:00:00Z");
    expect(startOfDay("2026-03-08", "America/New_York", 1)).toBe("2026-03-09T04:00:00Z");
    expect(startOfDay("2026-01-31", "Asia/Kolkata")).toBe("2026-01-30T18:30:00Z");
    expect(startOfDay("", "UTC")).toBe("");
  });

  it.each(["America/New_York", "Asia/Kolkata", "Pacific/Auckland", "UTC"])(
    "days in %s come back as written",
    (zone) => {
      for (const day of ["2026-01-01", "2026-03-08", "2026-03-29", "2026-07-15", "2026-11-01"]) {
        expect(dayOf(startOfDay(day, zone), zone)).toBe(day);
        expect(dayOf(startOfDay(day, zone, 1), zone, -1)).toBe(day);
      }
    },
  );
});

describe("numbers", () => {
  it.each<[number | null, string, string]>([
    [0.575, "ratio", "57.5 %"],
    [83.456, "min", "83.5 min"],
    [1240, "flights", "1,240 flights"],
    [100_000, "", "100,000"],
    [2_340_000, "", "2.3M"],
    [0.00012345, "s", "0.000123 s"],
    [12, "percent", "12 %"],
    [null, "min", "–"],
    [NaN, "", "–"],
  ])("%s in %s reads %s", (value, unit, text) => {
    expect(quantity(value, unit)).toBe(text);
  });

  it("axes leave long units out", () => {
    expect(tick(30, "flights")).toBe("30");
    expect(tick(0.2, "ratio")).toBe("20 %");
  });

  it("counts agree with their noun", () => {
    expect([plural(1, "metric"), plural(2, "metric"), plural(2, "series", "series")]).toEqual([
      "1 metric",
      "2 metrics",
      "2 series",
    ]);
    expect(count(123_456)).toBe("123.5K");
  });
});

describe("words", () => {
  const sense = {
    aggregate: "mean",
    window: "2h",
    for: "2h",
    threshold_value: 0.2,
    change_percentage: 10,
  } as const;
  it.each([
    [{ ...sense, type: "threshold", condition: "above" }, "mean over 2h is above 20 % for 2h"],
    [{ ...sense, type: "threshold", condition: "changes_by", for: "0s" }, "mean over 2h changes by 10 %"],
    [{ ...sense, type: "anomaly", condition: "above", for: "0s" }, "unusual, on the high side"],
    [{ ...sense, type: "anomaly", condition: "changes_by", for: "0s" }, "unusual"],
    [
      { ...sense, type: "performance", condition: "below", for: "0s" },
      "mean over 2h worse than usual by 10 %",
    ],
    [{ ...sense, type: "milestone", condition: "above" }, "reaches 20 %"],
  ] as const)("a rule of %o", (rule, text) => {
    expect(ruleText(rule, "ratio")).toBe(text);
  });

  it("names and labels", () => {
    expect(title("on_time_rate")).toBe("On time rate");
    expect(labelText({ origin: "EWR", carrier: "UA" })).toBe("origin=EWR, carrier=UA");
  });

  it.each([
    ["Newark: many cancellations", "Many cancellations"],
    ["Newark - long delays", "Long delays"],
    ["Newarkish things", "Newarkish things"],
    ["Newark", "Newark"],
    ["Many cancellations", "Many cancellations"],
  ])("%s beside Newark is %s", (rule_name, text) => {
    expect(ruleName({ rule_name, framework_name: "Newark" })).toBe(text);
  });

  it("the most urgent comes first", () => {
    const order = [
      trigger({ id: "new critical", opened_at: "2026-01-31T12:00:00Z" }),
      trigger({ id: "old critical", opened_at: "2026-01-30T12:00:00Z" }),
      trigger({ id: "seen critical", state: "acknowledged", opened_at: "2026-01-31T13:00:00Z" }),
      trigger({ id: "warning", severity: "warning", opened_at: "2026-01-31T14:00:00Z" }),
    ];
    expect(order.toReversed().sort(byUrgency)).toEqual(order);
  });
});

it.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1 kB"],
  [1_234_567, "1.23 MB"],
  [52_400_000_000, "52.4 GB"],
  [3e16, "30,000 TB"],
])("a file of %i bytes has %s", (bytes, text) => {
  expect(fileSize(bytes)).toBe(text);
});

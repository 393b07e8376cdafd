import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

type Rgb = readonly [number, number, number];

/** OKLCH as CSS writes it → linear sRGB, by Ottosson's matrices. */
function linear(text: string): Rgb {
  const found = /^oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)$/.exec(text);
  if (found === null) throw new Error(`not an opaque oklch colour: ${text}`);
  const [lightness, chroma, hue] = found.slice(1).map(Number) as [number, number, number];
  const angle = (hue * Math.PI) / 180;
  const [a, b] = [chroma * Math.cos(angle), chroma * Math.sin(angle)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clamp = (value: number) => Math.min(1, Math.max(0, value));
  return [
    clamp(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    clamp(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    clamp(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** WCAG 2.2 contrast ratio. */
function contrast(one: string, other: string): number {
  const luminance = ([red, green, blue]: Rgb) => 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  const [low, high] = [luminance(linear(one)), luminance(linear(other))].sort((a, b) => a - b) as [
    number,
    number,
  ];
  return (high + 0.05) / (low + 0.05);
}

const css = readFileSync(new URL("../src/styles/tokens.css", import.meta.url), "utf8");

function theme(name: "light" | "dark"): Record<string, string> {
  const block = css.split(`:root[data-theme="${name}"] {`)[1]?.split("\n}")[0] ?? "";
  return Object.fromEntries(
    [...block.matchAll(/--([\w-]+): (oklch\([^)/]+\));/g)].map(([, key, value]) => [key, value]),
  );
}

const grounds = ["ground", "surface", "sunken"];
const text = ["ink", "muted"].flatMap((ink) => grounds.map((ground) => [ink, ground] as const));
const tinted = ["critical", "warning", "info", "good"].flatMap(
  (kind) =>
    [
      [`${kind}-ink`, `${kind}-tint`],
      [`${kind}-ink`, "surface"],
      [`${kind}-ink`, "ground"],
    ] as const,
);
const graphics = [
  "critical",
  "warning",
  "info",
  "good",
  "accent",
  "line-strong",
  "series-1",
  "series-2",
  "series-3",
  "series-4",
  "series-5",
];

describe.each(["light", "dark"] as const)("the %s theme meets WCAG AA", (name) => {
  const colours = theme(name);
  const ratio = (one: string, other: string) => contrast(colours[one] ?? "", colours[other] ?? "");

  it.each([
    ...text,
    ...tinted,
    ["accent", "surface"],
    ["accent", "ground"],
    ["accent", "accent-tint"],
    ["on-accent", "accent"],
    ["ground", "ink"],
  ] as const)("text %s on %s", (ink, ground) => {
    expect(ratio(ink, ground)).toBeGreaterThanOrEqual(4.5);
  });

  it.each(graphics)("graphic %s on the surface", (kind) => {
    expect(ratio(kind, "surface")).toBeGreaterThanOrEqual(3);
  });
});

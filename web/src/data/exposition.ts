/** Convex's own metrics out of Prometheus' text format. */

export interface Figures {
  /** The sum of a metric over its labels; null when there is none of that name. */
  total: (name: string) => number | null;
  /** The mean of a histogram; null before the first observation. */
  mean: (name: string) => number | null;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{.*\})? (\S+)/;

export function readExposition(text: string): Figures {
  const sums = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name, value] = LINE.exec(line) ?? [];
    if (name === undefined || value === undefined || name.endsWith("_bucket")) continue;
    sums.set(name, (sums.get(name) ?? 0) + Number(value));
  }
  const total = (name: string) => sums.get(name) ?? null;
  return {
    total,
    mean: (name) => {
      const number = total(`${name}_count`);
      const sum = total(`${name}_sum`);
      return number === null || sum === null || number === 0 ? null : sum / number;
    },
  };
}

/** Instants and durations as people read them. Instants come as ISO 8601 in UTC. */

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** "now", "42 s ago", "5 min ago", "3 h ago", "2 d ago", then the date. */
export function relative(at: string, now: number, zone: string): string {
  const seconds = Math.round((now - Date.parse(at)) / 1000);
  const size = Math.abs(seconds);
  // Clocks differ by some seconds: what has just happened is not in the future.
  if (seconds < 5 && seconds > -30) return "now";
  if (size > 30 * DAY) return date(at, zone);
  const text =
    size < MINUTE
      ? `${size} s`
      : size < HOUR
        ? `${Math.floor(size / MINUTE)} min`
        : size < DAY
          ? `${Math.floor(size / HOUR)} h`
          : `${Math.floor(size / DAY)} d`;
  return seconds >= 0 ? `${text} ago` : `in ${text}`;
}

/** "31 Jan 2026, 13:00:05" in a zone. */
export function exact(at: string, zone: string): string {
  return formatter("exact", zone).format(Date.parse(at));
}

/** "31 Jan 2026" in a zone. */
export function date(at: string | number, zone: string): string {
  return formatter("date", zone).format(typeof at === "string" ? Date.parse(at) : at);
}

/** "13:00:05" in a zone. */
export function clock(at: string, zone: string): string {
  return formatter("clock", zone).format(Date.parse(at));
}

/** "2026-01-31 12:00:05 UTC", for hover and copying. */
export function utc(at: string): string {
  return new Date(at)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, " UTC");
}

/** "1 h 5 min", "42 s": the two largest parts. */
export function lasted(from: string, to: string | number): string {
  const end = typeof to === "string" ? Date.parse(to) : to;
  return duration(Math.max(0, Math.round((end - Date.parse(from)) / 1000)));
}

export function duration(seconds: number): string {
  const parts: [number, string][] = [
    [Math.floor(seconds / DAY), "d"],
    [Math.floor((seconds % DAY) / HOUR), "h"],
    [Math.floor((seconds % HOUR) / MINUTE), "min"],
    [Math.floor(seconds % MINUTE), "s"],
  ];
  const first = parts.findIndex(([size]) => size > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([size]) => size > 0)
    .map(([size, unit]) => `${size} ${unit}`)
    .join(" ");
}

/** Seconds of a written duration such as "90s", "2h30m" or "7d"; null when it is none. */
export function parseDuration(text: string): number | null {
  const compact = text.trim().replace(/\s+/g, "");
  if (/^\d+(\.\d+)?$/.test(compact)) return Number(compact);
  if (!/^(\d+(\.\d+)?(ms|[smhdw]))+$/.test(compact)) return null;
  const sizes: Record<string, number> = { ms: 0.001, s: 1, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY };
  let total = 0;
  for (const [, size, unit] of compact.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)) {
    total += Number(size) * (sizes[unit ?? ""] ?? 0);
  }
  return total;
}

const styles: Record<string, Intl.DateTimeFormatOptions> = {
  exact: {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  },
  date: { day: "numeric", month: "short", year: "numeric" },
  clock: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
};
const formatters = new Map<string, Intl.DateTimeFormat>();

/** Making a formatter is a thousand times dearer than using one. */
function formatter(style: string, zone: string): Intl.DateTimeFormat {
  const key = `${style} ${zone}`;
  let found = formatters.get(key);
  if (found === undefined) {
    found = new Intl.DateTimeFormat("en-GB", { ...styles[style], timeZone: knownZone(zone) });
    formatters.set(key, found);
  }
  return found;
}

function knownZone(zone: string): string {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: zone });
    return zone;
  } catch {
    return "UTC";
  }
}

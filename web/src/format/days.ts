/** Days as a date field writes them ("2026-01-31"), and the instants at which they begin in a zone. */

const DAY_MS = 86_400_000;

/** The instant at which a day (plus `shift` days) begins in the zone; "" for an empty field. */
export function startOfDay(day: string, zone: string, shift = 0): string {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) return "";
  const midnight = Date.parse(`${day}T00:00:00Z`) + shift * DAY_MS;
  // The offset is asked for twice: the first guess may lie on the other side of a clock change.
  const guess = midnight - offset(midnight, zone);
  return new Date(midnight - offset(guess, zone)).toISOString().replace(".000Z", "Z");
}

/** The day (plus `shift` days) of an instant in the zone; "" for none. */
export function dayOf(at: string, zone: string, shift = 0): string {
  const instant = Date.parse(at);
  if (Number.isNaN(instant)) return "";
  return new Date(instant + offset(instant, zone) + shift * DAY_MS).toISOString().slice(0, 10);
}

/** Milliseconds by which the zone's clocks are ahead of UTC. */
function offset(instant: number, zone: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  }).formatToParts(instant);
  const part = (type: Intl.DateTimeFormatPartTypes) =>
    Number(parts.find((each) => each.type === type)?.value);
  const local = Date.UTC(
    part("year"),
    part("month") - 1,
    part("day"),
    part("hour"),
    part("minute"),
    part("second"),
  );
  return local - Math.floor(instant / 1000) * 1000;
}

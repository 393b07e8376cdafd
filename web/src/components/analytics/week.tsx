import { count, plural } from "@/format/number";

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const CELL = 42;
const ROW = 27;
const LEFT = 36;
const TOP = 18;

/** How many in each hour of the week: `cells[weekday][hour]`, Monday first. */
export function Week({ label, cells }: { label: string; cells: readonly (readonly number[])[] }) {
  const most = Math.max(1, ...cells.flat());
  return (
    <svg
      viewBox={`0 0 ${LEFT + 24 * CELL} ${TOP + 7 * ROW}`}
      role="img"
      aria-label={describe(label, cells)}
      className="w-full"
    >
      {[0, 3, 6, 9, 12, 15, 18, 21].map((hour) => (
        <text
          key={hour}
          x={LEFT + hour * CELL + CELL / 2}
          y={11}
          textAnchor="middle"
          fontSize={10}
          fill="var(--muted)"
        >
          {String(hour).padStart(2, "0")}
        </text>
      ))}
      {DAYS.map((day, weekday) => (
        <g key={day}>
          <text x={0} y={TOP + weekday * ROW + ROW / 2 + 4} fontSize={11} fill="var(--muted)">
            {day}
          </text>
          {Array.from({ length: 24 }, (_, hour) => {
            const value = cells[weekday]?.[hour] ?? 0;
            return (
              <rect
                key={hour}
                x={LEFT + hour * CELL + 1}
                y={TOP + weekday * ROW + 1}
                width={CELL - 2}
                height={ROW - 2}
                rx={3}
                fill={value === 0 ? "var(--sunken)" : "var(--series-1)"}
                fillOpacity={value === 0 ? 1 : 0.2 + (0.8 * value) / most}
              >
                <title>{`${day} ${String(hour).padStart(2, "0")}:00: ${plural(value, "alert")}`}</title>
              </rect>
            );
          })}
        </g>
      ))}
    </svg>
  );
}

function describe(label: string, cells: readonly (readonly number[])[]): string {
  let best = [0, 0, 0] as [number, number, number];
  cells.forEach((hours, weekday) =>
    hours.forEach((value, hour) => {
      if (value > best[2]) best = [weekday, hour, value];
    }),
  );
  return best[2] === 0
    ? `${label}: none`
    : `${label}: most on ${DAYS[best[0]] ?? ""} at ${best[1]}:00, ${count(best[2])}`;
}

import { Link } from "react-router";
import type { Simulation } from "@/api/types";
import { SeverityIcon, Tag } from "@/components/badges";
import { At } from "@/components/time";
import { Card, CardHeader } from "@/components/ui/card";
import { count } from "@/format/number";
import { title } from "@/format/words";

/** The past with the settings as they are, and as they would be. */
export function SimulationCard({ found }: { found: Simulation }) {
  const { current, proposed } = found;
  const channels = [...new Set([...Object.keys(current.messages), ...Object.keys(proposed.messages)])];
  const reasons = [
    ...new Set([...Object.keys(current.outcomes), ...Object.keys(proposed.outcomes)]),
  ].toSorted();
  const figures: readonly (readonly [string, number, number])[] = [
    ["Messages", current.total, proposed.total],
    ...channels.map(
      (name) => [`by ${title(name)}`, current.messages[name] ?? 0, proposed.messages[name] ?? 0] as const,
    ),
    ["Alerts that you would hear of", current.firings_told, proposed.firings_told],
    ["Alerts that you would not hear of", current.firings_not_told, proposed.firings_not_told],
    ["Messages at night", current.in_sleep_hours, proposed.in_sleep_hours],
    ["In the busiest hour", current.busiest_hour, proposed.busiest_hour],
    ...reasons.map(
      (name) => [title(name), current.outcomes[name] ?? 0, proposed.outcomes[name] ?? 0] as const,
    ),
  ];
  return (
    <Card className="mt-5">
      <CardHeader
        title={`The last ${found.days} days with these settings`}
        hint={`${count(found.transitions)} changes of alerts replayed, ${count(found.differences)} treated differently`}
      />
      <table className="w-full text-sm">
        <thead>
          <tr className="border-b border-line text-xs text-muted">
            <th className="px-4 py-2 text-left font-medium">Per replay</th>
            <th className="px-4 py-2 text-right font-medium">As it is</th>
            <th className="px-4 py-2 text-right font-medium">As it would be</th>
          </tr>
        </thead>
        <tbody>
          {figures.map(([name, before, after]) => (
            <tr key={name} className="border-b border-line last:border-b-0">
              <th scope="row" className="px-4 py-1.5 text-left font-normal">
                {name}
              </th>
              <td className="numbers px-4 py-1.5 text-right text-muted">{count(before)}</td>
              <td className={`numbers px-4 py-1.5 text-right ${before === after ? "" : "font-semibold"}`}>
                {count(after)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.items.length > 0 && (
        <details className="border-t border-line">
          <summary className="cursor-pointer px-4 py-2.5 text-sm text-accent">Each of them</summary>
          <ul>
            {found.items.map((item) => (
              <li
                key={`${item.transition_id} ${item.channel_kind ?? ""}`}
                className="flex flex-wrap items-start gap-x-3 gap-y-1 border-t border-line px-4 py-2 text-sm"
              >
                <SeverityIcon severity={item.severity} className="mt-0.5" />
                <span className="min-w-0 flex-1 basis-60">
                  <Link to={`/alerts/${item.trigger_id}`} className="rounded font-medium hover:underline">
                    {item.rule}
                  </Link>{" "}
                  <Tag>{title(item.kind)}</Tag>
                  <span className="block text-xs text-muted">
                    <At at={item.at} /> {item.channel_kind !== null && `by ${title(item.channel_kind)}`}
                  </span>
                </span>
                <span className="basis-64 text-xs text-pretty text-muted">
                  {item.current?.explanation ?? "Nothing"} → <br />
                  <span className="text-ink">{item.proposed?.explanation ?? "Nothing"}</span>
                </span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </Card>
  );
}

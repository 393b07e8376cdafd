import type { Score } from "@/api/types";
import { plural, quantity } from "@/format/number";

const SIZE = 220;
const EDGE = 38;

/** What was said against what came true: on the diagonal, a probability means what it says. */
export function Reliability({ score, label }: { score: Score; label: string }) {
  const bins = score.reliability ?? [];
  const at = (share: number) => EDGE + share * (SIZE - EDGE);
  const y = (share: number) => SIZE - EDGE - share * (SIZE - EDGE) + EDGE - 8;
  const most = Math.max(1, ...bins.map(({ n }) => n));
  return (
    <svg
      viewBox={`0 0 ${SIZE + 12} ${SIZE + 18}`}
      role="img"
      aria-label={`${label}. ${bins.map(describe).join("; ")}`}
      className="w-full max-w-72"
    >
      {[0, 0.5, 1].map((mark) => (
        <g key={mark} fontSize={10} fill="var(--muted)">
          <line x1={EDGE} x2={SIZE} y1={y(mark)} y2={y(mark)} stroke="var(--line)" />
          <text x={EDGE - 6} y={y(mark) + 3} textAnchor="end">
            {mark * 100} %
          </text>
          <text x={at(mark)} y={SIZE + 10} textAnchor="middle">
            {mark * 100} %
          </text>
        </g>
      ))}
      <line x1={at(0)} y1={y(0)} x2={at(1)} y2={y(1)} stroke="var(--line-strong)" strokeDasharray="4 4" />
      <polyline
        points={bins.map((bin) => `${at(bin.probability)},${y(bin.observed)}`).join(" ")}
        fill="none"
        stroke="var(--series-1)"
        strokeWidth={1.5}
      />
      {bins.map((bin) => (
        <circle
          key={bin.probability}
          cx={at(bin.probability)}
          cy={y(bin.observed)}
          r={2.5 + 4 * Math.sqrt(bin.n / most)}
          fill="var(--series-1)"
        >
          <title>{describe(bin)}</title>
        </circle>
      ))}
    </svg>
  );
}

function describe({
  probability,
  observed,
  n,
}: {
  probability: number;
  observed: number;
  n: number;
}): string {
  return `said ${quantity(probability, "ratio")}, came true ${quantity(observed, "ratio")} of ${plural(n, "time")}`;
}

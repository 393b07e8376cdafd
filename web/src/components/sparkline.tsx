import { useId } from "react";

interface SparklineProps {
  values: readonly number[];
  label: string;
  className?: string;
}

const WIDTH = 120;
const HEIGHT = 32;
const EDGE = 2;

/** The shape of a metric's recent past; the figure beside it carries the value. */
export function Sparkline({ values, label, className }: SparklineProps) {
  const id = useId();
  if (values.length < 2) return null;
  let lowest = Infinity;
  let highest = -Infinity;
  for (const value of values) {
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  const range = highest - lowest || 1;
  const steps = values.map((value, index) => {
    const x = (index / (values.length - 1)) * (WIDTH - 2 * EDGE) + EDGE;
    const y = HEIGHT - EDGE - ((value - lowest) / range) * (HEIGHT - 2 * EDGE);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const line = `M${steps.join("L")}`;
  const end = steps.at(-1)?.split(",") ?? [];
  return (
    <svg
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
      className={className}
    >
      <defs>
        <linearGradient id={id} x1="0" y1="0" x2="0" y2="1">
          <stop offset="0" stopColor="currentColor" stopOpacity="0.18" />
          <stop offset="1" stopColor="currentColor" stopOpacity="0" />
        </linearGradient>
      </defs>
      <path d={`${line}L${WIDTH - EDGE},${HEIGHT}L${EDGE},${HEIGHT}Z`} fill={`url(#${id})`} />
      <path
        d={line}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinejoin="round"
        vectorEffect="non-scaling-stroke"
      />
      <circle cx={end[0]} cy={end[1]} r="1.8" fill="currentColor" />
    </svg>
  );
}

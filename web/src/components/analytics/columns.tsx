import { count } from "@/format/number";

export interface Stack {
  label: string;
  /** One per name, from the bottom up. */
  values: readonly number[];
}

interface ColumnsProps {
  /** What the chart shows, for those who cannot see it. */
  label: string;
  names: readonly string[];
  /** Names of the palette's colours, one per name. */
  colours: readonly string[];
  stacks: readonly Stack[];
}

const WIDTH = 1080;
const HEIGHT = 250;
const LEFT = 40;
const BOTTOM = 24;

/** Stacked columns, one for each period or group. */
export function Columns({ label, names, colours, stacks }: ColumnsProps) {
  const most = Math.max(1, ...stacks.map(({ values }) => sum(values)));
  const top = ceiling(most);
  const width = (WIDTH - LEFT) / Math.max(1, stacks.length);
  const y = (value: number) => (HEIGHT - BOTTOM) * (1 - value / top) + 4;
  const every = Math.ceil(stacks.length / 10);
  return (
    <figure>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT + 8}`}
        role="img"
        aria-label={describe(label, names, stacks)}
        className="w-full"
      >
        {[0, top / 2, top].map((mark) => (
          <g key={mark}>
            <line x1={LEFT} x2={WIDTH} y1={y(mark)} y2={y(mark)} stroke="var(--line)" />
            <text x={LEFT - 8} y={y(mark) + 4} textAnchor="end" fontSize={11} fill="var(--muted)">
              {count(mark)}
            </text>
          </g>
        ))}
        {stacks.map(({ label: name, values }, index) => {
          const x = LEFT + index * width;
          let below = 0;
          return (
            <g key={name}>
              {values.map((value, part) => {
                const from = below;
                below += value;
                return (
                  value > 0 && (
                    <rect
                      key={names[part]}
                      x={x + width * 0.14}
                      width={width * 0.72}
                      y={y(below)}
                      height={y(from) - y(below)}
                      fill={`var(--${colours[part] ?? "series-1"})`}
                    >
                      <title>{`${name}: ${count(value)} ${names[part] ?? ""}`}</title>
                    </rect>
                  )
                );
              })}
              {index % every === 0 && (
                <text x={x + width / 2} y={HEIGHT} textAnchor="middle" fontSize={11} fill="var(--muted)">
                  {name}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      {names.length > 1 && (
        <figcaption className="mt-1 flex flex-wrap justify-center gap-x-4 text-xs text-muted">
          {names.map((name, part) => (
            <span key={name} className="flex items-center gap-1.5">
              <svg width={9} height={9} aria-hidden>
                <rect width={9} height={9} rx={2} fill={`var(--${colours[part] ?? "series-1"})`} />
              </svg>
              {name}
            </span>
          ))}
        </figcaption>
      )}
    </figure>
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The next "round" number: 1, 2, 4 or 5 times a power of ten; even, so that half of it is whole. */
export function ceiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 4, 5, 10].find((each) => each * power >= value) ?? 10;
  return Math.max(2, factor * power);
}

function describe(label: string, names: readonly string[], stacks: readonly Stack[]): string {
  const totals = names.map(
    (name, part) => `${count(sum(stacks.map(({ values }) => values[part] ?? 0)))} ${name}`,
  );
  const busiest = stacks.reduce<Stack | undefined>(
    (best, stack) => (best === undefined || sum(stack.values) > sum(best.values) ? stack : best),
    undefined,
  );
  const peak = busiest === undefined ? "" : ` Most in ${busiest.label}: ${count(sum(busiest.values))}.`;
  return `${label}: ${totals.join(", ")}.${peak}`;
}

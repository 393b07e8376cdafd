import type uPlot from "uplot";
import { quantity } from "@/format/number";
import { exact } from "@/format/time";

interface LegendOptions {
  lines: number;
  /** Whether a forecast follows the lines: its value, then the edges of its bands from wide to narrow. */
  forecast: boolean;
  unit: string;
  zone: string;
}

/** The values under the pointer, in a small card that stays clear of it. */
export function legend(options: LegendOptions): uPlot.Plugin {
  const card = document.createElement("div");
  card.className =
    "pointer-events-none absolute z-10 hidden font-sans rounded-md border border-line bg-surface px-2 py-1 text-xs whitespace-nowrap shadow-raised numbers";
  return {
    hooks: {
      init: (plot) => plot.over.append(card),
      setCursor: (plot) => {
        const { idx, left = -1 } = plot.cursor;
        if (idx === null || idx === undefined || left < 0) {
          card.classList.add("hidden");
          return;
        }
        card.replaceChildren(...rows(plot, idx, options));
        card.classList.remove("hidden");
        const width = plot.over.clientWidth;
        const before = left > width / 2;
        card.style.left = before ? "" : `${left + 12}px`;
        card.style.right = before ? `${width - left + 12}px` : "";
        card.style.top = "4px";
      },
    },
  };
}

function rows(plot: uPlot, index: number, { lines, forecast, unit, zone }: LegendOptions): HTMLElement[] {
  const moment = plot.data[0][index];
  const at = (series: number) => plot.data[series]?.[index];
  const when = moment === undefined ? "" : exact(new Date(moment * 1000).toISOString(), zone);
  const expected = forecast ? at(lines + 1) : null;
  const ahead = expected !== null && expected !== undefined;
  const values = Array.from({ length: lines }, (_, line) => line + 1)
    .filter((line) => !ahead || (at(line) !== null && at(line) !== undefined))
    .map((line) => {
      const name = lines > 1 ? `${String(plot.series[line]?.label ?? "")}: ` : "";
      return row("font-medium", name + quantity(at(line), unit));
    });
  const outlook = ahead
    ? [
        row("font-medium", `Expected ${quantity(expected, unit)}`),
        row("text-muted", `80 %: ${quantity(at(lines + 4), unit)} – ${quantity(at(lines + 5), unit)}`),
      ]
    : [];
  return [row("text-muted", when), ...values, ...outlook];
}

function row(look: string, text: string): HTMLElement {
  const element = document.createElement("div");
  element.className = look;
  element.textContent = text;
  return element;
}

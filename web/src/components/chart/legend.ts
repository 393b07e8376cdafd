import type uPlot from "uplot";
import { quantity } from "@/format/number";
import { exact } from "@/format/time";

/** The values under the pointer, in a small card that stays clear of it. */
export function legend(lines: number, unit: string, zone: string): uPlot.Plugin {
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
        card.replaceChildren(...rows(plot, idx, lines, unit, zone));
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

function rows(plot: uPlot, index: number, lines: number, unit: string, zone: string): HTMLElement[] {
  const moment = plot.data[0][index];
  const heading = document.createElement("div");
  heading.className = "text-muted";
  heading.textContent = moment === undefined ? "" : exact(new Date(moment * 1000).toISOString(), zone);
  const values = Array.from({ length: lines }, (_, line) => {
    const row = document.createElement("div");
    const name = lines > 1 ? `${String(plot.series[line + 1]?.label ?? "")}: ` : "";
    row.className = "font-medium";
    row.textContent = name + quantity(plot.data[line + 1]?.[index], unit);
    return row;
  });
  return [heading, ...values];
}

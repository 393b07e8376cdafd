/** What a changed trigger does to the lists in the cache: pure functions on plain values. */
import type { Page, Trigger } from "@/api/types";
import { matches, type TriggerFilters } from "./trigger-filters";

export interface Pages {
  pages: Page<Trigger>[];
  pageParams: unknown[];
}

/** An older version never replaces a newer one: answers and events may arrive out of order. */
export function isNewer(incoming: Trigger, known: Trigger): boolean {
  return incoming.version >= known.version;
}

/** The list with the trigger in it (new ones on top), replaced in place, or gone from it. */
export function placeTrigger(list: Pages, trigger: Trigger, filters: TriggerFilters): Pages {
  const belongs = matches(trigger, filters);
  let found = false;
  let changed = false;
  const pages = list.pages.map((page) => {
    const index = page.items.findIndex(({ id }) => id === trigger.id);
    if (index < 0) return page;
    found = true;
    const known = page.items[index];
    if (known === undefined || !isNewer(trigger, known)) return page;
    changed = true;
    const items = belongs
      ? page.items.with(index, trigger)
      : page.items.filter(({ id }) => id !== trigger.id);
    return { ...page, items };
  });
  if (!found && belongs) {
    const [first, ...rest] = pages;
    if (first === undefined) return list;
    changed = true;
    const at = insertionIndex(first.items, trigger);
    // Older than everything on a page that has more after it: it belongs to a page not loaded yet.
    if (at === first.items.length && at > 0 && (first.next_cursor !== null || rest.length > 0)) return list;
    pages[0] = { ...first, items: first.items.toSpliced(at, 0, trigger) };
  }
  return changed ? { ...list, pages } : list;
}

function insertionIndex(items: Trigger[], trigger: Trigger): number {
  const opened = Date.parse(trigger.opened_at);
  const at = items.findIndex((item) => Date.parse(item.opened_at) <= opened);
  return at < 0 ? items.length : at;
}

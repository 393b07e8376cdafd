import { QueryClient } from "@tanstack/react-query";
import { describe, expect, it } from "vitest";
import type { Trigger } from "@/api/types";
import { type Pages, placeTrigger } from "@/data/trigger-cache";
import {
  fromParameters,
  matches,
  NO_FILTERS,
  toParameters,
  type TriggerFilters,
} from "@/data/trigger-filters";
import { applyTrigger, expected, OPEN, rollBack } from "@/data/triggers";
import { trigger } from "./support/triggers";

const at = (hour: number) => `2026-01-31T${String(hour).padStart(2, "0")}:00:00Z`;
const pages = (...lists: Trigger[][]): Pages => ({
  pages: lists.map((items, index) => ({ items, next_cursor: index < lists.length - 1 ? `${index}` : null })),
  pageParams: lists.map(() => null),
});
const ids = (list: Pages) => list.pages.map(({ items }) => items.map(({ id }) => id));

describe("a changed trigger and a list", () => {
  const a = trigger({ id: "a", opened_at: at(12) });
  const b = trigger({ id: "b", opened_at: at(10) });
  const c = trigger({ id: "c", opened_at: at(8) });

  it("a new one goes where its time belongs", () => {
    const list = pages([a, c]);
    expect(ids(placeTrigger(list, trigger({ id: "n", opened_at: at(13) }), OPEN))).toEqual([["n", "a", "c"]]);
    expect(ids(placeTrigger(list, b, OPEN))).toEqual([["a", "b", "c"]]);
    expect(ids(placeTrigger(list, trigger({ id: "o", opened_at: at(1) }), OPEN))).toEqual([["a", "c", "o"]]);
  });

  it("one older than the loaded pages waits for its page", () => {
    const list = pages([a], [b]);
    const old = trigger({ id: "o", opened_at: at(1) });
    expect(placeTrigger(list, old, OPEN)).toBe(list);
  });

  it("one that is in the list is replaced in place", () => {
    const changed = { ...b, state: "acknowledged" as const, version: 2 };
    const list = placeTrigger(pages([a], [b, c]), changed, OPEN);
    expect(ids(list)).toEqual([["a"], ["b", "c"]]);
    expect(list.pages[1]?.items[0]?.state).toBe("acknowledged");
  });

  it("one that no longer fits the filters leaves", () => {
    const resolved = { ...b, state: "resolved" as const, version: 2 };
    expect(ids(placeTrigger(pages([a, b, c]), resolved, OPEN))).toEqual([["a", "c"]]);
  });

  it("an older version changes nothing", () => {
    const list = pages([{ ...a, version: 3, state: "acknowledged" as const }]);
    expect(placeTrigger(list, { ...a, version: 2 }, OPEN)).toBe(list);
  });

  it("one that never fitted changes nothing", () => {
    const list = pages([a]);
    expect(placeTrigger(list, trigger({ id: "h", historical: true }), OPEN)).toBe(list);
  });
});

describe("an optimistic change", () => {
  const me = { id: "u", name: "Ada" };
  const key = ["trigger-list", OPEN];
  const client = (...items: Trigger[]) => {
    const queries = new QueryClient();
    queries.setQueryData(key, pages(items));
    return queries;
  };
  const shown = (queries: QueryClient) => queries.getQueryData<Pages>(key)?.pages[0]?.items ?? [];

  it("acknowledging is seen at once and taken back when refused", () => {
    const before = trigger();
    const queries = client(before);
    applyTrigger(queries, expected(before, "acknowledge", me, at(13)));
    expect(shown(queries)[0]).toMatchObject({ state: "acknowledged", acknowledged_by: me });
    rollBack(queries, before);
    expect(shown(queries)).toEqual([before]);
  });

  it("a resolve that was refused brings the trigger back to its place", () => {
    const first = trigger({ id: "a", opened_at: at(12) });
    const second = trigger({ id: "b", opened_at: at(10) });
    const queries = client(first, second);
    applyTrigger(queries, expected(first, "resolve", me, at(13)));
    expect(shown(queries).map(({ id }) => id)).toEqual(["b"]);
    rollBack(queries, first);
    expect(shown(queries).map(({ id }) => id)).toEqual(["a", "b"]);
  });

  it("taking back leaves alone what the stream changed meanwhile", () => {
    const before = trigger();
    const queries = client(before);
    applyTrigger(queries, expected(before, "acknowledge", me, at(13)));
    applyTrigger(queries, { ...before, value: 0.9, version: 2 });
    rollBack(queries, before);
    expect(shown(queries)[0]).toMatchObject({ value: 0.9, version: 2, state: "firing" });
  });

  it("other triggers are never touched", () => {
    const queries = client(trigger({ id: "a", opened_at: at(12) }), trigger({ id: "b", opened_at: at(10) }));
    const untouched = shown(queries)[1];
    applyTrigger(queries, expected(trigger({ id: "a", opened_at: at(12) }), "acknowledge", me, at(13)));
    expect(shown(queries)[1]).toBe(untouched);
  });
});

describe("filters", () => {
  it.each<[string, Partial<TriggerFilters>, boolean]>([
    ["none", {}, true],
    ["a state among several", { state: ["firing", "resolved"] }, true],
    ["another state", { state: ["resolved"] }, false],
    ["another severity", { severity: ["info"] }, false],
    ["the framework by slug", { framework: "ewr" }, true],
    ["the framework by id", { framework: "f1" }, true],
    ["another framework", { framework: "jfk" }, false],
    ["from before it", { from: "2026-01-31T11:00:00Z" }, true],
    ["from after it", { from: "2026-01-31T12:00:01Z" }, false],
    ["until its own second", { to: "2026-01-31T12:00:00Z" }, false],
    ["only history", { historical: true }, false],
  ])("%s", (_name, filters, fits) => {
    expect(matches(trigger(), { ...NO_FILTERS, ...filters })).toBe(fits);
  });

  it("survive the way through the address", () => {
    const filters: TriggerFilters = {
      state: ["firing", "resolved"],
      severity: ["critical"],
      type: [],
      framework: "ewr",
      rule: "",
      from: "2026-01-01T05:00:00Z",
      to: "",
      historical: false,
    };
    expect(fromParameters(new URLSearchParams(toParameters(filters).toString()))).toEqual(filters);
    expect(fromParameters(new URLSearchParams())).toEqual(NO_FILTERS);
  });
});

import { describe, expect, it } from "vitest";
import { narrowed, possible } from "@/data/bulk";
import { toggled } from "@/data/selection";
import { NO_FILTERS } from "@/data/trigger-filters";
import { OPEN } from "@/data/triggers";

describe("what is done to many at once", () => {
  it.each([
    ["acknowledge", "firing", true],
    ["acknowledge", "acknowledged", false],
    ["acknowledge", "resolved", false],
    ["resolve", "acknowledged", true],
    ["resolve", "resolved", false],
    ["reopen", "resolved", true],
    ["reopen", "firing", false],
  ] as const)("%s of a %s one: %s", (action, state, can) => {
    expect(possible(action, { state })).toBe(can);
  });

  it("asks only for those that the action changes, so that asking again goes on", () => {
    expect(narrowed(OPEN, { action: "acknowledge" })?.state).toEqual(["firing"]);
    expect(narrowed(OPEN, { action: "resolve" })?.state).toEqual(["firing", "acknowledged"]);
    expect(narrowed({ ...NO_FILTERS, type: ["anomaly"] }, { action: "reopen" })).toEqual({
      ...NO_FILTERS,
      type: ["anomaly"],
      state: ["resolved"],
    });
  });

  it("has nothing to do where the filters leave nothing", () => {
    expect(narrowed(OPEN, { action: "reopen" })).toBeNull();
  });

  it("marks whatever the filters find", () => {
    expect(narrowed(OPEN, { action: "feedback", feedback: "actionable" })).toEqual(OPEN);
  });
});

describe("a selection", () => {
  it("takes one in and out, and leaves the old one as it was", () => {
    const one = toggled(new Set(), "a");
    expect([...one]).toEqual(["a"]);
    expect([...toggled(one, "b")]).toEqual(["a", "b"]);
    expect([...toggled(one, "a")]).toEqual([]);
    expect([...one]).toEqual(["a"]);
  });
});

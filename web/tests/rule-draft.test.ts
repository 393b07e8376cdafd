import { describe, expect, it } from "vitest";
import { check, emptyDraft, inputOf, numberOf, type RuleDraft } from "@/data/rule-draft";

const good: RuleDraft = {
  ...emptyDraft("f1"),
  name: " Cancellations ",
  metric_id: "m1",
  threshold_value: "0,2",
};

describe("a rule in the form", () => {
  it("becomes what the API takes", () => {
    expect(check(good)).toEqual({});
    expect(inputOf({ ...good, tags: "ops, snow,", runbook_url: "" })).toMatchObject({
      name: "Cancellations",
      threshold_value: 0.2,
      change_percentage: null,
      recovery_threshold: null,
      tags: ["ops", "snow"],
      channels: [],
      runbook_url: "",
      sensitivity: null,
    });
  });

  it.each<[string, Partial<RuleDraft>, (keyof RuleDraft)[]]>([
    ["no name", { name: " " }, ["name"]],
    ["no metric", { metric_id: "" }, ["metric_id"]],
    ["no threshold", { threshold_value: "" }, ["threshold_value"]],
    ["words for a threshold", { threshold_value: "high" }, ["threshold_value"]],
    ["a change without its size", { condition: "changes_by" }, ["change_percentage"]],
    ["performance without its size", { type: "performance", threshold_value: "" }, ["change_percentage"]],
    ["a window that is no duration", { window: "long" }, ["window"]],
    ["a runbook that is no address", { runbook_url: "javascript:alert(1)" }, ["runbook_url"]],
    ["an anomaly needs no number", { type: "anomaly", threshold_value: "" }, []],
  ])("%s", (_name, change, wrong) => {
    expect(Object.keys(check({ ...good, ...change }))).toEqual(wrong);
  });

  it("reads numbers with a point or a comma", () => {
    expect([numberOf("1.5"), numberOf("1,5"), numberOf(""), numberOf("x"), numberOf("-3")]).toEqual([
      1.5,
      1.5,
      null,
      null,
      -3,
    ]);
  });
});

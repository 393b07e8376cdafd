import { describe, expect, it } from "vitest";
import { SNIPPETS, WAYS } from "@/components/first-snippets";
import { currentStep, proposalFor } from "@/data/first-steps";

describe("the first rule", () => {
  it.each([0.42, 7, 123_456, 0.001])(
    "of a metric at %d keeps it and is broken by what is proposed",
    (value) => {
      const { condition, threshold, firing } = proposalFor(value);
      expect(condition).toBe("below");
      expect(threshold).toBeLessThan(value);
      expect(firing).toBeLessThan(threshold);
    },
  );

  it.each([0, -3])("of a metric at %d looks upwards", (value) => {
    const { condition, threshold, firing } = proposalFor(value);
    expect(condition).toBe("above");
    expect(threshold).toBeGreaterThan(value);
    expect(firing).toBeGreaterThan(threshold);
  });
});

describe("the steps", () => {
  const none = { name: false, point: false, rule: false, fire: false, told: false };
  it("go on with the first that is not done", () => {
    expect(currentStep(none)).toBe("name");
    expect(currentStep({ ...none, name: true, rule: true })).toBe("point");
    expect(currentStep({ name: true, point: true, rule: true, fire: true, told: true })).toBeNull();
  });
});

describe("what to run", () => {
  it.each(WAYS.map(([way]) => way))("by %s names the place and the key", (way) => {
    const text = SNIPPETS[way]({
      origin: "https://convex.example",
      key: "cvx_1",
      slug: "shop",
      metric: "checkout_rate",
      value: 0.1,
    });
    for (const part of ["https://convex.example/api/v1/", "cvx_1", "shop"]) expect(text).toContain(part);
  });
});

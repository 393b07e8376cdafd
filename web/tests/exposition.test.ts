import { describe, expect, it } from "vitest";
import { readExposition } from "@/data/exposition";

const TEXT = `# HELP a_total What it is
# TYPE a_total counter
a_total{state="x y"} 2.0
a_total{state="z"} 3
b_seconds_sum 1.5
b_seconds_bucket{le="1"} 3.0
b_seconds_count 3.0
c_seconds_sum 0.0
c_seconds_count 0.0
`;

describe("Convex's own metrics", () => {
  const figures = readExposition(TEXT);
  it("are summed over their labels", () => {
    expect(figures.total("a_total")).toBe(5);
    expect(figures.total("nothing")).toBeNull();
  });
  it("of a histogram have a mean, once something was observed", () => {
    expect(figures.mean("b_seconds")).toBe(0.5);
    expect(figures.mean("c_seconds")).toBeNull();
    expect(figures.mean("nothing")).toBeNull();
  });
});

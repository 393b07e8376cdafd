import { describe, expect, it } from "vitest";
import { ruleLines } from "@/data/rule-file";

const FILE = `# Alert rules.
rules:
  - name: 'Newark: it''s late'
    framework: ewr
    channels:
      - mail
  - name: Plain
    framework: ewr
    tags:
      - name: not this
  - framework: jfk
    name: "Quo\\"ted"
    metric: wind
`;

describe("one rule of a file", () => {
  it("is its lines, lists included", () => {
    expect(ruleLines(FILE, "Newark: it's late")).toBe(
      "rules:\n  - name: 'Newark: it''s late'\n    framework: ewr\n    channels:\n      - mail\n",
    );
  });

  it("is found when its name is not its first line, and when it is quoted", () => {
    expect(ruleLines(FILE, 'Quo"ted')).toBe(
      'rules:\n  - framework: jfk\n    name: "Quo\\"ted"\n    metric: wind\n',
    );
  });

  it("is none when no rule has the name", () => {
    expect(ruleLines(FILE, "Nothing")).toBeNull();
    expect(ruleLines("rules: []\n", "Nothing")).toBeNull();
  });
});

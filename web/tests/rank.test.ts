import { expect, it } from "vitest";
import { rank } from "@/data/rank";

const names = ["Newark Liberty", "Liberty Street", "Deliberty", "Café Noir", "A+ (plus)"];
const found = (typed: string) => rank(names, typed, (name) => name);

it("puts what begins with it before a word that does, before a part", () => {
  expect(found("lib")).toEqual(["Liberty Street", "Newark Liberty", "Deliberty"]);
});

it("wants every word, in any order", () => {
  expect(found("lib new")).toEqual(["Newark Liberty"]);
});

it("does not mind accents, case or signs", () => {
  expect(found("CAFE")).toEqual(["Café Noir"]);
  expect(found("a+ (")).toEqual(["A+ (plus)"]);
});

it("keeps the order when nothing is typed", () => {
  expect(found(" ")).toEqual(names);
});

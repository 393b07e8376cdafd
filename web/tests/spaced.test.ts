import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { spaced } from "@/data/spaced";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it("carries out wishes together, soon after the first and then at a distance", () => {
  const done: [number, string[]][] = [];
  const start = Date.now();
  const { want } = spaced({ soon: 100, apart: 1_000 }, (wishes) =>
    done.push([Date.now() - start, [...wishes]]),
  );
  want("a");
  want("b");
  want("a");
  vi.advanceTimersByTime(150);
  want("c");
  vi.advanceTimersByTime(500);
  want("d");
  vi.advanceTimersByTime(5_000);
  want("e");
  vi.advanceTimersByTime(100);
  expect(done).toEqual([
    [100, ["a", "b"]],
    [1_100, ["c", "d"]],
    [5_750, ["e"]],
  ]);
});

it("does nothing more once it was stopped", () => {
  const done: string[] = [];
  const { want, stop } = spaced({ soon: 100, apart: 1_000 }, () => done.push("done"));
  want("a");
  stop();
  vi.advanceTimersByTime(5_000);
  expect(done).toEqual([]);
});

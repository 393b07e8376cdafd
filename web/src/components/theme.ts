import { useSyncExternalStore } from "react";

export type ThemeChoice = "system" | "light" | "dark";
export const THEMES: readonly (readonly [ThemeChoice, string])[] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];
const STORED = "convex.theme";

export function chooseTheme(choice: ThemeChoice): void {
  localStorage.setItem(STORED, choice);
  // theme.js, which runs before the first paint, owns what follows from the choice.
  document.dispatchEvent(new Event("convex:theme-choice"));
}

function subscribe(listener: () => void): () => void {
  document.addEventListener("convex:theme", listener);
  return () => document.removeEventListener("convex:theme", listener);
}

export function useThemeChoice(): ThemeChoice {
  return useSyncExternalStore(
    subscribe,
    () => (localStorage.getItem(STORED) as ThemeChoice | null) ?? "system",
  );
}

/** The theme in force; charts draw on a canvas and must be drawn anew when it changes. */
export function useTheme(): "light" | "dark" {
  return useSyncExternalStore(subscribe, () =>
    document.documentElement.dataset["theme"] === "dark" ? "dark" : "light",
  );
}

// Runs before the first paint (and outside the bundle, so that a strict CSP needs no inline script):
// the page never flashes in the wrong theme.
(() => {
  const media = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let choice = "system";
    try {
      choice = localStorage.getItem("convex.theme") || "system";
    } catch {
      // Storage may be blocked: follow the system then.
    }
    const dark = choice === "dark" || (choice === "system" && media.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    document.dispatchEvent(new Event("convex:theme"));
  };
  media.addEventListener("change", apply);
  addEventListener("storage", (event) => event.key === "convex.theme" && apply());
  document.addEventListener("convex:theme-choice", apply);
  apply();
})();

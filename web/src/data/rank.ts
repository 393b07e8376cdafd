/** What fits a few typed letters, the best first; everything, in its order, for none. */
export function rank<T>(items: readonly T[], typed: string, nameOf: (item: T) => string): T[] {
  const words = fold(typed).split(/\s+/).filter(Boolean);
  if (words.length === 0) return [...items];
  return items
    .map((item) => ({ item, score: score(fold(nameOf(item)), words) }))
    .filter(({ score: value }) => value > 0)
    .sort((a, b) => b.score - a.score)
    .map(({ item }) => item);
}

/** Every word must be found: at the start of the name, of one of its words, or anywhere in it. */
function score(name: string, words: readonly string[]): number {
  let total = 0;
  for (const word of words) {
    const at = name.indexOf(word);
    if (at < 0) return 0;
    const startsWord = new RegExp(`(^|[^\\p{L}\\p{N}])${escape(word)}`, "u").test(name);
    total += at === 0 ? 3 : startsWord ? 2 : 1;
  }
  return total + 1 / (1 + name.length);
}

function fold(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

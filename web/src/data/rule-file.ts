/** One rule out of a file of rules: its lines, as they stand there. */

const ITEM = /^(\s*)- /;

/** The lines of the rule with this name, moved to the left margin; null when the file has none. */
export function ruleLines(file: string, name: string): string | null {
  const lines = file.split("\n");
  const starts = lines.flatMap((line, index) => (ITEM.test(line) && isTop(lines, line) ? [index] : []));
  for (const [at, start] of starts.entries()) {
    const block = lines.slice(start, starts[at + 1] ?? lines.length);
    if (block.some((line) => nameOf(line) === name)) return `rules:\n${block.join("\n").trimEnd()}\n`;
  }
  return null;
}

/** Items of a rule's own lists are further to the right than the rules. */
function isTop(lines: readonly string[], line: string): boolean {
  const first = lines.find((each) => ITEM.test(each)) ?? "";
  return indent(first) === indent(line);
}

function indent(line: string): number {
  return ITEM.exec(line)?.[1]?.length ?? -1;
}

function nameOf(line: string): string | null {
  const found = /^\s*(?:- )?name:\s*(.+?)\s*$/.exec(line)?.[1];
  if (found === undefined) return null;
  if (found.startsWith('"')) return unquoted(found);
  return found.startsWith("'") ? found.slice(1, -1).replaceAll("''", "'") : found;
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text.slice(1, -1);
  }
}

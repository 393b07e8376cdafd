/** Which rows of a list are chosen. */
import { useMemo, useState } from "react";

export interface Selection {
  size: number;
  /** Chosen is whatever the filters find, loaded or not. */
  everything: boolean;
  has: (id: string) => boolean;
  toggle: (id: string) => void;
  choose: (ids: readonly string[]) => void;
  chooseEverything: () => void;
  clear: () => void;
}

/** `of` names the list: another list has another selection. */
export function useSelection(of: string): Selection {
  const [{ list, ids, everything }, setState] = useState(() => fresh(of));
  // A changed filter shows other rows: what was chosen among the old ones is forgotten.
  const current = list === of ? ids : NONE;
  const all = list === of && everything;
  return useMemo(
    () => ({
      size: current.size,
      everything: all,
      has: (id) => all || current.has(id),
      toggle: (id) => setState({ list: of, ids: toggled(current, id), everything: false }),
      choose: (chosen) => setState({ list: of, ids: new Set(chosen), everything: false }),
      chooseEverything: () => setState({ list: of, ids: current, everything: true }),
      clear: () => setState(fresh(of)),
    }),
    [current, all, of],
  );
}

const NONE: ReadonlySet<string> = new Set();

function fresh(list: string) {
  return { list, ids: NONE, everything: false };
}

export function toggled(ids: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(ids);
  if (!next.delete(id)) next.add(id);
  return next;
}

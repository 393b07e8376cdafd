/**
 * One tab at a time.
 *
 * Browsers offer locks only on https and localhost. On a plain http address in a local network tabs
 * take turns through localStorage instead: whoever wrote last and still reads itself after a pause
 * has the turn, and a tab that died loses it when its time is up.
 */
export interface Turns {
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  locks?: Pick<LockManager, "request"> | undefined;
}

const NAME = "convex.refresh_lock";
const SETTLE_MS = 40;
const HELD_MS = 10_000;

export async function exclusively<T>({ storage, locks }: Turns, work: () => Promise<T>): Promise<T> {
  if (locks !== undefined) return await locks.request(NAME, work);
  const me = Math.random().toString(36).slice(2);
  while (holder(storage) !== me) {
    if (holder(storage) === null) storage.setItem(NAME, `${me} ${Date.now() + HELD_MS}`);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS * (1 + Math.random())));
  }
  try {
    return await work();
  } finally {
    if (holder(storage) === me) storage.removeItem(NAME);
  }
}

function holder(storage: Turns["storage"]): string | null {
  const [name, until] = (storage.getItem(NAME) ?? "").split(" ");
  return name !== undefined && Number(until) > Date.now() ? name : null;
}

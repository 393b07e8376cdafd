/**
 * Collects wishes and carries them out together: soon after the first one, then at a distance.
 *
 * A member has a thousand requests an hour; a storm of alerts must not spend them.
 */
export function spaced(wait: { soon: number; apart: number }, work: (wishes: ReadonlySet<string>) => void) {
  let wishes = new Set<string>();
  let last = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = () => {
    timer = undefined;
    last = Date.now();
    const wanted = wishes;
    wishes = new Set();
    work(wanted);
  };
  return {
    want(wish: string): void {
      wishes.add(wish);
      timer ??= setTimeout(run, Math.max(wait.soon, last + wait.apart - Date.now()));
    },
    stop(): void {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

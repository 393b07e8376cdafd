import { useSyncExternalStore } from "react";
import { exact, relative, utc } from "@/format/time";
import { useIdentity } from "@/app/identity";

/** One clock for every relative time on the page. */
const TICK_MS = 5_000;
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) now = Date.now();
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** How long ago; on hover the exact time in UTC and in the member's zone. */
export function Ago({ at, className }: { at: string; className?: string }) {
  const zone = useZone();
  const moment = useNow();
  return (
    <time dateTime={at} title={both(at, zone)} className={className}>
      {relative(at, moment, zone)}
    </time>
  );
}

/** The exact time in the member's zone; on hover in UTC. */
export function At({ at, className }: { at: string; className?: string }) {
  const zone = useZone();
  return (
    <time dateTime={at} title={both(at, zone)} className={className}>
      {exact(at, zone)}
    </time>
  );
}

export function useZone(): string {
  const { user, workspace } = useIdentity();
  return user.timezone || workspace.timezone || "UTC";
}

function both(at: string, zone: string): string {
  return zone === "UTC" ? utc(at) : `${utc(at)}\n${exact(at, zone)} ${zone}`;
}

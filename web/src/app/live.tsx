/** The page's one live connection: its events go into the cache, its state into the top bar. */
import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";
import { session } from "@/api/client";
import type { InAppNotification, Trigger } from "@/api/types";
import { FRAMEWORKS } from "@/data/frameworks";
import { receiveNotification } from "@/data/notifications";
import { applyTrigger, refreshTrigger } from "@/data/triggers";
import { spaced } from "@/data/spaced";
import { type LiveEvent, useAlertWebSocket } from "@/live";

/** Bursts reach the page together: at most this often. */
const FLUSH_MS = 80;
/** What an event does not carry is asked for soon after it, and at most this often. */
const COUNTS_MS = { soon: 1_000, apart: 12_000 };
const DETAIL_MS = { soon: 300, apart: 5_000 };
/** How long something that has just arrived is highlighted. */
const FRESH_MS = 3_000;

interface Live {
  state: "live" | "connecting" | "lost";
  problem: string | null;
  reconnect: () => void;
  /** Triggers that arrived in the last seconds. */
  fresh: ReadonlySet<string>;
  /** The latest thing worth announcing. */
  spoken: string;
}

const LiveContext = createContext<Live | null>(null);

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (live === null) throw new Error("useLive is used outside the signed-in part of the page");
  return live;
}

export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const waiting = useRef<LiveEvent[]>([]);
  const timers = useRef<{ flush?: Timer; fresh?: Timer }>({});
  const [refresh] = useState(() => ({
    counts: spaced(COUNTS_MS, () => void client.invalidateQueries({ queryKey: [FRAMEWORKS] })),
    details: spaced(DETAIL_MS, (ids) => ids.forEach((id) => void refreshTrigger(client, id))),
  }));
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  const [spoken, setSpoken] = useState("");
  const connectedBefore = useRef(false);

  const flush = () => {
    delete timers.current.flush;
    const events = waiting.current;
    waiting.current = [];
    // Of several changes of one trigger in a burst only the last one is worth drawing.
    const triggers = new Map<string, Trigger>();
    for (const { type, data } of events) {
      if (type === "alert") triggers.set((data as Trigger).id, data as Trigger);
      if (type === "notification") receiveNotification(client, data as InAppNotification);
    }
    if (triggers.size === 0) return;
    for (const trigger of triggers.values()) {
      applyTrigger(client, trigger);
      refresh.details.want(trigger.id);
    }
    refresh.counts.want("");
    setFresh(new Set(triggers.keys()));
    clearTimeout(timers.current.fresh);
    timers.current.fresh = setTimeout(() => setFresh(new Set()), FRESH_MS);
    const opened = [...triggers.values()].filter(({ state }) => state === "firing");
    const [first] = opened;
    if (first !== undefined) {
      const others = opened.length > 1 ? ` and ${opened.length - 1} more` : "";
      setSpoken(`${first.severity} alert: ${first.rule_name}, ${first.framework_name}${others}`);
    }
  };

  const socket = useAlertWebSocket({
    token: session.token,
    onEvent: (event) => {
      waiting.current.push(event);
      timers.current.flush ??= setTimeout(flush, FLUSH_MS);
    },
    onConnect: () => {
      // What was read before the stream began may have changed in between; later reconnections
      // resume by cursor and have no such gap.
      if (!connectedBefore.current) void client.invalidateQueries();
      connectedBefore.current = true;
    },
    onResync: () => void client.invalidateQueries(),
  });

  useEffect(() => {
    const pending = timers.current;
    return () => {
      for (const timer of Object.values(pending)) clearTimeout(timer);
      refresh.counts.stop();
      refresh.details.stop();
    };
  }, [refresh]);

  const { isConnected, isConnecting, error, connect } = socket;
  const live = useMemo<Live>(
    () => ({
      state: isConnected ? "live" : isConnecting || error === null ? "connecting" : "lost",
      problem: isConnected ? null : (error?.message ?? null),
      reconnect: connect,
      fresh,
      spoken,
    }),
    [isConnected, isConnecting, error, connect, fresh, spoken],
  );
  return <LiveContext value={live}>{children}</LiveContext>;
}

type Timer = ReturnType<typeof setTimeout>;

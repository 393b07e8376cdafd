/** The live stream of alerts: `useAlertWebSocket` for React, `AlertSocket` for everything else. */
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { AlertSocket, type AlertSocketOptions, type LiveState, type TokenSource } from "@/live/socket";

export {
  AlertSocket,
  type AlertSocketOptions,
  LiveError,
  type LiveEvent,
  type LiveState,
  type TokenSource,
} from "@/live/socket";

export interface UseAlertWebSocketOptions extends Omit<AlertSocketOptions, "token"> {
  /** Null: nobody is signed in, so there is no connection. */
  token: TokenSource | null;
  /** Null or left out: every framework of the workspace. */
  frameworkId?: string | null;
}

export interface UseAlertWebSocket extends LiveState {
  connect: () => void;
  disconnect: () => void;
  subscribe: (frameworkId?: string | null, since?: number | null) => void;
  unsubscribe: (frameworkId?: string | null) => void;
}

/** A live connection for as long as the component is shown; wakes up with the page. */
export function useAlertWebSocket(options: UseAlertWebSocketOptions): UseAlertWebSocket {
  const { token, frameworkId = null } = options;
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });

  const [socket] = useState(
    () =>
      new AlertSocket({
        ...options,
        token: token ?? "",
        onAlert: (trigger, event) => latest.current.onAlert?.(trigger, event),
        onNotification: (notification, event) => latest.current.onNotification?.(notification, event),
        onEvent: (event) => latest.current.onEvent?.(event),
        onConnect: () => latest.current.onConnect?.(),
        onError: (error) => latest.current.onError?.(error),
        onResync: () => latest.current.onResync?.(),
      }),
  );
  const state = useSyncExternalStore(socket.observe, socket.getState);

  useEffect(() => {
    socket.subscribe(frameworkId);
    return () => socket.unsubscribe(frameworkId);
  }, [socket, frameworkId]);

  useEffect(() => {
    if (token === null) return socket.disconnect();
    socket.configure({ token });
    socket.connect();
  }, [socket, token]);

  useEffect(() => socket.disconnect, [socket]);

  const wake = useCallback(() => {
    if (document.visibilityState === "visible") socket.probe();
  }, [socket]);
  useEffect(() => {
    window.addEventListener("online", wake);
    document.addEventListener("visibilitychange", wake);
    return () => {
      window.removeEventListener("online", wake);
      document.removeEventListener("visibilitychange", wake);
    };
  }, [wake]);

  const { connect, disconnect, subscribe, unsubscribe } = socket;
  return { ...state, connect, disconnect, subscribe, unsubscribe };
}

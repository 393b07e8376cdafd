/** One cache of everything that was read; live events keep it current. */
import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/problem";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (failures, error) => failures < 3 && worthRetrying(error),
      refetchOnWindowFocus: false,
      networkMode: "always",
    },
    // Without a network an action fails at once and is taken back: kept for later, it would show
    // as done what nobody else knows of.
    mutations: { networkMode: "always" },
  },
});

/** A refusal stays one, and asking again only lengthens a limit; silence and overload may pass. */
function worthRetrying(error: Error): boolean {
  if (!(error instanceof ApiError)) return false;
  return error.status === 0 || error.status >= 500;
}

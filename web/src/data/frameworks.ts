/** Frameworks, their metrics and series, and the points of a series. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { call } from "@/api/client";
import type { Framework, Metric, Page, Points, Series } from "@/api/types";

export const FRAMEWORKS = "frameworks";

export function useFrameworks() {
  return useQuery({
    queryKey: [FRAMEWORKS],
    queryFn: ({ signal }) => allPages<Framework>("/frameworks", {}, signal),
    // An empty workspace waits for its first point, which is no live event.
    refetchInterval: ({ state }) => (state.data?.length === 0 ? 3_000 : false),
  });
}

export function useFramework(id: string) {
  return useQuery({
    queryKey: [FRAMEWORKS, id],
    queryFn: ({ signal }) => call<Framework>(`/frameworks/${id}`, { signal }),
  });
}

export function useMetrics(framework: string) {
  return useQuery({
    queryKey: ["metrics", framework],
    queryFn: ({ signal }) => allPages<Metric>("/metrics", { framework }, signal),
    enabled: framework !== "",
    staleTime: 300_000,
  });
}

/** Every metric's unit by framework and name: triggers and rules name metrics, not units. */
export function useUnits(): (framework_id: string, metric: string) => string {
  const metrics = useQuery({
    queryKey: ["metrics"],
    queryFn: ({ signal }) => allPages<Metric>("/metrics", {}, signal),
    staleTime: 300_000,
    select: (all) => new Map(all.map(({ framework_id, name, unit }) => [`${framework_id} ${name}`, unit])),
  });
  return (framework_id, metric) => metrics.data?.get(`${framework_id} ${metric}`) ?? "";
}

export function useSeries(framework: string) {
  return useQuery({
    queryKey: ["series", framework],
    queryFn: ({ signal }) => allPages<Series>("/series", { framework }, signal),
    enabled: framework !== "",
    staleTime: 300_000,
  });
}

export interface Span {
  from: string;
  to: string;
  /** Seconds per point that the server aims at. */
  step: number;
}

export function pointsQuery(seriesId: number, span: Span) {
  return queryOptions({
    queryKey: ["points", seriesId, span],
    queryFn: ({ signal }) =>
      call<Points>(`/series/${seriesId}/points`, {
        query: { from: span.from, to: span.to, step: `${span.step}s` },
        signal,
      }),
  });
}

export function usePoints(seriesId: number | null, span: Span) {
  return useQuery({ ...pointsQuery(seriesId ?? 0, span), enabled: seriesId !== null });
}

/** Lists that are short by nature, read to their end. */
export async function allPages<T>(
  path: string,
  query: Record<string, string>,
  signal: AbortSignal,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await call<Page<T>>(path, { query: { ...query, limit: 200, cursor }, signal });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null && items.length < 2000);
  return items;
}

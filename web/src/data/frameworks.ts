/** Frameworks, their metrics and series, and the points of a series. */
import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type { Framework, Page } from "@/api/types";

export const FRAMEWORKS = "frameworks";

export function useFrameworks() {
  return useQuery({
    queryKey: [FRAMEWORKS],
    queryFn: ({ signal }) =>
      allPages((query) => unwrap(api.GET("/api/v1/frameworks", { params: { query }, signal }))),
    // A workspace without points waits for its first point, which is no live event.
    // The longer it takes, the less often it is asked: a member's requests are limited by the hour.
    refetchInterval: ({ state }) =>
      state.data === undefined || !isEmpty(state.data) ? false : state.dataUpdateCount < 60 ? 4_000 : 20_000,
  });
}

export function useFramework(id: string) {
  return useQuery({
    queryKey: [FRAMEWORKS, id],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/api/v1/frameworks/{framework}", { params: { path: { framework: id } }, signal })),
  });
}

export function useCreateFramework() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (name: string) =>
      unwrap(api.POST("/api/v1/frameworks", { body: { name, slug: slugOf(name), kind: "custom" } })),
    onSuccess: () => client.invalidateQueries({ queryKey: [FRAMEWORKS] }),
  });
}

/** "São Paulo (GRU)" → "sao-paulo-gru": what points name the framework by. */
export function slugOf(name: string): string {
  const plain = name.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  return plain
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+/, "")
    .slice(0, 60)
    .replace(/-+$/, "");
}

/** Whether nothing at all has been measured yet. */
export function isEmpty(frameworks: readonly Framework[]): boolean {
  return frameworks.every(({ series }) => series === 0);
}

export function useMetrics(framework: string) {
  return useQuery({
    queryKey: ["metrics", framework],
    queryFn: ({ signal }) =>
      allPages((page) =>
        unwrap(api.GET("/api/v1/metrics", { params: { query: { ...page, framework } }, signal })),
      ),
    enabled: framework !== "",
    staleTime: 300_000,
  });
}

/** Every metric's unit by framework and name: triggers and rules name metrics, not units. */
export function useUnits(): (framework_id: string, metric: string) => string {
  const metrics = useQuery({
    queryKey: ["metrics"],
    queryFn: ({ signal }) =>
      allPages((query) => unwrap(api.GET("/api/v1/metrics", { params: { query }, signal }))),
    staleTime: 300_000,
    select: (all) => new Map(all.map(({ framework_id, name, unit }) => [`${framework_id} ${name}`, unit])),
  });
  return (framework_id, metric) => metrics.data?.get(`${framework_id} ${metric}`) ?? "";
}

export function useSeries(framework: string) {
  return useQuery({
    queryKey: ["series", framework],
    queryFn: ({ signal }) =>
      allPages((page) =>
        unwrap(api.GET("/api/v1/series", { params: { query: { ...page, framework } }, signal })),
      ),
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
      unwrap(
        api.GET("/api/v1/series/{series_id}/points", {
          params: {
            path: { series_id: seriesId },
            query: { from: span.from, to: span.to, step: `${span.step}s` },
          },
          signal,
        }),
      ),
  });
}

export function usePoints(seriesId: number | null, span: Span) {
  return useQuery({ ...pointsQuery(seriesId ?? 0, span), enabled: seriesId !== null });
}

/** What a series is expected to do; it changes with the hour. */
export function useForecast(seriesId: number | null, horizon: number) {
  return useQuery({
    queryKey: ["forecast", seriesId, horizon],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/series/{series_id}/forecast", {
          params: { path: { series_id: seriesId ?? 0 }, query: { horizon } },
          signal,
        }),
      ),
    enabled: seriesId !== null && horizon > 0,
    staleTime: 3_600_000,
    refetchInterval: 3_600_000,
  });
}

/** Lists that are short by nature, read to their end. */
export async function allPages<T>(
  read: (page: { limit: number; cursor: string | null }) => Promise<Page<T>>,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await read({ limit: 500, cursor });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null && items.length < MOST_ITEMS);
  return items;
}

const MOST_ITEMS = 5_000;

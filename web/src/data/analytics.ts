/** Figures of alerting, from the marts. */
import { useQuery } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type {
  AnalyticsDistribution,
  AnalyticsPerformance,
  AnalyticsSummary,
  AnalyticsTrends,
  Noise,
} from "@/api/types";

export const DAYS = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
] as const;
export type Days = (typeof DAYS)[number][0];

export interface Question {
  days: Days;
  /** A framework's id; "" for all of them. */
  framework: string;
}

function query({ days, framework }: Question) {
  return { days: Number(days), ...(framework !== "" && { framework }) };
}

/** The marts are built at night: what was read once stays true for a while. */
const FRESH_MS = 300_000;

export function useSummary(question: Question) {
  return useQuery({
    queryKey: ["analytics", "summary", question],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/analytics/summary", { params: { query: query(question) }, signal }),
      ) as Promise<AnalyticsSummary>,
    staleTime: FRESH_MS,
  });
}

export function useTrends(question: Question) {
  const period = question.days === "90" ? "weekly" : "daily";
  return useQuery({
    queryKey: ["analytics", "trends", question],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/analytics/trends", { params: { query: { ...query(question), period } }, signal }),
      ) as Promise<AnalyticsTrends>,
    staleTime: FRESH_MS,
  });
}

export function useDistribution(question: Question) {
  return useQuery({
    queryKey: ["analytics", "distribution", question],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/analytics/distribution", { params: { query: query(question) }, signal }),
      ) as Promise<AnalyticsDistribution>,
    staleTime: FRESH_MS,
  });
}

export function usePerformance(question: Question) {
  return useQuery({
    queryKey: ["analytics", "performance", question.days],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/analytics/performance", {
          params: { query: { days: Number(question.days) } },
          signal,
        }),
      ) as Promise<AnalyticsPerformance>,
    staleTime: FRESH_MS,
  });
}

export function useNoise(question: Question) {
  return useQuery({
    queryKey: ["analytics", "noise", question],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/analytics/noise", { params: { query: query(question) }, signal }),
      ) as Promise<Noise>,
    staleTime: FRESH_MS,
  });
}

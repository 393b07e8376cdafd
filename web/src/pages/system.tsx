import clsx from "clsx";
import type { ReactNode } from "react";
import type { Integration } from "@/api/types";
import { PageTitle } from "@/app/slots";
import { Tag } from "@/components/badges";
import { Failure } from "@/components/states";
import { OwnMetrics } from "@/components/system-metrics";
import { Ago, At } from "@/components/time";
import { Card, CardHeader } from "@/components/ui/card";
import { SkeletonRows } from "@/components/ui/skeleton";
import { useAudit } from "@/data/workspace";
import { useMay } from "@/app/identity";
import { Link } from "react-router";
import { useCacheReport, useIntegrations, useQueues, useSystemHealth } from "@/data/system";
import { count, quantity } from "@/format/number";
import { title } from "@/format/words";

export default function SystemPage() {
  return (
    <>
      <PageTitle>System</PageTitle>
      <div className="mx-auto grid max-w-6xl items-start gap-5 lg:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-5">
          <Health />
          <Integrations />
        </div>
        <div className="flex min-w-0 flex-col gap-5">
          <OwnMetrics />
          <Queues />
          <Cache />
          <Changes />
        </div>
      </div>
    </>
  );
}

interface Asked<T> {
  data: T | undefined;
  isPending: boolean;
  isError: boolean;
  error: Error | null;
  refetch: () => unknown;
}

/** A card around whatever was asked for, in each of its states. */
function Panel<T>({
  name,
  hint,
  asked,
  children,
}: {
  name: string;
  hint: string;
  asked: Asked<T>;
  children: (found: T) => ReactNode;
}) {
  return (
    <Card>
      <CardHeader title={name} hint={hint} />
      {asked.data !== undefined ? (
        children(asked.data)
      ) : asked.isError ? (
        <Failure error={asked.error} retry={() => void asked.refetch()} />
      ) : (
        <SkeletonRows rows={3} />
      )}
    </Card>
  );
}

const row =
  "flex flex-wrap items-center gap-x-4 gap-y-1 border-b border-line px-4 py-2.5 text-sm last:border-b-0";

function Health() {
  return (
    <Panel name="Health" hint="What Convex needs, each with its share" asked={useSystemHealth()}>
      {({ score, status, parts }) => (
        <>
          <p className="flex items-baseline gap-3 px-4 pt-3">
            <span className="numbers text-3xl font-semibold">{score}</span>
            <span className="text-muted">of 100, {status}</span>
          </p>
          <ul className="mt-2">
            {parts.map((part) => (
              <li key={part.name} className={row}>
                <Dot state={part.points === part.weight ? "healthy" : "down"} />
                <span className="min-w-0 flex-1">
                  {title(part.name)}
                  {part.detail !== "" && <span className="block text-muted">{part.detail}</span>}
                </span>
                <span className="numbers text-muted">
                  {part.points} of {part.weight}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

function Queues() {
  return (
    <Panel name="Queues" hint="What waits in this workspace" asked={useQueues()}>
      {({ items }) => (
        <ul>
          {items.map((queue) => (
            <li key={`${queue.queue} ${queue.name}`} className={row}>
              <span className="min-w-0 flex-1">
                {title(queue.queue)} <Tag>{title(queue.name)}</Tag>
              </span>
              <span className="numbers text-muted">
                {count(queue.waiting)} waiting
                {queue.later > 0 && `, ${count(queue.later)} later`}
                {queue.again > 0 &&
                  `, ${count(queue.again)} ${queue.queue === "jobs" ? "at work" : "tried before"}`}
              </span>
              {queue.oldest_at !== null && (
                <span className="text-xs text-muted">
                  oldest <Ago at={queue.oldest_at} />
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Integrations() {
  return (
    <Panel name="Integrations" hint="Who is talked to" asked={useIntegrations()}>
      {({ items }) => (
        <ul>
          {items.map((one) => (
            <li key={`${one.kind} ${one.name}`} className={row}>
              <Dot state={one.state} />
              <span className="min-w-0 flex-1">
                {one.kind === one.name ? (NAMES[one.name] ?? title(one.name)) : one.name}{" "}
                {one.kind !== one.name && <Tag>{title(one.kind)}</Tag>}
                <span className="block text-pretty text-muted">{one.detail}</span>
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Cache() {
  return (
    <Panel name="Cache" hint="Of all workspaces, over the last 24 hours" asked={useCacheReport()}>
      {(report) => (
        <>
          <p className="flex items-baseline gap-3 px-4 pt-3">
            <span className="numbers text-3xl font-semibold">{quantity(report.hit_rate, "ratio")}</span>
            <span className="text-muted">
              of the answers were there
              {report.used_bytes !== null && `, in ${count(Math.round(report.used_bytes / 1024))} kB`}
            </span>
          </p>
          {!report.answers && (
            <p className="px-4 pt-1 text-sm text-warning-ink">
              Redis does not answer: everything is computed, nothing fails.
            </p>
          )}
          <ul className="mt-2">
            {report.caches.map((cache) => (
              <li key={cache.name} className={row}>
                <span className="min-w-0 flex-1">{title(cache.name)}</span>
                <span className="numbers text-muted">
                  {quantity(cache.hit_rate, "ratio")} of {count(cache.requests)}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

const DID = { INSERT: "made", UPDATE: "changed", DELETE: "deleted" } as const;
const NEWEST = 6;

/** The newest entries of the audit trail; only owners may read it. */
function Changes() {
  return useMay("owner") ? <Trail /> : null;
}

function Trail() {
  const audit = useAudit();
  return (
    <Card>
      <CardHeader title="Audit" hint="What was changed last">
        <Link to="/workspace?tab=audit" className="rounded text-sm font-medium text-accent hover:underline">
          All
        </Link>
      </CardHeader>
      {audit.isPending ? (
        <SkeletonRows rows={3} />
      ) : audit.isError ? (
        <Failure error={audit.error} retry={() => void audit.refetch()} />
      ) : (
        <ul>
          {audit.data.pages[0]?.items.slice(0, NEWEST).map(({ sequence, at, user, action, table }) => (
            <li key={sequence} className={row}>
              <span className="min-w-0 flex-1">
                {typeof user?.["name"] === "string" ? user["name"] : "Convex"} {DID[action]}{" "}
                {title(table).toLowerCase()}
              </span>
              <At at={at} className="numbers text-xs text-muted" />
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

const NAMES: Record<string, string> = { oidc: "Sign-in by OpenID", email: "E-mail" };

const dots: Record<Integration["state"], string> = {
  healthy: "bg-good",
  degraded: "bg-warning",
  down: "bg-critical",
  disconnected: "bg-line-strong",
  off: "bg-line-strong",
};

function Dot({ state }: { state: Integration["state"] }) {
  return (
    <span
      role="img"
      aria-label={title(state)}
      className={clsx("size-2 shrink-0 rounded-full", dots[state])}
    />
  );
}

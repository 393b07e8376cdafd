import clsx from "clsx";
import { Check, CheckCheck, Inbox } from "lucide-react";
import { Link, useSearchParams } from "react-router";
import { messageOf } from "@/api/problem";
import type { InAppNotification } from "@/api/types";
import { PageTitle } from "@/app/slots";
import { SeverityIcon } from "@/components/badges";
import { Empty, Failure } from "@/components/states";
import { Ago } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Segmented } from "@/components/ui/segmented";
import { SkeletonRows } from "@/components/ui/skeleton";
import { say } from "@/components/ui/toast";
import { useInbox, useMarkRead, useUnreadCount } from "@/data/notifications";

export default function InboxPage() {
  const [parameters, setParameters] = useSearchParams();
  const only = parameters.get("show") === "unread" ? "unread" : "all";
  const inbox = useInbox(only === "unread");
  const { data: unread = 0 } = useUnreadCount();
  const markRead = useMarkRead();
  const mark = (id: string | null) =>
    markRead.mutate(id, { onError: (error) => say(`Not marked: ${messageOf(error)}`, { bad: true }) });
  const items = inbox.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <PageTitle waiting={unread}>Inbox</PageTitle>
      <div className="mx-auto max-w-4xl">
        <div className="mb-4 flex items-center gap-3">
          <Segmented
            label="Which notifications"
            value={only}
            onChange={(next) => setParameters(next === "all" ? {} : { show: next }, { replace: true })}
            choices={[
              ["all", "All"],
              ["unread", `Unread ${unread > 0 ? unread : ""}`],
            ]}
          />
          <Button className="ml-auto" disabled={unread === 0} onClick={() => mark(null)}>
            <CheckCheck size={15} aria-hidden />
            Mark all as read
          </Button>
        </div>
        <Card>
          {inbox.isPending ? (
            <SkeletonRows />
          ) : inbox.isError ? (
            <Failure error={inbox.error} retry={() => void inbox.refetch()} />
          ) : items.length === 0 ? (
            <Empty icon={Inbox} title={only === "unread" ? "All read" : "Nothing yet"}>
              What you are told about, by your preferences, is kept here too.
            </Empty>
          ) : (
            <ul>
              {items.map((item) => (
                <Row key={item.id} item={item} onRead={() => item.read_at === null && mark(item.id)} />
              ))}
            </ul>
          )}
        </Card>
        {inbox.hasNextPage && (
          <div className="flex justify-center pt-4">
            <Button onClick={() => void inbox.fetchNextPage()} disabled={inbox.isFetchingNextPage}>
              {inbox.isFetchingNextPage ? "Loading…" : "Show older"}
            </Button>
          </div>
        )}
      </div>
    </>
  );
}

function Row({ item, onRead }: { item: InAppNotification; onRead: () => void }) {
  const isNew = item.read_at === null;
  const heading = clsx("block text-pretty", isNew ? "font-semibold" : "font-medium");
  return (
    <li className="relative flex items-start gap-3 border-b border-line px-4 py-3 last:border-b-0 hover:bg-sunken/50">
      <span aria-hidden className={clsx("mt-2 -mr-1 size-1.5 shrink-0 rounded-full", isNew && "bg-accent")} />
      <SeverityIcon severity={item.severity} className="mt-0.5" />
      <div className="min-w-0 flex-1">
        {item.trigger_id === null ? (
          <p className={heading}>{item.title}</p>
        ) : (
          <Link to={`/alerts/${item.trigger_id}`} onClick={onRead} className={clsx(heading, "row-link")}>
            {item.title}
          </Link>
        )}
        <p className="text-sm text-pretty whitespace-pre-line text-muted">{item.body}</p>
      </div>
      <div className="relative flex shrink-0 flex-col items-end gap-1">
        <Ago at={item.created_at} className="text-xs text-muted" />
        {isNew && (
          <Button look="ghost" size="sm" onClick={onRead} aria-label="Mark as read">
            <Check size={14} aria-hidden />
            <span className="max-sm:hidden">Mark as read</span>
          </Button>
        )}
      </div>
    </li>
  );
}

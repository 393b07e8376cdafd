import clsx from "clsx";
import { Plus, Send, Trash2 } from "lucide-react";
import { useState } from "react";
import { messageOf } from "@/api/problem";
import type { Channel, ChannelHealth } from "@/api/types";
import { useMay } from "@/app/identity";
import { Tag } from "@/components/badges";
import { Failure } from "@/components/states";
import { Ago } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { Dialog } from "@/components/ui/dialog";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { say } from "@/components/ui/toast";
import {
  useChannelHealth,
  useChannels,
  useEnableChannel,
  useRemoveChannel,
  useTestChannel,
} from "@/data/channels";
import { count } from "@/format/number";
import { title } from "@/format/words";
import { ChannelForm } from "./channel-form";

const complain = (error: unknown) => say(`Not done: ${messageOf(error)}`, { bad: true });

export function Channels() {
  const may = useMay("editor");
  const health = useChannelHealth();
  const channels = useChannels();
  const [adding, setAdding] = useState(false);
  return (
    <Card>
      <CardHeader title="Channels" hint="How each works, from its deliveries of the last day">
        {may && (
          <Button size="sm" onClick={() => setAdding(true)}>
            <Plus size={13} aria-hidden />
            Add
          </Button>
        )}
      </CardHeader>
      <Dialog title="New channel" open={adding} onClose={() => setAdding(false)}>
        <ChannelForm onDone={() => setAdding(false)} />
      </Dialog>
      {health.isPending ? (
        <SkeletonRows rows={3} />
      ) : health.isError ? (
        <Failure error={health.error} retry={() => void health.refetch()} />
      ) : (
        <ul>
          {health.data.map((state) => (
            <Row
              key={state.channel_id ?? state.name}
              state={state}
              channel={channels.data?.find(({ id }) => id === state.channel_id)}
            />
          ))}
        </ul>
      )}
    </Card>
  );
}

const DOTS = {
  healthy: "bg-good",
  degraded: "bg-warning",
  down: "bg-critical",
  disconnected: "bg-line-strong",
} as const;

function Row({ state, channel }: { state: ChannelHealth; channel: Channel | undefined }) {
  const may = useMay("editor");
  const owner = useMay("owner");
  const test = useTestChannel();
  const enable = useEnableChannel();
  const remove = useRemoveChannel();
  const [sure, setSure] = useState(false);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3 last:border-b-0">
      <span className="min-w-0 flex-1 basis-60">
        <span className="flex items-center gap-2">
          <span
            role="img"
            aria-label={title(state.state)}
            className={clsx("size-2 shrink-0 rounded-full", DOTS[state.state])}
          />
          <span className="truncate font-medium">{state.name}</span>
          <Tag>{title(state.kind)}</Tag>
          {channel?.config["heartbeat"] === true && <Tag>Heartbeat</Tag>}
        </span>
        <span className="mt-0.5 block text-sm text-pretty text-muted">{state.explanation}</span>
      </span>
      <span className="numbers text-sm text-muted">
        {state.attempts === 0 ? (
          "No deliveries"
        ) : (
          <>
            {count(state.delivered)} of {count(state.attempts)} delivered
            {state.last_delivered_at !== null && (
              <>
                , last <Ago at={state.last_delivered_at} />
              </>
            )}
          </>
        )}
      </span>
      {channel !== undefined && may && (
        <span className="flex items-center gap-2">
          <Button
            size="sm"
            disabled={test.isPending || !channel.enabled}
            onClick={() =>
              test.mutate(channel.id, {
                onError: complain,
                onSuccess: () => say("A test is on its way; its outcome shows here."),
              })
            }
          >
            <Send size={13} aria-hidden />
            Test
          </Button>
          {owner && (
            <Button
              look="danger"
              size="sm"
              aria-label={sure ? `Really remove ${channel.name}` : `Remove ${channel.name}`}
              onBlur={() => setSure(false)}
              onClick={() => (sure ? remove.mutate(channel.id, { onError: complain }) : setSure(true))}
            >
              <Trash2 size={13} aria-hidden />
              {sure && "Really?"}
            </Button>
          )}
          <Switch
            checked={channel.enabled}
            aria-label={`${channel.name} is on`}
            onCheckedChange={(enabled) => enable.mutate({ channel, enabled }, { onError: complain })}
          />
        </span>
      )}
    </li>
  );
}

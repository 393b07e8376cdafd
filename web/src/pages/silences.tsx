import { BellOff, Clock, Plus, Trash2, Waypoints } from "lucide-react";
import { useState } from "react";
import { messageOf } from "@/api/problem";
import type { InhibitionRule, MuteWindow, Silence } from "@/api/types";
import { useMay } from "@/app/identity";
import { PageTitle } from "@/app/slots";
import { Tag } from "@/components/badges";
import { InhibitionForm } from "@/components/muting/inhibition-form";
import { MatcherTags } from "@/components/muting/matchers";
import { SilenceForm } from "@/components/muting/silence-form";
import { WindowForm } from "@/components/muting/window-form";
import { Empty, Failure } from "@/components/states";
import { Ago, At } from "@/components/time";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { Dialog } from "@/components/ui/dialog";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { say } from "@/components/ui/toast";
import {
  useEnableInhibition,
  useEnableWindow,
  useEndSilence,
  useInhibitions,
  useMuteWindows,
  useRemoveInhibition,
  useRemoveWindow,
  useSilences,
} from "@/data/muting";
import { title } from "@/format/words";

const complain = (error: unknown) => say(`Not changed: ${messageOf(error)}`, { bad: true });

export default function SilencesPage() {
  const may = useMay("editor");
  const silences = useSilences();
  const windows = useMuteWindows();
  const inhibitions = useInhibitions();
  const [making, setMaking] = useState<"silence" | "window" | "inhibition" | null>(null);
  const close = () => setMaking(null);
  const current = silences.data?.filter(({ state }) => state !== "expired") ?? [];
  const past = silences.data?.filter(({ state }) => state === "expired").slice(0, 20) ?? [];
  return (
    <>
      <PageTitle>Silences</PageTitle>
      <Dialog title="New silence" open={making === "silence"} onClose={close}>
        <SilenceForm onDone={close} />
      </Dialog>
      <Dialog title="New mute window" open={making === "window"} onClose={close}>
        <WindowForm onDone={close} />
      </Dialog>
      <Dialog title="New inhibition rule" open={making === "inhibition"} onClose={close}>
        <InhibitionForm onDone={close} />
      </Dialog>
      <div className="mx-auto flex max-w-5xl flex-col gap-5">
        <Card>
          <CardHeader title="Silences" hint="Alerts still open and are kept; nobody is told">
            {may && <New name="New silence" onClick={() => setMaking("silence")} />}
          </CardHeader>
          {silences.isPending ? (
            <SkeletonRows rows={2} />
          ) : silences.isError ? (
            <Failure error={silences.error} retry={() => void silences.refetch()} />
          ) : silences.data.length === 0 ? (
            <Empty icon={BellOff} title="Nothing is silenced">
              A silence mutes what you expect, for example during maintenance, and ends by itself.
            </Empty>
          ) : (
            <ul>
              {[...current, ...past].map((silence) => (
                <SilenceRow key={silence.id} silence={silence} />
              ))}
            </ul>
          )}
        </Card>
        <Card>
          <CardHeader title="Hours of the week" hint="Muted at the same times every week">
            {may && <New name="New mute window" onClick={() => setMaking("window")} />}
          </CardHeader>
          {windows.isPending ? (
            <SkeletonRows rows={1} />
          ) : windows.isError ? (
            <Failure error={windows.error} retry={() => void windows.refetch()} />
          ) : windows.data.length === 0 ? (
            <Empty icon={Clock} title="No mute windows">
              Such as nightly imports, which always upset the same figures.
            </Empty>
          ) : (
            <ul>
              {windows.data.map((window) => (
                <WindowRow key={window.id} window={window} />
              ))}
            </ul>
          )}
        </Card>
        <Card>
          <CardHeader
            title="One alert speaks for others"
            hint="While a source is open, its targets are not told"
          >
            {may && <New name="New inhibition rule" onClick={() => setMaking("inhibition")} />}
          </CardHeader>
          {inhibitions.isPending ? (
            <SkeletonRows rows={1} />
          ) : inhibitions.isError ? (
            <Failure error={inhibitions.error} retry={() => void inhibitions.refetch()} />
          ) : inhibitions.data.length === 0 ? (
            <Empty icon={Waypoints} title="No inhibition rules">
              A closed airport explains its delays: one alert is enough.
            </Empty>
          ) : (
            <ul>
              {inhibitions.data.map((rule) => (
                <InhibitionRow key={rule.id} rule={rule} />
              ))}
            </ul>
          )}
        </Card>
      </div>
    </>
  );
}

function New({ name, onClick }: { name: string; onClick: () => void }) {
  return (
    <Button size="sm" aria-label={name} onClick={onClick}>
      <Plus size={13} aria-hidden />
      New
    </Button>
  );
}

function Remove({ name, onSure }: { name: string; onSure: () => void }) {
  const [sure, setSure] = useState(false);
  return (
    <Button
      look="danger"
      size="sm"
      aria-label={sure ? `Really remove ${name}` : `Remove ${name}`}
      onBlur={() => setSure(false)}
      onClick={() => (sure ? onSure() : setSure(true))}
    >
      <Trash2 size={13} aria-hidden />
      {sure && "Really?"}
    </Button>
  );
}

const row = "flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3 last:border-b-0";

function SilenceRow({ silence }: { silence: Silence }) {
  const may = useMay("editor");
  const end = useEndSilence();
  const over = silence.state === "expired";
  return (
    <li className={`${row} ${over ? "opacity-70" : ""}`}>
      <div className="flex min-w-0 flex-1 basis-64 flex-col gap-1">
        <MatcherTags matchers={silence.matchers} />
        <p className="text-sm text-pretty">{silence.reason}</p>
        <p className="text-xs text-muted">
          {silence.author?.name ?? "Somebody who left"}, <Ago at={silence.created_at} />
        </p>
      </div>
      <p className="text-sm text-muted">
        {silence.state === "pending" ? (
          <>
            Begins <At at={silence.starts_at} />
          </>
        ) : (
          <>
            {over ? "Ended" : "Ends"} <Ago at={silence.ends_at} />
          </>
        )}
      </p>
      {over ? (
        <Tag>{title(silence.state)}</Tag>
      ) : (
        may && (
          <Button
            size="sm"
            disabled={end.isPending}
            onClick={() => end.mutate(silence, { onError: complain })}
          >
            End now
          </Button>
        )
      )}
    </li>
  );
}

function WindowRow({ window }: { window: MuteWindow }) {
  const may = useMay("editor");
  const owner = useMay("owner");
  const enable = useEnableWindow();
  const remove = useRemoveWindow();
  return (
    <li className={row}>
      <div className="flex min-w-0 flex-1 basis-64 flex-col gap-1">
        <p className="font-medium">{window.name}</p>
        <MatcherTags matchers={window.matchers} />
      </div>
      <ul className="text-sm text-muted">
        {window.intervals.map(({ days, start, end }) => (
          <li key={`${days.join()}${start}`} className="numbers">
            {days.length === 0 || days.length === 7 ? "Every day" : days.map(title).join(", ")} {start}–{end}
          </li>
        ))}
        <li className="text-xs">{window.timezone}</li>
      </ul>
      {owner && <Remove name={window.name} onSure={() => remove.mutate(window.id, { onError: complain })} />}
      <Switch
        checked={window.enabled}
        disabled={!may}
        aria-label={`${window.name} is on`}
        onCheckedChange={(enabled) => enable.mutate({ id: window.id, enabled }, { onError: complain })}
      />
    </li>
  );
}

function InhibitionRow({ rule }: { rule: InhibitionRule }) {
  const may = useMay("editor");
  const owner = useMay("owner");
  const enable = useEnableInhibition();
  const remove = useRemoveInhibition();
  return (
    <li className={row}>
      <div className="flex min-w-0 flex-1 basis-64 flex-col gap-1 text-sm">
        <p className="font-medium">{rule.name}</p>
        <div className="flex flex-wrap items-center gap-1.5 text-muted">
          While <MatcherTags matchers={rule.source_matchers} /> is open, not{" "}
          <MatcherTags matchers={rule.target_matchers} />
          {rule.equal_labels.length > 0 && <> with the same {rule.equal_labels.join(", ")}</>}
        </div>
      </div>
      {owner && <Remove name={rule.name} onSure={() => remove.mutate(rule.id, { onError: complain })} />}
      <Switch
        checked={rule.enabled}
        disabled={!may}
        aria-label={`${rule.name} is on`}
        onCheckedChange={(enabled) => enable.mutate({ id: rule.id, enabled }, { onError: complain })}
      />
    </li>
  );
}

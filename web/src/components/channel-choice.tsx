import { useChannels } from "@/data/channels";
import { title } from "@/format/words";
import { Skeleton } from "./ui/skeleton";

interface ChannelChoiceProps {
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
}

/** Where a rule's alerts go; none chosen leaves it to each member's preferences. */
export function ChannelChoice({ chosen, onChange }: ChannelChoiceProps) {
  const channels = useChannels();
  // A rule may name a channel that is gone: it stays in sight, so that it can be taken away.
  const names = new Map(channels.data?.map(({ name, kind }) => [name, title(kind)]));
  for (const name of chosen) if (!names.has(name)) names.set(name, "not there");
  const toggle = (name: string, on: boolean) =>
    onChange([...names.keys()].filter((each) => (each === name ? on : chosen.includes(each))));
  return (
    <fieldset className="min-w-0 sm:col-span-2">
      <legend className="mb-1 text-xs font-medium">Channels</legend>
      {channels.isPending && <Skeleton className="h-6 w-60" />}
      <div className="flex flex-wrap gap-x-5 gap-y-1.5">
        {[...names].map(([name, kind]) => (
          <label key={name} className="flex items-center gap-2 text-sm">
            <input
              type="checkbox"
              className="size-4 accent-(--accent)"
              checked={chosen.includes(name)}
              onChange={({ target }) => toggle(name, target.checked)}
            />
            {name} <span className="text-xs text-muted">{kind}</span>
          </label>
        ))}
      </div>
      <p className="mt-1 text-xs text-muted">
        {channels.isError
          ? "The channels could not be loaded."
          : "With none chosen, each member is told by their own preferences."}
      </p>
    </fieldset>
  );
}

import { useMay } from "@/app/identity";
import { PageTitle } from "@/app/slots";
import { Channels } from "@/components/telling/channels";
import { PreferencesCard } from "@/components/telling/preferences";
import { Tabs, useTab } from "@/components/ui/tabs";

const TABS = [
  ["own", "My preferences"],
  ["workspace", "Workspace defaults"],
  ["channels", "Channels"],
] as const;

export default function NotificationsPage() {
  const owner = useMay("owner");
  const tab = useTab(owner ? ["own", "workspace", "channels"] : ["own", "channels"]);
  return (
    <>
      <PageTitle>Notifications</PageTitle>
      <div className="mx-auto max-w-5xl">
        <Tabs
          label="Parts of the notifications"
          value={tab}
          choices={TABS.filter(([name]) => owner || name !== "workspace")}
        />
        {tab === "channels" ? <Channels /> : <PreferencesCard key={tab} whose={tab} />}
      </div>
    </>
  );
}

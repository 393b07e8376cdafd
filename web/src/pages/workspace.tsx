import { PageTitle } from "@/app/slots";
import { Tabs, useTab } from "@/components/ui/tabs";
import { Audit } from "@/components/workspace/audit";
import { YourData } from "@/components/workspace/data";
import { Keys } from "@/components/workspace/keys";
import { Members } from "@/components/workspace/members";

const TABS = [
  ["members", "Members"],
  ["keys", "API keys"],
  ["audit", "Audit"],
  ["data", "Your data"],
] as const;

export default function WorkspacePage() {
  const tab = useTab(["members", "keys", "audit", "data"]);
  return (
    <>
      <PageTitle>Workspace</PageTitle>
      <div className="mx-auto max-w-5xl">
        <Tabs label="Parts of the workspace" value={tab} choices={TABS} />
        {tab === "members" ? (
          <Members />
        ) : tab === "keys" ? (
          <Keys />
        ) : tab === "audit" ? (
          <Audit />
        ) : (
          <YourData />
        )}
      </div>
    </>
  );
}

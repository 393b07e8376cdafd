import { History } from "lucide-react";
import { useMemo } from "react";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";
import { ApiError } from "@/api/problem";
import { useMay } from "@/app/identity";
import { PageTitle } from "@/app/slots";
import { RuleForm } from "@/components/rule-form";
import { RemoveRule, RuleAsCode } from "@/components/rule-upkeep";
import { Failure } from "@/components/states";
import { buttonClass } from "@/components/ui/button";
import { SkeletonRows } from "@/components/ui/skeleton";
import { say } from "@/components/ui/toast";
import { draftOf, emptyDraft } from "@/data/rule-draft";
import { useRule, useSaveRule } from "@/data/rules";

/** A rule to be made or changed. */
export default function RulePage() {
  const { id } = useParams();
  const [parameters] = useSearchParams();
  const framework = parameters.get("framework") ?? "";
  const rule = useRule(id ?? "");
  const save = useSaveRule(id ?? null);
  const navigate = useNavigate();
  const may = useMay("editor");
  const start = useMemo(
    () => (id === undefined ? emptyDraft(framework) : rule.data && draftOf(rule.data)),
    [id, framework, rule.data],
  );
  const kept = rule.data?.provenance === "code";
  const name = id === undefined ? "New rule" : (rule.data?.name ?? "Rule");
  return (
    <>
      <PageTitle above={{ to: "/rules", name: "Rules" }}>{name}</PageTitle>
      {id === undefined && !may ? (
        <Failure error={new ApiError(403, "not_permitted", "Only editors and owners make rules.")} />
      ) : id !== undefined && rule.isError ? (
        <Failure error={rule.error} retry={() => void rule.refetch()} />
      ) : start === undefined ? (
        <SkeletonRows />
      ) : (
        <>
          {kept && (
            <p className="mb-4 rounded-md bg-info-tint px-3 py-2 text-sm text-info-ink">
              This rule is kept as code: change its file and apply it (convex rules apply).
            </p>
          )}
          {rule.data !== undefined && id !== undefined && (
            <div className="mb-4 flex flex-wrap justify-end gap-2">
              <Link to={`/history?rule=${rule.data.id}`} className={buttonClass()}>
                <History size={14} aria-hidden />
                What it found
              </Link>
              <RemoveRule rule={rule.data} />
            </div>
          )}
          <RuleForm
            key={`${id ?? "new"} ${rule.data?.version ?? 0}`}
            start={start}
            saved={id === undefined ? undefined : rule.data}
            readOnly={!may || kept}
            busy={save.isPending}
            error={save.error}
            onSave={(input) =>
              save.mutate(input, {
                onSuccess: (saved) => {
                  say(id === undefined ? `Made: ${saved.name}` : `Saved: ${saved.name}`);
                  if (id === undefined) void navigate(`/rules/${saved.id}`, { replace: true });
                },
              })
            }
          />
          {rule.data !== undefined && id !== undefined && <RuleAsCode rule={rule.data} />}
        </>
      )}
    </>
  );
}

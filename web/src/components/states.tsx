import { CloudOff, FileQuestion, Lock, type LucideIcon, RotateCw, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError, messageOf } from "@/api/problem";
import { Button } from "./ui/button";

/** Nothing to show, and why that is fine or what to do about it. */
export function Empty({
  icon: Icon,
  title,
  children,
}: {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
}) {
  return (
    <div className="flex flex-col items-center gap-1 px-6 py-12 text-center">
      <Icon size={22} aria-hidden className="mb-1.5 text-muted" />
      <p className="font-medium">{title}</p>
      {children !== undefined && <div className="max-w-sm text-sm text-balance text-muted">{children}</div>}
    </div>
  );
}

/** What could not be loaded, in words, with another try where that can help. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const status = error instanceof ApiError ? error.status : -1;
  const [icon, title] = failures[status] ?? ([TriangleAlert, "This could not be loaded"] as const);
  return (
    <div role="alert">
      <Empty icon={icon} title={title}>
        <p>{messageOf(error)}</p>
        {retry !== undefined && status !== 403 && status !== 404 && (
          <Button onClick={retry} className="mt-4">
            <RotateCw size={14} aria-hidden />
            Try again
          </Button>
        )}
      </Empty>
    </div>
  );
}

const failures: Record<number, readonly [LucideIcon, string]> = {
  0: [CloudOff, "No connection"],
  403: [Lock, "You may not see this"],
  404: [FileQuestion, "There is nothing here"],
};

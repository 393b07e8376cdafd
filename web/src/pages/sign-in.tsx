import { type FormEvent, useState, useSyncExternalStore } from "react";
import { Navigate, useSearchParams } from "react-router";
import { session } from "@/api/client";
import { ApiError, messageOf } from "@/api/problem";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/field";

export function SignInPage() {
  const state = useSyncExternalStore(session.subscribe, session.getState);
  const [parameters] = useSearchParams();
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  if (state.status === "signed-in") return <Navigate to={ownPath(parameters.get("next"))} replace />;

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setProblem("");
    session
      .signIn(String(form.get("email")), String(form.get("password")))
      .catch((error: unknown) => setProblem(explain(error)))
      .finally(() => setBusy(false));
  };

  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <title>Sign in · Convex</title>
      <div className="w-full max-w-sm">
        <div className="mb-6 flex flex-col items-center text-center">
          <img src="/favicon.svg" alt="" width={44} height={44} />
          <h1 className="mt-4 text-2xl font-semibold">Sign in to Convex</h1>
          <p className="mt-1 text-muted">What is wrong, who was told, and whether it was worth it.</p>
        </div>
        <form
          onSubmit={submit}
          className="flex flex-col gap-4 rounded-xl border border-line bg-surface p-6 shadow-card"
        >
          {state.status === "signed-out" && state.reason === "expired" && problem === "" && (
            <p role="status" className="rounded-md bg-info-tint px-3 py-2 text-sm text-info-ink">
              Your session has ended. Please sign in again.
            </p>
          )}
          {problem !== "" && (
            <p role="alert" className="rounded-md bg-critical-tint px-3 py-2 text-sm text-critical-ink">
              {problem}
            </p>
          )}
          <Field label="E-mail">
            {(ties) => (
              <Input
                {...ties}
                name="email"
                type="email"
                autoComplete="username"
                required
                autoFocus
                className="h-9.5"
              />
            )}
          </Field>
          <Field label="Password">
            {(ties) => (
              <Input
                {...ties}
                name="password"
                type="password"
                autoComplete="current-password"
                required
                className="h-9.5"
              />
            )}
          </Field>
          <Button
            type="submit"
            look="primary"
            className="mt-1 h-9.5 w-full"
            disabled={busy || state.status === "restoring"}
          >
            {busy ? "Signing in…" : "Sign in"}
          </Button>
        </form>
      </div>
    </main>
  );
}

function explain(error: unknown): string {
  if (error instanceof ApiError && error.status === 401) return "E-mail or password is not right.";
  return messageOf(error);
}

/** Only paths of this page: `next` comes from the address and could point anywhere. */
function ownPath(next: string | null): string {
  return next?.startsWith("/") === true && !next.startsWith("//") && !next.startsWith("/\\") ? next : "/";
}

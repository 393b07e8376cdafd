import { useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useEffect, useState, useSyncExternalStore } from "react";
import { Link, Navigate, useSearchParams } from "react-router";
import { api, session, unwrap } from "@/api/client";
import { ApiError, messageOf } from "@/api/problem";
import { Button, buttonClass } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/field";

export function SignInPage() {
  const state = useSyncExternalStore(session.subscribe, session.getState);
  const [parameters] = useSearchParams();
  const [problem, setProblem] = useState(refusals[parameters.get("refused") ?? ""] ?? "");
  const [busy, setBusy] = useState(false);
  const methods = useQuery(METHODS).data;
  const arrived = parameters.has("arrived");

  useEffect(() => {
    if (!arrived || session.getState().status === "signed-in") return;
    setBusy(true);
    session
      .arrive()
      .catch((error: unknown) => setProblem(messageOf(error)))
      .finally(() => setBusy(false));
  }, [arrived]);

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
    <Door
      title="Sign in"
      heading="Sign in to Convex"
      said="What is wrong, who was told, and whether it was worth it."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        {state.status === "signed-out" && state.reason === "expired" && problem === "" && (
          <Note>Your session has ended. Please sign in again.</Note>
        )}
        {problem !== "" && <Trouble>{problem}</Trouble>}
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
        {typeof methods?.oidc === "string" && (
          <a href="/api/v1/auth/oidc" className={`${buttonClass()} h-9.5 w-full`}>
            Continue with {methods.oidc}
          </a>
        )}
        {methods?.email === true && (
          <Link to="/forgot-password" className="self-center rounded text-sm text-accent hover:underline">
            Forgot your password?
          </Link>
        )}
      </form>
    </Door>
  );
}

const METHODS = {
  queryKey: ["sign-in methods"],
  queryFn: () => unwrap(api.GET("/api/v1/auth/methods")),
  staleTime: Infinity,
} as const;

const refusals: Record<string, string> = {
  not_found: "Nobody here has the address that you signed in with; ask an owner to add you.",
  not_authenticated: "The sign-in was not completed. Please try again.",
  unavailable: "The sign-in provider does not answer. Try again, or use your password.",
};

/** Ask for a link by mail. */
export function ForgotPasswordPage() {
  const [sent, setSent] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const email = String(new FormData(event.currentTarget).get("email"));
    setBusy(true);
    setProblem("");
    unwrap(api.POST("/api/v1/auth/forgot-password", { body: { email } }))
      .then(() => setSent(email))
      .catch((error: unknown) => setProblem(messageOf(error)))
      .finally(() => setBusy(false));
  };
  return (
    <Door title="Forgot password" heading="Choose a new password" said="We mail you a link that works once.">
      {sent !== "" ? (
        <Note>If {sent} has an account here, a link is on its way.</Note>
      ) : (
        <form onSubmit={submit} className="flex flex-col gap-4">
          {problem !== "" && <Trouble>{problem}</Trouble>}
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
          <Button type="submit" look="primary" className="mt-1 h-9.5 w-full" disabled={busy}>
            {busy ? "Sending…" : "Mail me a link"}
          </Button>
        </form>
      )}
      <Link to="/sign-in" className="mt-4 block rounded text-center text-sm text-accent hover:underline">
        Back to sign-in
      </Link>
    </Door>
  );
}

/** Where the links of invitations and forgotten passwords lead: the token is behind the #. */
export function ChoosePasswordPage() {
  const state = useSyncExternalStore(session.subscribe, session.getState);
  const [token] = useState(() => window.location.hash.slice(1));
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState(false);
  if (done && state.status === "signed-in") return <Navigate to="/" replace />;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    session
      .choosePassword(token, String(new FormData(event.currentTarget).get("password")))
      .then(() => setDone(true))
      .catch((error: unknown) => setProblem(messageOf(error)))
      .finally(() => setBusy(false));
  };
  return (
    <Door
      title="Choose a password"
      heading="Choose your password"
      said="At least 10 characters. You are signed in then."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        {problem !== "" && <Trouble>{problem}</Trouble>}
        {token === "" && (
          <Trouble>This address lacks its end. Open the whole link that you were given.</Trouble>
        )}
        <Field label="New password">
          {(ties) => (
            <Input
              {...ties}
              name="password"
              type="password"
              autoComplete="new-password"
              minLength={10}
              maxLength={200}
              required
              autoFocus
              className="h-9.5"
            />
          )}
        </Field>
        <Button type="submit" look="primary" className="mt-1 h-9.5 w-full" disabled={busy || token === ""}>
          {busy ? "Saving…" : "Save and sign in"}
        </Button>
      </form>
    </Door>
  );
}

/** A page for those who are not in yet. */
function Door({
  title,
  heading,
  said,
  children,
}: {
  title: string;
  heading: string;
  said: string;
  children: ReactNode;
}) {
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <title>{`${title} · Convex`}</title>
      <div className="w-full max-w-sm">
        <div className="mb-6 flex flex-col items-center text-center">
          <img src="/favicon.svg" alt="" width={44} height={44} />
          <h1 className="mt-4 text-2xl font-semibold">{heading}</h1>
          <p className="mt-1 text-muted">{said}</p>
        </div>
        <div className="rounded-xl border border-line bg-surface p-6 shadow-card">{children}</div>
      </div>
    </main>
  );
}

function Note({ children }: { children: ReactNode }) {
  return (
    <p role="status" className="rounded-md bg-info-tint px-3 py-2 text-sm text-info-ink">
      {children}
    </p>
  );
}

function Trouble({ children }: { children: ReactNode }) {
  return (
    <p role="alert" className="rounded-md bg-critical-tint px-3 py-2 text-sm text-critical-ink">
      {children}
    </p>
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

import { Suspense, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Navigate, Outlet, useLocation } from "react-router";
import { session } from "@/api/client";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Toasts } from "@/components/ui/toast";
import { queries } from "@/data/queries";
import { Ending } from "./ending";
import { IdentityContext, useIdentity } from "./identity";
import { LiveProvider, useLive } from "./live";
import { BottomNavigation, Brand, SideNavigation } from "./navigation";
import { TitleSlot } from "./slots";
import { TopBar } from "./top-bar";

/** Everything below needs somebody who is signed in; who is not, comes back here afterwards. */
export function SignedIn() {
  const state = useSyncExternalStore(session.subscribe, session.getState);
  const location = useLocation();
  useEffect(() => {
    // Nothing of one member may be left for the next one.
    if (state.status === "signed-out") queries.clear();
  }, [state.status]);
  if (state.status === "restoring") return <SkeletonRows />;
  if (state.status === "signed-out") {
    const next = location.pathname + location.search;
    return <Navigate to={next === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(next)}`} replace />;
  }
  return (
    <IdentityContext value={state.identity}>
      <LiveProvider>
        <Shell />
      </LiveProvider>
    </IdentityContext>
  );
}

function Shell() {
  const [slot, setSlot] = useState<HTMLElement | null>(null);
  const { workspace } = useIdentity();
  const { spoken } = useLive();
  const main = useFocusAfterNavigation();
  return (
    <TitleSlot value={slot}>
      <a
        href="#main"
        className="sr-only z-50 rounded-md bg-ink px-3 py-2 text-sm text-ground focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to content
      </a>
      <div className="mx-auto flex min-h-dvh max-w-[120rem]">
        <aside className="sticky top-0 hidden h-dvh w-56 shrink-0 flex-col overflow-y-auto border-r border-line bg-ground md:flex">
          <div className="flex h-13 shrink-0 items-center px-5">
            <Brand />
          </div>
          <p className="truncate px-5.5 pb-1 text-xs text-muted" title={workspace.slug}>
            {workspace.name}
          </p>
          <SideNavigation />
        </aside>
        <div className="flex min-w-0 flex-1 flex-col">
          <TopBar titleRef={setSlot} />
          <Ending />
          <main
            ref={main}
            id="main"
            tabIndex={-1}
            className="flex-1 px-4 pt-4 pb-24 outline-none md:px-6 md:pt-5 md:pb-10"
          >
            <Suspense fallback={<SkeletonRows />}>
              <Outlet />
            </Suspense>
          </main>
        </div>
      </div>
      <BottomNavigation />
      <Toasts />
      <div aria-live="polite" className="sr-only">
        {spoken}
      </div>
    </TitleSlot>
  );
}

/** A new page is read from its start; a changed filter on the same page moves nothing. */
function useFocusAfterNavigation() {
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const previous = useRef(pathname);
  useEffect(() => {
    if (previous.current === pathname) return;
    previous.current = pathname;
    main.current?.focus({ preventScroll: true });
  }, [pathname]);
  return main;
}

import { createBrowserRouter, type RouteObject } from "react-router";
import { SignedIn } from "@/app/shell";
import { Broken, Unknown } from "@/pages/broken";
import { ChoosePasswordPage, ForgotPasswordPage, SignInPage } from "@/pages/sign-in";

type Module = { default: React.ComponentType };

/** Each page is a file of its own, fetched when it is first opened. */
function page(path: string, load: () => Promise<Module>): RouteObject {
  return { path, lazy: async () => ({ Component: (await load()).default }), ErrorBoundary: Broken };
}

export const router = createBrowserRouter([
  { path: "/sign-in", Component: SignInPage },
  { path: "/forgot-password", Component: ForgotPasswordPage },
  { path: "/choose-password", Component: ChoosePasswordPage },
  {
    Component: SignedIn,
    ErrorBoundary: Broken,
    HydrateFallback: () => null,
    children: [
      page("/", () => import("@/pages/overview")),
      page("/alerts", () => import("@/pages/alerts")),
      page("/alerts/:id", () => import("@/pages/trigger")),
      page("/history", () => import("@/pages/history")),
      page("/frameworks/:id", () => import("@/pages/framework")),
      page("/rules", () => import("@/pages/rules")),
      page("/rules/new", () => import("@/pages/rule")),
      page("/rules/:id", () => import("@/pages/rule")),
      page("/analytics", () => import("@/pages/analytics")),
      page("/patterns", () => import("@/pages/patterns")),
      page("/patterns/:id", () => import("@/pages/pattern")),
      page("/predictions", () => import("@/pages/predictions")),
      page("/insights", () => import("@/pages/insights")),
      page("/silences", () => import("@/pages/silences")),
      page("/inbox", () => import("@/pages/inbox")),
      page("/notifications", () => import("@/pages/notifications")),
      page("/data", () => import("@/pages/quality")),
      page("/system", () => import("@/pages/system")),
      page("/workspace", () => import("@/pages/workspace")),
      { path: "*", Component: Unknown },
    ],
  },
]);

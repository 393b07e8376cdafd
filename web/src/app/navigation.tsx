import clsx from "clsx";
import {
  Activity,
  BellOff,
  BellRing,
  BookOpen,
  Building2,
  ChartColumn,
  Database,
  Ellipsis,
  ExternalLink,
  Gauge,
  History,
  Inbox,
  Lightbulb,
  type LucideIcon,
  Radar,
  Send,
  ShieldCheck,
  SlidersHorizontal,
  Telescope,
  Workflow,
} from "lucide-react";
import { Link, NavLink, useLocation } from "react-router";
import { Menu, MenuItem } from "@/components/ui/menu";
import { useFrameworks } from "@/data/frameworks";
import { useUnreadCount } from "@/data/notifications";

interface Item {
  to: string;
  name: string;
  icon: LucideIcon;
  counts?: "open" | "unread";
  /** Within the thumb's reach on a phone; the others are behind "More". */
  thumb?: true;
  group?: "settings";
}

export const ITEMS: readonly Item[] = [
  { to: "/", name: "Overview", icon: Gauge, thumb: true },
  { to: "/alerts", name: "Alerts", icon: BellRing, counts: "open", thumb: true },
  { to: "/history", name: "History", icon: History },
  { to: "/rules", name: "Rules", icon: SlidersHorizontal, thumb: true },
  { to: "/silences", name: "Silences", icon: BellOff },
  { to: "/analytics", name: "Analytics", icon: ChartColumn },
  { to: "/patterns", name: "Patterns", icon: Radar },
  { to: "/predictions", name: "Predictions", icon: Telescope },
  { to: "/insights", name: "Insights", icon: Lightbulb },
  { to: "/inbox", name: "Inbox", icon: Inbox, counts: "unread", thumb: true },
  { to: "/notifications", name: "Notifications", icon: Send, group: "settings" },
  { to: "/data", name: "Data", icon: ShieldCheck, group: "settings" },
  { to: "/system", name: "System", icon: Activity, group: "settings" },
  { to: "/workspace", name: "Workspace", icon: Building2, group: "settings" },
];

function useCounts(): Record<"open" | "unread", number> {
  const frameworks = useFrameworks();
  const unread = useUnreadCount();
  const open = frameworks.data?.reduce((sum, { open_triggers: { firing } }) => sum + firing, 0);
  return { open: open ?? 0, unread: unread.data ?? 0 };
}

export function Brand() {
  return (
    <span className="flex items-center gap-2.5">
      <img src="/favicon.svg" alt="" width={24} height={24} />
      <span className="text-lg font-semibold tracking-tight">Convex</span>
    </span>
  );
}

export function SideNavigation() {
  return (
    <nav aria-label="Main" className="flex flex-1 flex-col gap-0.5 px-3 py-2">
      {ITEMS.filter(({ group }) => group === undefined).map((item) => (
        <SideLink key={item.to} {...item} />
      ))}
      <h2 className={heading}>Settings</h2>
      {ITEMS.filter(({ group }) => group === "settings").map((item) => (
        <SideLink key={item.to} {...item} />
      ))}
      <ExternalLinks />
    </nav>
  );
}

function SideLink({ to, name, icon: Icon, counts: counted }: Item) {
  const counts = useCounts();
  return (
    <NavLink
      to={to}
      end={to === "/"}
      className={({ isActive }) =>
        clsx(
          line,
          isActive ? "bg-sunken font-medium text-ink" : "text-muted hover:bg-sunken/60 hover:text-ink",
        )
      }
    >
      <Icon size={16} aria-hidden />
      {name}
      {counted !== undefined && <Count kind={counted} count={counts[counted]} />}
    </NavLink>
  );
}

const heading = "px-2.5 pt-5 pb-1 text-2xs font-medium text-muted";

function ExternalLinks() {
  const links: readonly (readonly [string, string, LucideIcon])[] = [
    ["/docs/prefect", "Prefect", Workflow],
    ["/docs/dbt/", "Data models", Database],
    ["/docs/quality/", "Data quality", ShieldCheck],
    ["/docs/api", "API reference", BookOpen],
  ];
  return (
    <div className="mt-auto flex flex-col gap-0.5 pt-2">
      <h2 className={heading}>Behind the scenes</h2>
      {links.map(([to, name, Icon]) => (
        <a
          key={to}
          href={to}
          target="_blank"
          rel="noreferrer"
          className={clsx(line, "text-muted hover:bg-sunken/60 hover:text-ink")}
        >
          <Icon size={16} aria-hidden />
          {name}
          <ExternalLink size={12} role="img" aria-label="opens in a new tab" className="ml-auto opacity-70" />
        </a>
      ))}
    </div>
  );
}

const line = "flex h-8.5 items-center gap-2.5 rounded-md px-2.5 text-sm transition-colors";

function Count({ kind, count }: { kind: "open" | "unread"; count: number }) {
  if (count === 0) return null;
  return (
    <span
      className={clsx(
        "numbers ml-auto rounded-full px-1.5 text-2xs font-semibold",
        kind === "open" ? "bg-critical-tint text-critical-ink" : "bg-accent-tint text-accent",
      )}
    >
      {count > 999 ? "999+" : count}
      <span className="sr-only">{kind === "open" ? " firing" : " unread"}</span>
    </span>
  );
}

/** On a phone: at the thumb. */
export function BottomNavigation() {
  const counts = useCounts();
  const { pathname } = useLocation();
  const rest = ITEMS.filter(({ thumb }) => thumb === undefined);
  return (
    <nav
      aria-label="Main"
      className="fixed inset-x-0 bottom-0 z-30 grid grid-cols-5 border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] md:hidden"
    >
      {ITEMS.filter(({ thumb }) => thumb).map(({ to, name, icon: Icon, counts: counted }) => (
        <NavLink
          key={to}
          to={to}
          end={to === "/"}
          className={({ isActive }) => clsx(thumb, thumbInk(isActive))}
        >
          <Icon size={20} aria-hidden />
          {name}
          {counted !== undefined && counts[counted] > 0 && (
            <span
              className={clsx(
                "numbers absolute top-1.5 left-[calc(50%+6px)] rounded-full px-1 text-2xs leading-4 font-semibold",
                counted === "open" ? "bg-critical-tint text-critical-ink" : "bg-accent-tint text-accent",
              )}
            >
              {counts[counted] > 99 ? "99+" : counts[counted]}
              <span className="sr-only">{counted === "open" ? " firing" : " unread"}</span>
            </span>
          )}
        </NavLink>
      ))}
      <Menu
        trigger={
          <button
            type="button"
            className={clsx(thumb, thumbInk(rest.some(({ to }) => pathname.startsWith(to))))}
          >
            <Ellipsis size={20} aria-hidden />
            More
          </button>
        }
      >
        {rest.map(({ to, name, icon: Icon }) => (
          <MenuItem key={to} asChild>
            <Link to={to}>
              <Icon size={16} aria-hidden className="text-muted" />
              {name}
            </Link>
          </MenuItem>
        ))}
      </Menu>
    </nav>
  );
}

const thumb = "relative flex h-14 flex-col items-center justify-center gap-0.5 text-2xs";

function thumbInk(isActive: boolean): string {
  return isActive ? "font-medium text-accent" : "text-muted";
}

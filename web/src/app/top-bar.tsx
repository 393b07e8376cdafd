import clsx from "clsx";
import { Inbox, LogOut } from "lucide-react";
import { Link } from "react-router";
import { session } from "@/api/client";
import { chooseTheme, type ThemeChoice, THEMES, useThemeChoice } from "@/components/theme";
import { Button, buttonClass } from "@/components/ui/button";
import { Menu, MenuChoices, MenuItem, MenuLine } from "@/components/ui/menu";
import { useUnreadCount } from "@/data/notifications";
import { title } from "@/format/words";
import { GoTo } from "./go-to";
import { useIdentity } from "./identity";
import { useLive } from "./live";

export function TopBar({ titleRef }: { titleRef: (element: HTMLElement | null) => void }) {
  return (
    <header className="sticky top-0 z-20 flex h-13 items-center gap-2 border-b border-line bg-ground/85 px-4 backdrop-blur-md md:px-6">
      <img src="/favicon.svg" alt="Convex" width={24} height={24} className="mr-1 md:hidden" />
      <div ref={titleRef} className="flex min-w-0 flex-1 items-center gap-1.5" />
      <GoTo />
      <Connection />
      <InboxLink />
      <UserMenu />
    </header>
  );
}

const looks = {
  live: ["bg-good", "Live", "Alerts arrive as they happen."],
  connecting: ["bg-warning animate-breathe", "Connecting", "The live connection is being made."],
  lost: ["bg-critical", "Offline", "Nothing arrives by itself now; it is tried again. Press to try now."],
} as const;

/** Whether what is on the screen is current. */
function Connection() {
  const { state, problem, reconnect } = useLive();
  const [dot, word, meaning] = looks[state];
  return (
    <button
      type="button"
      onClick={reconnect}
      title={problem === null ? meaning : `${problem} ${meaning}`}
      data-testid="connection"
      data-state={state}
      className="flex h-7 items-center gap-2 rounded-full px-2.5 text-xs font-medium text-muted hover:bg-sunken hover:text-ink"
    >
      <span aria-hidden className={clsx("size-2 rounded-full", dot)} />
      <span role="status">{word}</span>
    </button>
  );
}

function InboxLink() {
  const { data: unread = 0 } = useUnreadCount();
  return (
    <div className="max-md:hidden">
      <Link to="/inbox" className={clsx(buttonClass({ look: "ghost", size: "icon" }), "relative")}>
        <Inbox size={17} role="img" aria-label={unread === 0 ? "Inbox" : `Inbox, ${unread} unread`} />
        {unread > 0 && (
          <span
            aria-hidden
            className="absolute top-1 right-1 box-content size-2 rounded-full border-2 border-ground bg-accent"
          />
        )}
      </Link>
    </div>
  );
}

function UserMenu() {
  const { user, workspace, role } = useIdentity();
  const theme = useThemeChoice();
  return (
    <Menu
      trigger={
        <Button look="ghost" size="icon" aria-label={`Menu of ${user.name}`} className="rounded-full">
          <span
            aria-hidden
            className="flex size-7 items-center justify-center rounded-full bg-accent-tint text-2xs font-semibold text-accent"
          >
            {initials(user.name || user.email)}
          </span>
        </Button>
      }
    >
      <div className="px-2 py-1.5">
        <p className="text-sm font-medium">{user.name}</p>
        <p className="text-xs text-muted">{user.email}</p>
        <p className="mt-1 text-xs text-muted">
          {title(role)} of {workspace.name}
        </p>
      </div>
      <MenuLine />
      <MenuChoices
        label="Theme"
        value={theme}
        onChange={(choice) => chooseTheme(choice as ThemeChoice)}
        choices={THEMES}
      />
      <MenuLine />
      <MenuItem onSelect={() => void session.signOut()}>
        <LogOut size={15} aria-hidden className="text-muted" />
        Sign out
      </MenuItem>
    </Menu>
  );
}

function initials(name: string): string {
  const words = name.split(/[\s@.]+/).filter(Boolean);
  return words
    .slice(0, 2)
    .map((word) => word.charAt(0).toUpperCase())
    .join("");
}

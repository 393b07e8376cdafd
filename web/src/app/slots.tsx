import { ChevronRight } from "lucide-react";
import { createContext, type ReactNode, useContext } from "react";
import { createPortal } from "react-dom";
import { Link } from "react-router";

/** Where the top bar shows the page's title. */
export const TitleSlot = createContext<HTMLElement | null>(null);

interface PageTitleProps {
  children: string;
  /** The page above this one. */
  above?: { to: string; name: string };
  /** How many need a look; shown in the tab's title. */
  waiting?: number;
}

export function PageTitle({ children, above, waiting = 0 }: PageTitleProps): ReactNode {
  const slot = useContext(TitleSlot);
  return (
    <>
      <title>{`${waiting > 0 ? `(${waiting}) ` : ""}${children} · Convex`}</title>
      {slot !== null &&
        createPortal(
          <>
            {above !== undefined && (
              <>
                <Link to={above.to} className="hidden shrink-0 rounded text-muted hover:text-ink sm:inline">
                  {above.name}
                </Link>
                <ChevronRight size={14} aria-hidden className="hidden shrink-0 text-muted sm:inline" />
              </>
            )}
            <h1 className="truncate text-lg font-semibold">{children}</h1>
          </>,
          slot,
        )}
    </>
  );
}

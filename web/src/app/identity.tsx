import { createContext, useContext } from "react";
import type { Identity } from "@/api/session";
import type { Role } from "@/api/types";

export const IdentityContext = createContext<Identity | null>(null);

/** Who is signed in; only below the shell, where somebody always is. */
export function useIdentity(): Identity {
  const identity = useContext(IdentityContext);
  if (identity === null) throw new Error("useIdentity is used outside the signed-in part of the page");
  return identity;
}

const rank: Record<Role, number> = { viewer: 0, editor: 1, owner: 2 };

/** Whether the member's role reaches at least this far. The server decides; this only hides. */
export function useMay(role: Role): boolean {
  return rank[useIdentity().role] >= rank[role];
}

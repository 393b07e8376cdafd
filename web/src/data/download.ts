/** Files that the API makes: fetched with the session, then handed to the browser. */
import { session } from "@/api/client";
import { ApiError } from "@/api/problem";

export async function download(path: string, name: string): Promise<void> {
  const token = await session.token();
  const answer = await fetch(path, token === null ? {} : { headers: { Authorization: `Bearer ${token}` } });
  if (!answer.ok) throw ApiError.from(answer.status, await answer.json().catch(() => null));
  handOver(await answer.blob(), name);
}

/** The browser saves it, as it does with whatever is downloaded. */
export function handOver(file: Blob, name: string): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

/** What comes over the live connection, as far as it can be trusted before its type is known. */
export interface Frame {
  type: string;
  cursor?: number | null;
  framework_id?: string | null;
  data?: unknown;
  timestamp?: string;
  code?: string;
  detail?: string;
  expires_at?: string | null;
}

export function parseFrame(text: unknown): Frame | null {
  if (typeof text !== "string") return null;
  try {
    const frame: unknown = JSON.parse(text);
    const known = typeof frame === "object" && frame !== null && "type" in frame;
    return known && typeof frame.type === "string" ? (frame as Frame) : null;
  } catch {
    return null;
  }
}

export function frameworkOf(data: unknown): string | undefined {
  if (typeof data !== "object" || data === null || !("framework_id" in data)) return undefined;
  return typeof data.framework_id === "string" ? data.framework_id : undefined;
}

/** The two questions that the page asks the bridge. */

import { callId, secret } from "./link";

/** Why nobody gets in; the bridge's own words, and `offline` when it cannot be asked. */
export type Refusal = (typeof REFUSALS)[number] | "offline";

export interface Look {
  subject: string | null;
  count: number;
  max: number;
  language: string;
}

export interface Ticket {
  sfu_url: string;
  token: string;
  ice_servers: RTCIceServer[];
  identity: string;
  name: string;
}

export class Refused extends Error {
  readonly reason: Refusal;

  constructor(reason: Refusal) {
    super(reason);
    this.reason = reason;
  }
}

const PATIENCE_MS = 20_000;
const REFUSALS = ["over", "full", "removed", "wrong_link", "unavailable", "bad_request", "busy"] as const;

async function ask<T>(question: string, body: Record<string, string>): Promise<T> {
  // Relative to the page's own address, so that a path in front of /call/ makes no difference.
  const address = new URL(`./${callId()}/${question}`, window.location.href);
  address.hash = "";
  address.search = "";
  let answer: Response;
  let content: unknown;
  try {
    answer = await fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ secret: secret(), ...body }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    content = await answer.json();
  } catch {
    throw new Refused("offline");
  }
  if (answer.ok) return content as T;
  const reason = (content as { error?: unknown } | null)?.error;
  throw new Refused(REFUSALS.find((known) => known === reason) ?? "offline");
}

export const look = (): Promise<Look> => ask<Look>("look", {});

export const requestTicket = (name: string, visitor: string): Promise<Ticket> =>
  ask<Ticket>("token", { name, visitor });

/** The reason of any error: what the bridge said, else that it could not be asked. */
export const refusalOf = (error: unknown): Refusal => (error instanceof Refused ? error.reason : "offline");

/** What the page is opened with. It stands in the address's fragment, which no server sees. */

export interface Visit {
  homeserver: string;
  user: string;
  device: string;
  token: string;
  room: string;
  language: string;
  /** Address of a MatrixRTC authorization service, in place of the one that the homeserver advertises. */
  service: string | null;
  /** Whether to enter the call at once, with neither button nor lobby. */
  call: boolean;
  /** The meetings' pages: their origin, and a query for each. The one on the card is shown beside the room. */
  beside: string | null;
}

/** @throws Error if something is missing. */
export function readVisit(fragment: string): Visit {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const need = (key: string): string => {
    const value = given.get(key);
    if (!value) throw new Error(`The address lacks "${key}".`);
    return value;
  };
  return {
    homeserver: need("homeserver"),
    user: need("user"),
    device: need("device"),
    token: need("token"),
    room: need("room"),
    language: given.get("language") ?? navigator.language,
    service: given.get("service"),
    call: given.has("call"),
    beside: given.get("beside"),
  };
}

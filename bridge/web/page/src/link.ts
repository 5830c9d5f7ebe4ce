/** What the address of the page says, and what this tab remembers. */

import type { Language } from "./texts";

/** The call's id: the last part of the path, `/call/{id}`. */
export function callId(): string {
  return window.location.pathname.split("/").filter(Boolean).at(-1) ?? "";
}

/** The secret behind the `#`. It leaves the browser only in the body of a request to the bridge. */
export function secret(): string {
  return window.location.hash.slice(1);
}

const isLanguage = (code: string | null): code is Language => code === "fr" || code === "en";

/** `?lang=` first, then the browser's languages in their order, or null when it speaks neither. */
export function wantedLanguage(): Language | null {
  const asked = new URLSearchParams(window.location.search).get("lang");
  if (isLanguage(asked)) return asked;
  for (const tag of navigator.languages) {
    const code = tag.slice(0, 2).toLowerCase();
    if (isLanguage(code)) return code;
  }
  return null;
}

/** Writes the chosen language into the address, so that a reload keeps it. */
export function keepLanguage(language: Language): void {
  const url = new URL(window.location.href);
  url.searchParams.set("lang", language);
  window.history.replaceState(null, "", url);
}

const remembered = new Map<string, string>();

/** Reads from this tab's storage; a browser that forbids it gets a memory until the next reload. */
export function recall(key: string): string | null {
  try {
    return window.sessionStorage.getItem(key) ?? remembered.get(key) ?? null;
  } catch {
    return remembered.get(key) ?? null;
  }
}

export function remember(key: string, value: string): void {
  remembered.set(key, value);
  try {
    window.sessionStorage.setItem(key, value);
  } catch {
    // Storage forbidden or full: what the map holds must do.
  }
}

/** A random id of this tab: after a reload it is still the same person. */
export function visitor(): string {
  const known = recall("visitor");
  if (known !== null) return known;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const fresh = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  remember("visitor", fresh);
  return fresh;
}

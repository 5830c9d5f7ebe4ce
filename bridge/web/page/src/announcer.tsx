/** Says things to screen readers without moving the focus. */

import { createContext, type ReactNode, useCallback, useContext, useEffect, useRef, useState } from "react";

type Announce = (sentence: string) => void;

const Context = createContext<Announce>(() => {});

/** How long sentences are gathered before they are said in one go, and stay in the page. */
const GATHER_MS = 300;
const STAY_MS = 6_000;

export function Announcer({ children }: { children: ReactNode }) {
  const [said, setSaid] = useState("");
  const waiting = useRef<string[]>([]);
  const timer = useRef<number | undefined>(undefined);

  const announce = useCallback<Announce>((sentence) => {
    waiting.current.push(sentence);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => {
      setSaid(waiting.current.join(" "));
      waiting.current = [];
      timer.current = window.setTimeout(() => setSaid(""), STAY_MS);
    }, GATHER_MS);
  }, []);

  useEffect(() => () => window.clearTimeout(timer.current), []);

  return (
    <Context.Provider value={announce}>
      {children}
      <p className="unseen" role="status" aria-live="polite" data-testid="announcements">
        {said}
      </p>
    </Context.Provider>
  );
}

export const useAnnounce = (): Announce => useContext(Context);

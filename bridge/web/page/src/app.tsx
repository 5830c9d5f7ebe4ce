/** Which of the page's views is shown, and how one leads to the next. */

import { getLogger, isBrowserSupported, LoggerNames } from "livekit-client";
import { useCallback, useEffect, useState } from "react";

import { type Look, look as askLook, refusalOf, type Ticket } from "./api";
import { useSpeech } from "./language";
import { Lobby } from "./lobby";
import type { OwnTracks } from "./media";
import { type Departure, Meeting } from "./meeting";
import { Page } from "./shell";
import { Stopped, type Stop } from "./stopped";

type View =
  | { at: "loading" }
  | { at: "lobby"; look: Look }
  | { at: "meeting"; look: Look; ticket: Ticket; tracks: OwnTracks }
  | { at: "stopped"; stop: Stop; look: Look | null };

// The library's log names participants, and the console is read over people's shoulders. Not by
// its own `setLogLevel`, which would leave fifteen entries in the browser's storage.
for (const name of Object.values(LoggerNames)) getLogger(name).setLevel("silent", false);

/** A bad request from our own page can only mean a mangled link. */
const asStop = (error: unknown): Stop => {
  const refusal = refusalOf(error);
  return refusal === "bad_request" ? "wrong_link" : refusal;
};

/** Asks the bridge whether there is a better word than ours for why the SFU let go of us. */
async function explain(departure: Departure): Promise<Stop> {
  if (departure !== "lost" && departure !== "unreachable") return departure;
  try {
    const { count, max } = await askLook();
    if (departure === "lost") return "lost";
    return count >= max ? "full" : "unavailable";
  } catch (error) {
    const stop = asStop(error);
    return departure === "lost" && stop !== "over" ? "lost" : stop;
  }
}

export function App() {
  const { t, suggest } = useSpeech();
  const [view, setView] = useState<View>({ at: "loading" });

  const load = useCallback(async () => {
    if (!isBrowserSupported()) {
      setView({ at: "stopped", stop: "unsupported", look: null });
      return;
    }
    setView((old) => (old.at === "loading" ? old : { at: "loading" }));
    try {
      const found = await askLook();
      suggest(found.language);
      setView({ at: "lobby", look: found });
    } catch (error) {
      setView({ at: "stopped", stop: asStop(error), look: null });
    }
  }, [suggest]);

  // Once at the start, and again when a corrected link is pasted over the old one: only the
  // fragment changes then, and the browser does not load the page anew.
  const [link, setLink] = useState(window.location.hash);
  useEffect(() => {
    const changed = () => setLink(window.location.hash);
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  useEffect(() => void load(), [link]);

  switch (view.at) {
    case "loading":
      return (
        <Page title={t.brand}>
          <p className="loading" role="status">
            {t.loading}
          </p>
        </Page>
      );
    case "lobby":
      return (
        <Lobby
          look={view.look}
          onLook={(look) => setView({ at: "lobby", look })}
          onJoined={(ticket, tracks) => setView({ at: "meeting", look: view.look, ticket, tracks })}
          onRefused={(error) => setView({ at: "stopped", stop: asStop(error), look: view.look })}
        />
      );
    case "meeting":
      return (
        <Meeting
          subject={view.look.subject}
          ticket={view.ticket}
          tracks={view.tracks}
          onLeft={(departure) =>
            void explain(departure).then((stop) => setView({ at: "stopped", stop, look: view.look }))
          }
        />
      );
    case "stopped":
      return <Stopped stop={view.stop} onRetry={() => void load()} />;
  }
}

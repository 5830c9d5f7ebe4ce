/** One person's picture, or their initials, with the name in words. */

import {
  isTrackReference,
  type TrackReferenceOrPlaceholder,
  useConnectionQualityIndicator,
  useIsMuted,
  useIsSpeaking,
  VideoTrack,
} from "@livekit/components-react";
import { ConnectionQuality, Track } from "livekit-client";

import { MicrophoneOffIcon, ScreenIcon } from "./icons";
import { useTexts } from "./language";

export function Tile({ trackRef }: { trackRef: TrackReferenceOrPlaceholder }) {
  const t = useTexts();
  const { participant } = trackRef;
  const screen = trackRef.source === Track.Source.ScreenShare;
  const silent = useIsMuted({ participant, source: Track.Source.Microphone });
  const dark = useIsMuted(trackRef);
  const speaking = useIsSpeaking(participant);
  const { quality } = useConnectionQualityIndicator({ participant });
  const weak = quality === ConnectionQuality.Poor || quality === ConnectionQuality.Lost;

  const own = participant.isLocal;
  const name = participant.name || t.room.nobody;
  const label = screen ? (own ? t.room.yourScreen : t.room.screenOf(name)) : own ? `${name} (${t.room.you})` : name;
  // One's own screen inside itself is an endless corridor.
  const picture = isTrackReference(trackRef) && !dark && !(screen && own);

  return (
    <div className="tile" data-speaking={speaking && !screen} data-screen={screen} data-local={own}>
      {/* Under the picture too, so that the tile is not blank until the first frame. */}
      <div className="tile-empty" aria-hidden="true">
        {screen ? <ScreenIcon /> : <span className={`initials hue-${hueOf(participant.identity)}`}>{initials(name)}</span>}
      </div>
      {picture && (
        <VideoTrack trackRef={trackRef} className={own && !screen ? "mirrored" : ""} aria-hidden="true" />
      )}
      <p className="tile-label">
        {silent && !screen && (
          <>
            <MicrophoneOffIcon />
            <span className="unseen">{t.room.muted}, </span>
          </>
        )}
        <span className="tile-name">{label}</span>
        {weak && <span className="tile-weak">{t.room.weak}</span>}
      </p>
    </div>
  );
}

/** First letters of the first and the last word, as people write them by hand. */
export function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean);
  const picked = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return picked.map((word) => [...(word ?? "")][0] ?? "").join("").toLocaleUpperCase();
}

/** One of the style sheet's colours, always the same for the same person. */
function hueOf(identity: string): number {
  let sum = 0;
  for (const char of identity) sum = (sum * 31 + char.charCodeAt(0)) % 997;
  return sum % 6;
}

/** The list of who is in, with what they send. */

import { useIsMuted, useIsSpeaking } from "@livekit/components-react";
import { type Participant, Track } from "livekit-client";
import { useEffect, useRef } from "react";

import { CameraOffIcon, CloseIcon, MicrophoneIcon, MicrophoneOffIcon } from "./icons";
import { useTexts } from "./language";

export function People({ participants, onClose }: { participants: Participant[]; onClose: () => void }) {
  const t = useTexts();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <aside
      className="people"
      aria-labelledby="people-title"
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
    >
      <header>
        <h2 id="people-title" ref={heading} tabIndex={-1}>
          {t.room.peopleCount(participants.length)}
        </h2>
        <button type="button" className="plain icon-only" onClick={onClose}>
          <CloseIcon />
          <span className="unseen">{t.device.close}</span>
        </button>
      </header>
      <ul>
        {participants.map((participant) => (
          <Person key={participant.identity} participant={participant} />
        ))}
      </ul>
    </aside>
  );
}

function Person({ participant }: { participant: Participant }) {
  const t = useTexts();
  const silent = useIsMuted({ participant, source: Track.Source.Microphone });
  const unseen = useIsMuted({ participant, source: Track.Source.Camera });
  const speaking = useIsSpeaking(participant);
  return (
    <li data-speaking={speaking}>
      <span className="person-name">
        {participant.name || t.room.nobody}
        {participant.isLocal && ` (${t.room.you})`}
      </span>
      {unseen && (
        <span title={t.room.cameraOff}>
          <CameraOffIcon />
          <span className="unseen">{t.room.cameraOff}</span>
        </span>
      )}
      <span title={silent ? t.room.muted : t.room.unmuted}>
        {silent ? <MicrophoneOffIcon /> : <MicrophoneIcon />}
        <span className="unseen">{silent ? t.room.muted : t.room.unmuted}</span>
      </span>
    </li>
  );
}

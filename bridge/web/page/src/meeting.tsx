/** In the meeting: the connection to the SFU, and the frame around pictures and controls. */

import { RoomAudioRenderer, RoomContext, useConnectionState, useIsRecording, useParticipants } from "@livekit/components-react";
import { ConnectionState, DisconnectReason, Room, RoomEvent } from "livekit-client";
import { useEffect, useRef, useState } from "react";

import { useAnnounce } from "./announcer";
import type { Ticket } from "./api";
import { useArrivals } from "./arrivals";
import { Controls } from "./controls";
import { CloseIcon } from "./icons";
import { useTexts } from "./language";
import { chosenDevice, type Kind, type OwnTracks, problemOf } from "./media";
import { useMutedByOthers } from "./muted";
import { People } from "./people";
import { LanguageSwitch, useHeadingFocus, useTitle } from "./shell";
import { Stage } from "./stage";

/** How the meeting ended for this page. `unreachable` means that it never began. */
export type Departure = "left" | "over" | "removed" | "duplicate" | "lost" | "unreachable";

/** What went wrong with a device in mid-meeting. */
export type Mishap = { kind: Kind; error: unknown } | { kind: "screen" };

function departureFor(reason: DisconnectReason | undefined): Departure {
  switch (reason) {
    case DisconnectReason.CLIENT_INITIATED:
      return "left";
    case DisconnectReason.DUPLICATE_IDENTITY:
      return "duplicate";
    case DisconnectReason.PARTICIPANT_REMOVED:
      return "removed";
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return "over";
    default:
      return "lost";
  }
}

function newRoom(): Room {
  const [camera, microphone, speaker] = [
    chosenDevice("videoinput"),
    chosenDevice("audioinput"),
    chosenDevice("audiooutput"),
  ];
  return new Room({
    adaptiveStream: true,
    dynacast: true,
    ...(camera === undefined ? {} : { videoCaptureDefaults: { deviceId: camera } }),
    ...(microphone === undefined ? {} : { audioCaptureDefaults: { deviceId: microphone } }),
    ...(speaker === undefined ? {} : { audioOutput: { deviceId: speaker } }),
  });
}

interface MeetingProps {
  subject: string | null;
  ticket: Ticket;
  tracks: OwnTracks;
  onLeft: (departure: Departure) => void;
}

export function Meeting({ subject, ticket, tracks, onLeft }: MeetingProps) {
  const [room] = useState(newRoom);
  const [mishap, setMishap] = useState<Mishap | null>(null);
  const wantsOut = useRef(false);
  const left = useRef(onLeft);
  left.current = onLeft;

  useEffect(() => {
    let done = false;
    const leave = (departure: Departure) => {
      if (done) return;
      done = true;
      for (const track of [tracks.camera, tracks.microphone]) if (track !== "wanted") track?.stop();
      left.current(departure);
    };
    const publish = async (kind: Kind, track: OwnTracks[Kind]) => {
      const { localParticipant } = room;
      try {
        if (track === "wanted") {
          await (kind === "camera" ? localParticipant.setCameraEnabled(true) : localParticipant.setMicrophoneEnabled(true));
        } else if (track !== null) {
          await localParticipant.publishTrack(track);
        }
      } catch (error) {
        if (!done) setMishap({ kind, error });
      }
    };
    const connect = async () => {
      // `iceServers` is given even when it is empty: without it the library takes the SFU's list,
      // whose default is public STUN servers of strangers.
      const rtcConfig = { iceServers: ticket.ice_servers };
      try {
        await room.connect(ticket.sfu_url, ticket.token, { rtcConfig });
      } catch {
        leave(wantsOut.current ? "left" : "unreachable");
        return;
      }
      connected = true;
      await Promise.all([publish("microphone", tracks.microphone), publish("camera", tracks.camera)]);
    };
    let connected = false;
    room.on(RoomEvent.Disconnected, (reason) => {
      const departure = departureFor(reason);
      // While connecting the library reports some failures here and some by its exception.
      if (connected || departure !== "lost") leave(departure);
    });
    void connect();
    return () => {
      done = true;
      room.removeAllListeners();
      void room.disconnect();
    };
  }, [room, ticket, tracks]);

  const walkOut = () => {
    wantsOut.current = true;
    void room.disconnect();
  };

  return (
    <RoomContext.Provider value={room}>
      <Frame room={room} subject={subject} mishap={mishap} setMishap={setMishap} onLeave={walkOut} />
      <RoomAudioRenderer />
    </RoomContext.Provider>
  );
}

interface FrameProps {
  room: Room;
  subject: string | null;
  mishap: Mishap | null;
  setMishap: (mishap: Mishap | null) => void;
  onLeave: () => void;
}

function Frame({ room, subject, mishap, setMishap, onLeave }: FrameProps) {
  const t = useTexts();
  const heading = useHeadingFocus("meeting");
  const state = useConnectionState(room);
  const participants = useParticipants({ room });
  const recording = useIsRecording(room);
  const [mutedByOthers, forgetMuted] = useMutedByOthers(room);
  const [peopleOpen, setPeopleOpen] = useState(false);
  const peopleButton = useRef<HTMLButtonElement>(null);
  const closePeople = () => {
    setPeopleOpen(false);
    peopleButton.current?.focus();
  };
  useTitle(t.room.pageTitle(subject));
  useArrivals(room);
  useConnectionWords(state);

  const connecting = state === ConnectionState.Connecting || state === ConnectionState.Disconnected;
  const reconnecting = state === ConnectionState.Reconnecting || state === ConnectionState.SignalReconnecting;

  return (
    <div className="meeting">
      <header className="meeting-header">
        <h1 ref={heading} tabIndex={-1}>
          {subject ?? t.meeting}
        </h1>
        {recording && <p className="badge">{t.room.recording}</p>}
        <LanguageSwitch />
      </header>
      <main className="meeting-main">
        {reconnecting && <p className="strip">{t.room.reconnecting}</p>}
        {mutedByOthers && <Note words={t.room.mutedByOthers} onClose={forgetMuted} />}
        {mishap !== null && <MishapNote mishap={mishap} onClose={() => setMishap(null)} />}
        <div className="meeting-body" data-people={peopleOpen}>
          {connecting ? <p className="loading">{t.room.connecting}</p> : <Stage />}
          {peopleOpen && <People participants={participants} onClose={closePeople} />}
        </div>
      </main>
      <Controls
        room={room}
        ready={!connecting}
        count={participants.length}
        peopleOpen={peopleOpen}
        peopleButton={peopleButton}
        onPeople={() => setPeopleOpen((open) => !open)}
        onLeave={onLeave}
        onMishap={setMishap}
      />
    </div>
  );
}

/** Says connecting, connected, lost and found again, once each. */
function useConnectionWords(state: ConnectionState): void {
  const t = useTexts();
  const announce = useAnnounce();
  const before = useRef<ConnectionState | null>(null);
  useEffect(() => {
    const was = before.current;
    before.current = state;
    if (was === state) return;
    if (state === ConnectionState.Connected) {
      const found = was === ConnectionState.Reconnecting || was === ConnectionState.SignalReconnecting;
      announce(found ? t.room.reconnected : t.room.connected);
    } else if (was === ConnectionState.Connected && state !== ConnectionState.Disconnected) {
      announce(t.room.reconnecting);
    } else if (was === null) {
      announce(t.room.connecting);
    }
  }, [state, announce, t]);
}

function MishapNote({ mishap, onClose }: { mishap: Mishap; onClose: () => void }) {
  const t = useTexts();
  const words =
    mishap.kind === "screen" ? t.problem.screen : t.problem[mishap.kind][problemOf(mishap.error)];
  return <Note words={words} onClose={onClose} />;
}

/** Something to know now, read out at once by screen readers. */
function Note({ words, onClose }: { words: string; onClose: () => void }) {
  const t = useTexts();
  return (
    <div className="strip">
      <p role="alert">{words}</p>
      <button type="button" className="plain icon-only" onClick={onClose}>
        <CloseIcon />
        <span className="unseen">{t.problem.dismiss}</span>
      </button>
    </div>
  );
}

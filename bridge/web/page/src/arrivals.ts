/** Tells screen readers who comes, goes and shows a screen, without flooding them. */

import { type Participant, type RemoteTrackPublication, type Room, RoomEvent, Track } from "livekit-client";
import { useEffect } from "react";

import { useAnnounce } from "./announcer";
import { useTexts } from "./language";

/** Comings and goings within this time become one sentence. */
const WINDOW_MS = 700;
/** More than this many at once are counted, not named. */
const NAMED = 3;

export function useArrivals(room: Room): void {
  const t = useTexts();
  const announce = useAnnounce();

  useEffect(() => {
    let came: string[] = [];
    let went: string[] = [];
    let timer: number | undefined;
    const nameOf = (participant: Participant) => participant.name || t.room.nobody;

    const say = () => {
      timer = undefined;
      const tell = (names: string[], one: (name: string) => string, many: (n: number) => string) => {
        if (names.length > NAMED) announce(many(names.length));
        else for (const name of names) announce(one(name));
      };
      tell(came, t.room.joined, t.room.manyJoined);
      tell(went, t.room.left, t.room.manyLeft);
      came = [];
      went = [];
    };
    const soon = () => {
      timer ??= window.setTimeout(say, WINDOW_MS);
    };
    const onCame = (participant: Participant) => {
      came.push(nameOf(participant));
      soon();
    };
    const onWent = (participant: Participant) => {
      went.push(nameOf(participant));
      soon();
    };
    const onTrack = (publication: RemoteTrackPublication, participant: Participant) => {
      if (publication.source === Track.Source.ScreenShare) announce(t.room.shares(nameOf(participant)));
    };
    const onTrackGone = (publication: RemoteTrackPublication, participant: Participant) => {
      if (publication.source === Track.Source.ScreenShare) announce(t.room.stoppedSharing(nameOf(participant)));
    };

    room
      .on(RoomEvent.ParticipantConnected, onCame)
      .on(RoomEvent.ParticipantDisconnected, onWent)
      .on(RoomEvent.TrackPublished, onTrack)
      .on(RoomEvent.TrackUnpublished, onTrackGone);
    return () => {
      window.clearTimeout(timer);
      room
        .off(RoomEvent.ParticipantConnected, onCame)
        .off(RoomEvent.ParticipantDisconnected, onWent)
        .off(RoomEvent.TrackPublished, onTrack)
        .off(RoomEvent.TrackUnpublished, onTrackGone);
    };
  }, [room, announce, t]);
}

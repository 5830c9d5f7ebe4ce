/** Whether an organiser has switched this page's microphone off. */

import { EngineEvent, ParticipantEvent, type Room, Track, type TrackPublication } from "livekit-client";
import { useEffect, useState } from "react";

/**
 * True from the moment when the SFU mutes the microphone until it is on again. Only the SFU's own word
 * counts: a track is also muted by its owner, and by a device that was unplugged.
 *
 * The second value lets go of it early, as when the notice was closed.
 */
export function useMutedByOthers(room: Room): [boolean, () => void] {
  const [muted, setMuted] = useState(false);

  useEffect(() => {
    const isMicrophone = (publication: TrackPublication | undefined) =>
      publication?.source === Track.Source.Microphone;
    const onRemoteMute = (sid: string, off: boolean) => {
      if (isMicrophone(room.localParticipant.trackPublications.get(sid))) setMuted(off);
    };
    const onOpened = (publication: TrackPublication) => {
      if (isMicrophone(publication)) setMuted(false);
    };
    // Kept, because the room lets go of its engine when it is left.
    const { engine } = room;
    engine.on(EngineEvent.RemoteMute, onRemoteMute);
    room.localParticipant.on(ParticipantEvent.TrackUnmuted, onOpened).on(ParticipantEvent.LocalTrackPublished, onOpened);
    return () => {
      engine.off(EngineEvent.RemoteMute, onRemoteMute);
      room.localParticipant.off(ParticipantEvent.TrackUnmuted, onOpened).off(ParticipantEvent.LocalTrackPublished, onOpened);
    };
  }, [room]);

  return [muted, () => setMuted(false)];
}

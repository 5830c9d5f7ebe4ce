/** Stands for Visio in tests: a bare livekit-client whose state the test reads and commands. */

import {
  type Participant,
  type RemoteParticipant,
  type RemoteTrack,
  Room,
  RoomEvent,
  ScreenSharePresets,
  Track,
  VideoPreset,
} from "livekit-client";

/** What arrived from one participant. */
interface Arrived {
  name: string;
  frames: number;
  sound: number;
  energy: number;
  /** Decoded frames of a shared screen. */
  screen: number;
}

const room = new Room({
  adaptiveStream: false,
  dynacast: false,
  publishDefaults: { simulcast: false, videoEncoding: { maxBitrate: 150_000, maxFramerate: 8 } },
  videoCaptureDefaults: { resolution: new VideoPreset(320, 180, 150_000, 8).resolution },
});

room.on(RoomEvent.TrackSubscribed, (track: RemoteTrack, _, who: RemoteParticipant) => {
  const media = track.attach();
  media.dataset.identity = who.identity;
  document.body.append(media);
});
room.on(RoomEvent.TrackUnsubscribed, (track: RemoteTrack) => {
  for (const media of track.detach()) media.remove();
});

function list(): void {
  const names = [...room.remoteParticipants.values()].map((who) => {
    const item = document.createElement("li");
    item.textContent = who.name || who.identity;
    return item;
  });
  document.getElementById("people")?.replaceChildren(...names);
}
for (const event of [
  RoomEvent.Connected,
  RoomEvent.ParticipantConnected,
  RoomEvent.ParticipantDisconnected,
  RoomEvent.ParticipantNameChanged,
] as const) {
  room.on(event, list);
}

async function arrivedFrom(who: Participant): Promise<Arrived> {
  const arrived: Arrived = { name: who.name ?? "", frames: 0, sound: 0, energy: 0, screen: 0 };
  for (const publication of who.trackPublications.values()) {
    const statistics = await (publication.track as RemoteTrack | undefined)?.getRTCStatsReport();
    for (const report of statistics?.values() ?? []) {
      if (report.type !== "inbound-rtp") continue;
      if (publication.source === Track.Source.ScreenShare) arrived.screen += report.framesDecoded ?? 0;
      else if (report.kind === "video") arrived.frames += report.framesDecoded ?? 0;
      if (report.kind !== "audio") continue;
      arrived.sound += report.packetsReceived ?? 0;
      arrived.energy += report.totalAudioEnergy ?? 0;
    }
  }
  return arrived;
}

const visio = {
  /** Enter with camera and microphone. */
  async join(url: string, token: string): Promise<string> {
    await room.connect(url, token, { rtcConfig: { iceServers: [] } });
    await room.startAudio();
    await room.localParticipant.setMicrophoneEnabled(true);
    await room.localParticipant.setCameraEnabled(true);
    return room.localParticipant.identity;
  },
  leave: (): Promise<void> => room.disconnect(),
  shareScreen: async (on: boolean): Promise<void> => {
    const { resolution } = ScreenSharePresets.h360fps3;
    await room.localParticipant.setScreenShareEnabled(on, { resolution });
  },
  /** What arrived so far, by identity of the sender. */
  async arrived(): Promise<Record<string, Arrived>> {
    const people = [...room.remoteParticipants.values()];
    return Object.fromEntries(await Promise.all(people.map(async (who) => [who.identity, await arrivedFrom(who)])));
  },
  state: (): string => room.state,
};

declare global {
  interface Window {
    visio: typeof visio;
  }
}
window.visio = visio;

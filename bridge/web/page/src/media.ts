/** Camera and microphone before the meeting: preview, choice of devices, and what can go wrong. */

import {
  createLocalAudioTrack,
  createLocalTracks,
  createLocalVideoTrack,
  LocalAudioTrack,
  LocalVideoTrack,
  MediaDeviceFailure,
} from "livekit-client";
import { useCallback, useEffect, useRef, useState } from "react";

import { recall, remember } from "./link";

export type Kind = "camera" | "microphone";

/** What stands in the way of a device; each has a sentence of its own. */
export type Problem = "refused" | "absent" | "busy" | "insecure";

export type Device<T> =
  | { status: "asking" | "off"; track: null; problem: null }
  | { status: "on"; track: T; problem: null }
  | { status: "failed"; track: null; problem: Problem };

const ASKING = { status: "asking", track: null, problem: null } as const;
const OFF = { status: "off", track: null, problem: null } as const;

/** Reads a getUserMedia error as one of the problems that the page has words for. */
export function problemOf(error: unknown): Problem {
  if (typeof navigator.mediaDevices === "undefined") return "insecure";
  const name = error instanceof Error ? error.name : "";
  if (name === "SecurityError") return "refused";
  if (name === "OverconstrainedError") return "absent";
  switch (MediaDeviceFailure.getFailure(error instanceof Error ? error : new Error(name))) {
    case MediaDeviceFailure.PermissionDenied:
      return "refused";
    case MediaDeviceFailure.NotFound:
      return "absent";
    default:
      return "busy";
  }
}

/** Which device this tab last chose; undefined is the browser's default. */
export const chosenDevice = (kind: MediaDeviceKind): string | undefined => recall(kind) ?? undefined;
export const chooseDevice = (kind: MediaDeviceKind, id: string): void => remember(kind, id);

const exactly = (kind: MediaDeviceKind): { deviceId?: string } => {
  const id = chosenDevice(kind);
  return id === undefined ? {} : { deviceId: id };
};

async function open<T>(make: () => Promise<T>): Promise<Device<T>> {
  if (typeof navigator.mediaDevices === "undefined") {
    return { status: "failed", track: null, problem: "insecure" };
  }
  try {
    return { status: "on", track: await make(), problem: null };
  } catch (error) {
    return { status: "failed", track: null, problem: problemOf(error) };
  }
}

const openCamera = () => open(() => createLocalVideoTrack(exactly("videoinput")));
const openMicrophone = () => open(() => createLocalAudioTrack(exactly("audioinput")));

/**
 * Both devices with one browser dialogue, or null. Asking for both at once fails as a whole when
 * one of them is refused or missing; asking for each by itself then says which.
 */
async function openBoth(): Promise<[LocalVideoTrack, LocalAudioTrack] | null> {
  if (typeof navigator.mediaDevices === "undefined") return null;
  try {
    const tracks = await createLocalTracks({ video: exactly("videoinput"), audio: exactly("audioinput") });
    const camera = tracks.find((track): track is LocalVideoTrack => track instanceof LocalVideoTrack);
    const microphone = tracks.find((track): track is LocalAudioTrack => track instanceof LocalAudioTrack);
    return camera && microphone ? [camera, microphone] : null;
  } catch {
    return null;
  }
}

/**
 * What somebody brings into the meeting: an open track, null for a device that is off or cannot be
 * had, or "wanted" when they joined before the browser had answered.
 */
export interface OwnTracks {
  camera: LocalVideoTrack | "wanted" | null;
  microphone: LocalAudioTrack | "wanted" | null;
}

export interface Preview {
  camera: Device<LocalVideoTrack>;
  microphone: Device<LocalAudioTrack>;
  toggle: (kind: Kind) => void;
  choose: (kind: Kind, deviceId: string) => void;
  /** Hands the tracks over to the meeting; the preview no longer stops them. */
  release: () => OwnTracks;
}

/** The devices of the lobby. Tracks are stopped with it unless they were released. */
export function usePreview(): Preview {
  const [camera, setCamera] = useState<Device<LocalVideoTrack>>(ASKING);
  const [microphone, setMicrophone] = useState<Device<LocalAudioTrack>>(ASKING);
  const held = useRef({ camera, microphone, released: false });
  held.current.camera = camera;
  held.current.microphone = microphone;

  // Only the last thing asked of a device counts: what an earlier request opens late is closed.
  const turns = useRef({ camera: 0, microphone: 0 });
  const start = useCallback(async (kind: Kind) => {
    const turn = ++turns.current[kind];
    const late = (device: Device<LocalVideoTrack> | Device<LocalAudioTrack>) => {
      const isLate = turns.current[kind] !== turn;
      if (isLate) device.track?.stop();
      return isLate;
    };
    if (kind === "camera") {
      setCamera(ASKING);
      const device = await openCamera();
      if (!late(device)) setCamera(device);
    } else {
      setMicrophone(ASKING);
      const device = await openMicrophone();
      if (!late(device)) setMicrophone(device);
    }
  }, []);

  useEffect(() => {
    const turn = turns.current;
    const last = held.current;
    let gone = false;
    void (async () => {
      const wanted = { camera: recall("camera") !== "off", microphone: recall("microphone") !== "off" };
      if (!wanted.camera) setCamera(OFF);
      if (!wanted.microphone) setMicrophone(OFF);
      const both = wanted.camera && wanted.microphone ? await openBoth() : null;
      if (gone) {
        for (const track of both ?? []) track.stop();
      } else if (both !== null) {
        setCamera({ status: "on", track: both[0], problem: null });
        setMicrophone({ status: "on", track: both[1], problem: null });
      } else {
        if (wanted.camera) void start("camera");
        if (wanted.microphone) void start("microphone");
      }
    })();
    return () => {
      gone = true;
      turn.camera += 1;
      turn.microphone += 1;
      if (last.released) return;
      last.camera.track?.stop();
      last.microphone.track?.stop();
    };
  }, [start]);

  const toggle = useCallback(
    (kind: Kind) => {
      const { status, track } = held.current[kind];
      if (status === "asking") return;
      track?.stop();
      remember(kind, status === "on" ? "off" : "on");
      if (status !== "on") void start(kind);
      else if (kind === "camera") setCamera(OFF);
      else setMicrophone(OFF);
    },
    [start],
  );

  const choose = useCallback(
    (kind: Kind, deviceId: string) => {
      chooseDevice(kind === "camera" ? "videoinput" : "audioinput", deviceId);
      const { status, track } = held.current[kind];
      if (status === "off") return;
      track?.stop();
      void start(kind);
    },
    [start],
  );

  const release = useCallback(() => {
    const { camera, microphone } = held.current;
    held.current.released = true;
    return {
      camera: camera.status === "asking" ? ("wanted" as const) : camera.track,
      microphone: microphone.status === "asking" ? ("wanted" as const) : microphone.track,
    };
  }, []);

  return { camera, microphone, toggle, choose, release };
}

/** The devices of one kind, kept up to date; `renewed` changes when a permission may have been given. */
export function useDevices(kind: MediaDeviceKind, renewed: unknown): MediaDeviceInfo[] {
  const [devices, setDevices] = useState<MediaDeviceInfo[]>([]);
  useEffect(() => {
    const media: MediaDevices | undefined = navigator.mediaDevices;
    if (media === undefined) return;
    let gone = false;
    const list = async () => {
      const all = await media.enumerateDevices();
      // Before the permission browsers list nameless devices without an id: nothing to choose from.
      if (!gone) setDevices(all.filter((device) => device.kind === kind && device.deviceId !== ""));
    };
    void list();
    media.addEventListener("devicechange", list);
    return () => {
      gone = true;
      media.removeEventListener("devicechange", list);
    };
  }, [kind, renewed]);
  return devices;
}

/** How loud the microphone is, 0 to 1, for the meter. */
export function useLevel(track: LocalAudioTrack | null): number {
  const [level, setLevel] = useState(0);
  useEffect(() => {
    if (track === null) return;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 512;
    context.createMediaStreamSource(new MediaStream([track.mediaStreamTrack])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const timer = window.setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      const decibels = 10 * Math.log10(power + 1e-10);
      setLevel(Math.min(1, Math.max(0, (decibels + 60) / 50)));
    }, 100);
    return () => {
      window.clearInterval(timer);
      setLevel(0);
      void context.close();
    };
  }, [track]);
  return level;
}

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

export interface Preview {
  camera: Device<LocalVideoTrack>;
  microphone: Device<LocalAudioTrack>;
  toggle: (kind: Kind) => void;
  choose: (kind: Kind, deviceId: string) => void;
  /** Hands the tracks over to the meeting; the preview no longer stops them. */
  release: () => { camera: LocalVideoTrack | null; microphone: LocalAudioTrack | null };
}

/** The devices of the lobby. Tracks are stopped with it unless they were released. */
export function usePreview(): Preview {
  const [camera, setCamera] = useState<Device<LocalVideoTrack>>(ASKING);
  const [microphone, setMicrophone] = useState<Device<LocalAudioTrack>>(ASKING);
  const current = useRef({ camera, microphone, gone: false });
  current.current.camera = camera;
  current.current.microphone = microphone;

  const startCamera = useCallback(async () => {
    const device = await openCamera();
    if (current.current.gone) device.track?.stop();
    else setCamera(device);
  }, []);
  const startMicrophone = useCallback(async () => {
    const device = await openMicrophone();
    if (current.current.gone) device.track?.stop();
    else setMicrophone(device);
  }, []);

  useEffect(() => {
    const held = current.current;
    held.gone = false;
    void (async () => {
      const wanted = { camera: recall("camera") !== "off", microphone: recall("microphone") !== "off" };
      const both = wanted.camera && wanted.microphone ? await openBoth() : null;
      if (held.gone) {
        for (const track of both ?? []) track.stop();
        return;
      }
      if (both !== null) {
        setCamera({ status: "on", track: both[0], problem: null });
        setMicrophone({ status: "on", track: both[1], problem: null });
        return;
      }
      await Promise.all([
        wanted.microphone ? startMicrophone() : setMicrophone(OFF),
        wanted.camera ? startCamera() : setCamera(OFF),
      ]);
    })();
    return () => {
      held.gone = true;
      held.camera.track?.stop();
      held.microphone.track?.stop();
    };
  }, [startCamera, startMicrophone]);

  const toggle = useCallback(
    (kind: Kind) => {
      const device = current.current[kind];
      if (device.status === "asking") return;
      const off = device.status === "on";
      device.track?.stop();
      remember(kind, off ? "off" : "on");
      if (kind === "camera") setCamera(off ? OFF : ASKING);
      else setMicrophone(off ? OFF : ASKING);
      if (!off) void (kind === "camera" ? startCamera() : startMicrophone());
    },
    [startCamera, startMicrophone],
  );

  const choose = useCallback(
    (kind: Kind, deviceId: string) => {
      chooseDevice(kind === "camera" ? "videoinput" : "audioinput", deviceId);
      const device = current.current[kind];
      if (device.status === "off") return;
      device.track?.stop();
      void (kind === "camera" ? startCamera() : startMicrophone());
    },
    [startCamera, startMicrophone],
  );

  const release = useCallback(() => {
    const held = current.current;
    const tracks = { camera: held.camera.track, microphone: held.microphone.track };
    held.camera = OFF;
    held.microphone = OFF;
    return tracks;
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

/** The bar of controls: switches for what one sends, and the way out. */

import { useLocalParticipant, useStartAudio } from "@livekit/components-react";
import type { Room } from "livekit-client";
import { type ReactNode, type RefObject, useRef } from "react";

import { DeviceDialog } from "./devices";
import {
  CameraIcon,
  CameraOffIcon,
  LeaveIcon,
  MicrophoneIcon,
  MicrophoneOffIcon,
  PeopleIcon,
  ScreenIcon,
  SettingsIcon,
  SoundIcon,
} from "./icons";
import { useTexts } from "./language";
import type { Mishap } from "./meeting";

interface ControlsProps {
  room: Room;
  ready: boolean;
  count: number;
  peopleOpen: boolean;
  peopleButton: RefObject<HTMLButtonElement | null>;
  onPeople: () => void;
  onLeave: () => void;
  onMishap: (mishap: Mishap | null) => void;
}

export function Controls(props: ControlsProps) {
  const { room, ready, count, peopleOpen, peopleButton, onPeople, onLeave, onMishap } = props;
  const t = useTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  const { localParticipant, isMicrophoneEnabled, isCameraEnabled, isScreenShareEnabled } = useLocalParticipant({ room });
  const { canPlayAudio, mergedProps } = useStartAudio({ room, props: {} });

  const attempt = async (action: Promise<unknown>, mishap: (error: unknown) => Mishap | null) => {
    try {
      await action;
      onMishap(null);
    } catch (error) {
      onMishap(mishap(error));
    }
  };
  const toggleMicrophone = () =>
    void attempt(localParticipant.setMicrophoneEnabled(!isMicrophoneEnabled), (error) => ({
      kind: "microphone",
      error,
    }));
  const toggleCamera = () =>
    void attempt(localParticipant.setCameraEnabled(!isCameraEnabled), (error) => ({ kind: "camera", error }));
  const toggleScreen = () =>
    void attempt(localParticipant.setScreenShareEnabled(!isScreenShareEnabled, { audio: true }), (error) =>
      // Closing the browser's chooser is a decision, not an error.
      error instanceof Error && error.name === "NotAllowedError" ? null : { kind: "screen" },
    );

  return (
    <section className="controls" aria-label={t.room.controls}>
      {!canPlayAudio && (
        <button type="button" className="control sound" onClick={mergedProps.onClick}>
          <SoundIcon />
          <span>{t.room.hear}</span>
        </button>
      )}
      <Switch label={t.room.microphone} on={isMicrophoneEnabled} ready={ready} onToggle={toggleMicrophone}>
        {isMicrophoneEnabled ? <MicrophoneIcon /> : <MicrophoneOffIcon />}
      </Switch>
      <Switch label={t.room.camera} on={isCameraEnabled} ready={ready} onToggle={toggleCamera}>
        {isCameraEnabled ? <CameraIcon /> : <CameraOffIcon />}
      </Switch>
      {"getDisplayMedia" in (navigator.mediaDevices ?? {}) && (
        <Switch label={t.room.share} on={isScreenShareEnabled} ready={ready} onToggle={toggleScreen} quiet>
          <ScreenIcon />
        </Switch>
      )}
      <button
        ref={peopleButton}
        type="button"
        className="control"
        aria-expanded={peopleOpen}
        aria-label={`${t.room.people} (${count})`}
        onClick={onPeople}
      >
        <PeopleIcon />
        <span>
          {t.room.people} ({count})
        </span>
      </button>
      <button type="button" className="control" aria-haspopup="dialog" onClick={() => dialog.current?.showModal()}>
        <SettingsIcon />
        <span>{t.device.open}</span>
      </button>
      <button type="button" className="control leave" onClick={onLeave}>
        <LeaveIcon />
        <span>{t.room.leave}</span>
      </button>
      <DeviceDialog room={room} dialog={dialog} />
    </section>
  );
}

interface SwitchProps {
  label: string;
  on: boolean;
  ready: boolean;
  onToggle: () => void;
  children: ReactNode;
  /** Off is the ordinary state, so it is not painted as a warning. */
  quiet?: boolean;
}

function Switch({ label, on, ready, onToggle, children, quiet = false }: SwitchProps) {
  return (
    <button
      type="button"
      role="switch"
      className={quiet ? "control quiet" : "control"}
      aria-checked={on}
      aria-disabled={!ready}
      title={label}
      onClick={() => {
        if (ready) onToggle();
      }}
    >
      {children}
      <span>{label}</span>
    </button>
  );
}

/** Choosing cameras, microphones and speakers: native selects, which every assistive tool knows. */

import { useMediaDeviceSelect } from "@livekit/components-react";
import { type Room, supportsAudioOutputSelection } from "livekit-client";
import { type RefObject, useId } from "react";

import { CloseIcon } from "./icons";
import { useTexts } from "./language";
import { chooseDevice } from "./media";

interface DeviceSelectProps {
  label: string;
  devices: MediaDeviceInfo[];
  active: string | undefined;
  onChoose: (deviceId: string) => void;
}

export function DeviceSelect({ label, devices, active, onChoose }: DeviceSelectProps) {
  const t = useTexts();
  const id = useId();
  const shown = devices.some((device) => device.deviceId === active) ? active : devices[0]?.deviceId;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        value={shown ?? ""}
        disabled={devices.length === 0}
        onChange={(event) => onChoose(event.target.value)}
      >
        {devices.length === 0 && <option value="">{t.device.none}</option>}
        {devices.map((device, index) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.deviceId === "default" ? t.device.byDefault : device.label || t.device.unnamed(index + 1)}
          </option>
        ))}
      </select>
    </div>
  );
}

function RoomDeviceSelect({ room, kind, label }: { room: Room; kind: MediaDeviceKind; label: string }) {
  const { devices, activeDeviceId, setActiveMediaDevice } = useMediaDeviceSelect({ kind, room });
  return (
    <DeviceSelect
      label={label}
      devices={devices.filter((device) => device.deviceId !== "")}
      active={activeDeviceId}
      onChoose={(id) => {
        chooseDevice(kind, id);
        void setActiveMediaDevice(id).catch(() => undefined);
      }}
    />
  );
}

/** The dialogue with the device menus during the meeting. */
export function DeviceDialog({ room, dialog }: { room: Room; dialog: RefObject<HTMLDialogElement | null> }) {
  const t = useTexts();
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="devices-title">
      <header>
        <h2 id="devices-title">{t.device.title}</h2>
        <button type="button" className="plain icon-only" onClick={() => dialog.current?.close()}>
          <CloseIcon />
          <span className="unseen">{t.device.close}</span>
        </button>
      </header>
      <RoomDeviceSelect room={room} kind="videoinput" label={t.device.camera} />
      <RoomDeviceSelect room={room} kind="audioinput" label={t.device.microphone} />
      {supportsAudioOutputSelection() && (
        <RoomDeviceSelect room={room} kind="audiooutput" label={t.device.speaker} />
      )}
    </dialog>
  );
}

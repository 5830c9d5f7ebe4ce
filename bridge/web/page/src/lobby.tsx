/** Before the meeting: name, a look in the mirror, choice of devices, and the door. */

import { type FormEvent, useEffect, useRef, useState } from "react";

import { type Look, look as askLook, Refused, requestTicket, type Ticket } from "./api";
import { DeviceSelect } from "./devices";
import { CameraIcon, CameraOffIcon, HeadphonesIcon, MicrophoneIcon, MicrophoneOffIcon } from "./icons";
import { useTexts } from "./language";
import { recall, remember, visitor } from "./link";
import {
  chosenDevice,
  chooseDevice,
  type OwnTracks,
  type Preview,
  useDevices,
  useLevel,
  usePreview,
} from "./media";
import { Page, useHeadingFocus } from "./shell";

const MAX_NAME = 40;

/** How often the number of people is looked up again while somebody waits at the door. */
const LOOK_AGAIN_MS = 15_000;

interface LobbyProps {
  look: Look;
  onLook: (look: Look) => void;
  onJoined: (ticket: Ticket, tracks: OwnTracks) => void;
  onRefused: (error: unknown) => void;
}

export function Lobby({ look, onLook, onJoined, onRefused }: LobbyProps) {
  const t = useTexts();
  useLookAgain(onLook, onRefused);
  const preview = usePreview();
  const heading = useHeadingFocus("lobby");

  return (
    <Page title={t.lobby.pageTitle(look.subject)}>
      <div className="lobby">
        <div className="lobby-text">
          <h1 ref={heading} tabIndex={-1}>
            {t.lobby.title(look.subject)}
          </h1>
          <p className="lead">{t.lobby.people(look.count)}</p>
        </div>
        <Mirror preview={preview} />
        <JoinForm preview={preview} onJoined={onJoined} onRefused={onRefused} />
        <LobbyDevices preview={preview} />
      </div>
    </Page>
  );
}

/** Keeps the number of people right, and notices when the meeting ends before one came in. */
function useLookAgain(onLook: (look: Look) => void, onRefused: (error: unknown) => void): void {
  const handlers = useRef({ onLook, onRefused });
  handlers.current = { onLook, onRefused };
  useEffect(() => {
    let gone = false;
    const again = async () => {
      if (document.hidden) return;
      try {
        const found = await askLook();
        if (!gone) handlers.current.onLook(found);
      } catch (error) {
        // A bridge that is away for a moment is no reason to take the form from under the fingers.
        if (!gone && error instanceof Refused && error.reason === "over") handlers.current.onRefused(error);
      }
    };
    const timer = window.setInterval(() => void again(), LOOK_AGAIN_MS);
    return () => {
      gone = true;
      window.clearInterval(timer);
    };
  }, []);
}

function Mirror({ preview }: { preview: Preview }) {
  const t = useTexts();
  const { camera, microphone } = preview;
  const video = useRef<HTMLVideoElement>(null);

  useEffect(() => {
    const element = video.current;
    if (element === null || camera.track === null) return;
    camera.track.attach(element);
    return () => {
      camera.track.detach(element);
    };
  }, [camera.track]);

  return (
    <section className="mirror" aria-label={t.lobby.preview}>
      <div className="mirror-picture">
        {camera.status === "on" ? (
          <video ref={video} className="mirrored" muted playsInline aria-hidden="true" />
        ) : (
          <p className="mirror-words" data-asking={camera.status === "asking"}>
            {camera.status === "asking" ? t.problem.asking : t.problem.cameraOff}
          </p>
        )}
        <div className="mirror-buttons">
          <button
            type="button"
            role="switch"
            className="round"
            aria-checked={microphone.status === "on"}
            aria-label={t.device.microphone}
            title={t.device.microphone}
            onClick={() => preview.toggle("microphone")}
          >
            {microphone.status === "on" ? <MicrophoneIcon /> : <MicrophoneOffIcon />}
          </button>
          <button
            type="button"
            role="switch"
            className="round"
            aria-checked={camera.status === "on"}
            aria-label={t.device.camera}
            title={t.device.camera}
            onClick={() => preview.toggle("camera")}
          >
            {camera.status === "on" ? <CameraIcon /> : <CameraOffIcon />}
          </button>
        </div>
      </div>
      <LevelMeter preview={preview} />
      <div role="status">
        {camera.status === "failed" && <p className="notice">{t.problem.camera[camera.problem]}</p>}
        {microphone.status === "failed" && <p className="notice">{t.problem.microphone[microphone.problem]}</p>}
      </div>
    </section>
  );
}

function LevelMeter({ preview }: { preview: Preview }) {
  const t = useTexts();
  const level = useLevel(preview.microphone.track);
  return <meter className="level" aria-label={t.lobby.level} min={0} max={1} value={level} />;
}

function JoinForm({ preview, onJoined, onRefused }: Pick<LobbyProps, "onJoined" | "onRefused"> & { preview: Preview }) {
  const t = useTexts();
  const [name, setName] = useState(() => recall("name") ?? "");
  const [problem, setProblem] = useState<"missing" | "unreadable" | null>(null);
  const [joining, setJoining] = useState(false);
  const field = useRef<HTMLInputElement>(null);

  const complain = (about: "missing" | "unreadable") => {
    setProblem(about);
    field.current?.focus();
  };

  const join = async (withCamera: boolean) => {
    if (joining) return;
    const typed = name.trim();
    if (typed === "") return complain("missing");
    remember("name", typed);
    setJoining(true);
    try {
      const ticket = await requestTicket(typed, visitor());
      const { camera, microphone } = preview.release();
      if (!withCamera && camera !== "wanted") camera?.stop();
      onJoined(ticket, { camera: withCamera ? camera : null, microphone });
    } catch (error) {
      setJoining(false);
      // The name is the only thing in this request that a person can have got wrong.
      if (error instanceof Refused && error.reason === "bad_request") complain("unreadable");
      else onRefused(error);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void join(true);
  };

  return (
    <form className="card join" onSubmit={submit} noValidate>
      <div className="field">
        <label htmlFor="name">{t.lobby.name}</label>
        <p id="name-hint" className="hint">
          {t.lobby.nameHint}
        </p>
        <input
          id="name"
          ref={field}
          value={name}
          maxLength={MAX_NAME}
          autoComplete="name"
          required
          aria-invalid={problem !== null}
          aria-describedby={problem === null ? "name-hint" : "name-hint name-problem"}
          onChange={(event) => {
            setName(event.target.value);
            setProblem(null);
          }}
        />
        <p id="name-problem" className="problem" role="alert">
          {problem === "missing" && t.lobby.nameMissing}
          {problem === "unreadable" && t.lobby.nameUnreadable}
        </p>
      </div>

      <div className="actions">
        <button type="submit" className="primary" aria-disabled={joining}>
          {joining ? t.lobby.joining : t.lobby.join}
        </button>
        <button type="button" className="secondary" aria-disabled={joining} onClick={() => void join(false)}>
          <HeadphonesIcon />
          {t.lobby.joinAudio}
        </button>
      </div>
      <p className="hint">{t.lobby.privacy}</p>
    </form>
  );
}

function LobbyDevices({ preview }: { preview: Preview }) {
  const t = useTexts();
  const { camera, microphone, choose } = preview;
  // Names and ids of devices appear with the permission.
  const renewed = `${camera.status} ${microphone.status}`;
  const [chosen, setChosen] = useState({
    videoinput: chosenDevice("videoinput"),
    audioinput: chosenDevice("audioinput"),
    audiooutput: chosenDevice("audiooutput"),
  });
  const cameras = useDevices("videoinput", renewed);
  const microphones = useDevices("audioinput", renewed);
  const speakers = useDevices("audiooutput", renewed);
  return (
    <section className="devices" aria-label={t.device.title}>
      <DeviceSelect
        label={t.device.camera}
        devices={cameras}
        active={chosen.videoinput ?? camera.track?.mediaStreamTrack.getSettings().deviceId}
        onChoose={(id) => {
          setChosen({ ...chosen, videoinput: id });
          choose("camera", id);
        }}
      />
      <DeviceSelect
        label={t.device.microphone}
        devices={microphones}
        active={chosen.audioinput ?? microphone.track?.mediaStreamTrack.getSettings().deviceId}
        onChoose={(id) => {
          setChosen({ ...chosen, audioinput: id });
          choose("microphone", id);
        }}
      />
      {"setSinkId" in HTMLMediaElement.prototype && (
        <DeviceSelect
          label={t.device.speaker}
          devices={speakers}
          active={chosen.audiooutput}
          onChoose={(id) => {
            setChosen({ ...chosen, audiooutput: id });
            chooseDevice("audiooutput", id);
          }}
        />
      )}
    </section>
  );
}

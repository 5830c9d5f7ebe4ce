/** One room of a Matrix account: its messages, and its call in Element Call. */

import { ClientEvent, type MatrixClient, type Room, SyncState } from "matrix-js-sdk";

import { Beside } from "./beside";
import { Call } from "./call";
import { logIn } from "./session";
import { Timeline } from "./timeline";
import { readVisit, type Visit } from "./visit";
import { wordsFor } from "./words";

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no "${id}".`);
  return found as T;
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const status = element("status");
let words = wordsFor(navigator.language);

function label(language: string): void {
  words = wordsFor(language);
  document.documentElement.lang = language.slice(0, 2);
  element("call").textContent = words.call;
  element("log").ariaLabel = words.timeline;
  element("prompt").textContent = words.prompt;
  element("send").textContent = words.send;
}

function watchConnection(client: MatrixClient): void {
  client.on(ClientEvent.Sync, (state) => {
    const lost = state === SyncState.Error || state === SyncState.Reconnecting;
    status.textContent = lost ? words.away : words.connected;
  });
}

function offerWriting(client: MatrixClient, room: Room): void {
  const text = element<HTMLInputElement>("text");
  element("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const written = text.value;
    text.value = "";
    client.sendTextMessage(room.roomId, written).catch((error: unknown) => {
      status.textContent = words.notSent + reason(error);
      text.value ||= written;
    });
  });
  text.disabled = element<HTMLButtonElement>("send").disabled = false;
}

function offerCall(client: MatrixClient, room: Room, visit: Visit): void {
  const button = element<HTMLButtonElement>("call");
  const stage = element("stage");
  let call: Call | null = null;
  const show = (): void => {
    button.textContent = call ? words.hangUp : words.call;
    stage.hidden = call === null;
  };
  const open = (): void => {
    call = new Call(client, room, visit, words.callFrame, stage, () => {
      call = null;
      show();
    });
    show();
  };
  button.addEventListener("click", () => (call ? call.close() : open()));
  button.disabled = false;
  if (visit.call) open();
}

function showBeside(client: MatrixClient, room: Room, pages: URL, language: string): void {
  const name = room.getMember(client.getSafeUserId())?.name ?? "";
  element("room").textContent = words.inMatrix(name, room.name);
  document.body.classList.add("both");
  element("meeting").hidden = false;
  element("visio").textContent = words.inVisio;
  new Beside(element("meeting-page"), words, pages, language).follow(room);
}

async function main(): Promise<void> {
  const visit = readVisit(location.hash);
  label(visit.language);
  status.textContent = words.connecting;
  const client = await logIn(visit);
  const room = client.getRoom(visit.room);
  if (!room) throw new Error(visit.room);
  status.textContent = words.connected;
  element("room").textContent = room.name;
  document.title = `${room.name} – Matrix`;
  watchConnection(client);
  new Timeline(element("log"), element("timeline"), words).follow(room);
  offerWriting(client, room);
  offerCall(client, room, visit);
  if (visit.beside) showBeside(client, room, new URL(visit.beside), visit.language);
}

main().catch((error: unknown) => {
  status.textContent = words.refused + reason(error);
});

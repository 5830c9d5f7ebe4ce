/** Element Call as a widget beside the chat. */

import {
  ClientEvent,
  type MatrixClient,
  type MatrixEvent,
  MatrixEventEvent,
  type Room,
  RoomStateEvent,
} from "matrix-js-sdk";
import { ClientWidgetApi, type IWidgetApiRequest, MatrixWidgetType, Widget } from "matrix-widget-api";

import { RoomDriver, rawEvent } from "./driver";
import type { Visit } from "./visit";

const PAGE = "./element-call/index.html";
const WIDGET_ID = "element-call";

/** Of Element Call; each only wants an answer. The last one is sent when it is through. */
const TOLD = ["io.element.join", "io.element.device_mute", "im.vector.hangup", "set_always_on_screen"];
const CLOSE = "io.element.close";

export class Call {
  private readonly frame = document.createElement("iframe");
  private readonly api: ClientWidgetApi;
  private readonly leavings: (() => void)[] = [];

  /**
   * Opens it.
   *
   * @param closed Called once it is over, whoever ended it.
   */
  constructor(
    private readonly client: MatrixClient,
    private readonly room: Room,
    visit: Visit,
    title: string,
    place: HTMLElement,
    private readonly closed: () => void,
  ) {
    const url = address(client, room, visit);
    this.frame.title = title;
    this.frame.name = WIDGET_ID;
    this.frame.allow = "autoplay; camera; clipboard-write; display-capture; fullscreen; microphone";
    place.append(this.frame);
    const widget = new Widget({
      id: WIDGET_ID,
      creatorUserId: visit.user,
      type: MatrixWidgetType.Custom,
      url,
      waitForIframeLoad: false,
    });
    this.api = new ClientWidgetApi(widget, this.frame, new RoomDriver(client, room, visit.service));
    this.api.setViewedRoomId(room.roomId);
    this.answer();
    this.api.once("ready", () => this.feed());
    this.frame.src = url;
  }

  /** Take it away. Element Call has no chance to say goodbye; its delayed event does. */
  close(): void {
    this.leavings.splice(0).forEach((leave) => leave());
    this.api.stop();
    this.frame.remove();
    this.closed();
  }

  private answer(): void {
    for (const action of [...TOLD, CLOSE]) {
      this.api.on(`action:${action}`, (event: CustomEvent<IWidgetApiRequest>) => {
        event.preventDefault();
        this.api.transport.reply(event.detail, {});
        if (action === CLOSE) this.close();
      });
    }
  }

  /** Hand on what comes from now on; the state so far is handed over by the widget API itself. */
  private feed(): void {
    const { client, room } = this;
    const timeline = (event: MatrixEvent): void => {
      if (event.getRoomId() !== room.roomId) return;
      if (event.isBeingDecrypted() || event.shouldAttemptDecryption()) {
        event.once(MatrixEventEvent.Decrypted, timeline);
      } else {
        this.hand(this.api.feedEvent(rawEvent(event)));
      }
    };
    const state = (event: MatrixEvent): void => {
      if (event.getRoomId() === room.roomId) this.hand(this.api.feedStateUpdate(rawEvent(event)));
    };
    const toDevice = ({ message, encryptionInfo }: ToDevice): void =>
      this.hand(this.api.feedToDevice(message, encryptionInfo !== null));
    client.on(ClientEvent.Event, timeline);
    client.on(RoomStateEvent.Events, state);
    client.on(ClientEvent.ReceivedToDeviceMessage, toDevice);
    this.leavings.push(
      () => client.off(ClientEvent.Event, timeline),
      () => client.off(RoomStateEvent.Events, state),
      () => client.off(ClientEvent.ReceivedToDeviceMessage, toDevice),
    );
  }

  private hand(handed: Promise<void>): void {
    handed.catch((error: unknown) => console.warn("Element Call did not take an event", error));
  }
}

type ToDevice = Parameters<
  import("matrix-js-sdk").ClientEventHandlerMap[ClientEvent.ReceivedToDeviceMessage]
>[0];

function address(client: MatrixClient, room: Room, visit: Visit): string {
  const url = new URL(PAGE, location.href);
  const parameters = new URLSearchParams({
    widgetId: WIDGET_ID,
    parentUrl: location.href.split("#")[0] ?? "",
    userId: visit.user,
    deviceId: visit.device,
    roomId: room.roomId,
    baseUrl: client.baseUrl,
    intent: "join_existing",
    lang: visit.language.slice(0, 2),
    skipLobby: String(visit.call),
    returnToLobby: "false",
    confineToRoom: "true",
    header: "none",
    // Nobody's STUN servers but those that the SFU names.
    allowIceFallback: "false",
  });
  url.hash = `?${parameters}`;
  return url.href;
}

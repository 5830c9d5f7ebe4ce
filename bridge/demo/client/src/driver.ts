/** What a widget may do with the Matrix account: for Element Call, all that it asks for. */

import {
  Direction,
  type MatrixClient,
  MatrixError,
  type MatrixEvent,
  type Room,
  type StateEvents,
  type TimelineEvents,
} from "matrix-js-sdk";
import {
  type Capability,
  type IOpenIDUpdate,
  type IReadEventRelationsResult,
  type IRoomEvent,
  type IRtcTransportsResult,
  type ISendDelayedEventDetails,
  type ISendEventDetails,
  type IWidgetApiErrorResponseDataDetails,
  OpenIDRequestState,
  type SimpleObservable,
  WidgetDriver,
} from "matrix-widget-api";

type ToDevice = Record<string, Record<string, object>>;

/** An event as a widget takes it: decrypted. */
export const rawEvent = (event: MatrixEvent): IRoomEvent => event.getEffectiveEvent() as IRoomEvent;

export class RoomDriver extends WidgetDriver {
  /**
   * @param service Address of an authorization service, in place of what the homeserver advertises.
   */
  constructor(
    private readonly client: MatrixClient,
    private readonly room: Room,
    private readonly service: string | null,
  ) {
    super();
  }

  /** This page loads one widget, its own, so nobody has to be asked. */
  override async validateCapabilities(requested: Set<Capability>): Promise<Set<Capability>> {
    return requested;
  }

  override async sendEvent(
    type: string,
    content: unknown,
    stateKey: string | null = null,
  ): Promise<ISendEventDetails> {
    const sent =
      stateKey === null
        ? await this.client.sendEvent(this.room.roomId, type as keyof TimelineEvents, content as never)
        : await this.client.sendStateEvent(this.room.roomId, type as keyof StateEvents, content as never, stateKey);
    return { roomId: this.room.roomId, eventId: sent.event_id };
  }

  override async sendDelayedEvent(
    delay: number,
    type: string,
    content: unknown,
    stateKey: string | null = null,
  ): Promise<ISendDelayedEventDetails> {
    const sent =
      stateKey === null
        ? await this.client._unstable_sendDelayedEvent(
            this.room.roomId,
            { delay },
            null,
            type as keyof TimelineEvents,
            content as never,
          )
        : await this.client._unstable_sendDelayedStateEvent(
            this.room.roomId,
            { delay },
            type as keyof StateEvents,
            content as never,
            stateKey,
          );
    return { roomId: this.room.roomId, delayId: sent.delay_id };
  }

  override async sendStickyEvent(duration: number, type: string, content: unknown): Promise<ISendEventDetails> {
    const sent = await this.client._unstable_sendStickyEvent(
      this.room.roomId,
      duration,
      null,
      type as keyof TimelineEvents,
      content as never,
    );
    return { roomId: this.room.roomId, eventId: sent.event_id };
  }

  override async sendDelayedStickyEvent(
    delay: number,
    duration: number,
    type: string,
    content: unknown,
  ): Promise<ISendDelayedEventDetails> {
    const sent = await this.client._unstable_sendStickyDelayedEvent(
      this.room.roomId,
      duration,
      { delay },
      null,
      type as keyof TimelineEvents,
      content as never,
    );
    return { roomId: this.room.roomId, delayId: sent.delay_id };
  }

  override async cancelScheduledDelayedEvent(delayId: string): Promise<void> {
    await this.client._unstable_cancelScheduledDelayedEvent(delayId);
  }

  override async restartScheduledDelayedEvent(delayId: string): Promise<void> {
    await this.client._unstable_restartScheduledDelayedEvent(delayId);
  }

  override async sendScheduledDelayedEvent(delayId: string): Promise<void> {
    await this.client._unstable_sendScheduledDelayedEvent(delayId);
  }

  override async sendToDevice(type: string, encrypted: boolean, messages: ToDevice): Promise<void> {
    const users = Object.entries(messages);
    if (!encrypted) {
      const batch = users.flatMap(([userId, devices]) =>
        Object.entries(devices).map(([deviceId, payload]) => ({ userId, deviceId, payload })),
      );
      return this.client.queueToDevice({ eventType: type, batch });
    }
    const crypto = this.client.getCrypto();
    if (!crypto) throw new Error("Encryption is not ready.");
    // One message per device, each for itself: their contents may differ.
    await Promise.all(
      users.flatMap(([userId, devices]) =>
        Object.entries(devices).map(async ([deviceId, payload]) => {
          const batch = await crypto.encryptToDeviceMessages(type, [{ userId, deviceId }], payload);
          await this.client.queueToDevice(batch);
        }),
      ),
    );
  }

  override async readRoomTimeline(
    _roomId: string,
    type: string,
    msgtype: string | undefined,
    stateKey: string | undefined,
    limit: number,
    since: string | undefined,
  ): Promise<IRoomEvent[]> {
    const events = this.room.getLiveTimeline().getEvents();
    const from = since === undefined ? 0 : events.findIndex((event) => event.getId() === since) + 1;
    return events
      .slice(from)
      .filter((event) => event.getType() === type)
      .filter((event) => msgtype === undefined || event.getContent().msgtype === msgtype)
      .filter((event) => stateKey === undefined || event.getStateKey() === stateKey)
      .slice(-(limit || Number.MAX_SAFE_INTEGER))
      .reverse()
      .map(rawEvent);
  }

  override async readRoomState(_roomId: string, type: string, stateKey: string | undefined): Promise<IRoomEvent[]> {
    const state = this.room.getLiveTimeline().getState(Direction.Forward);
    if (!state) return [];
    if (stateKey === undefined) return state.getStateEvents(type).map(rawEvent);
    const event = state.getStateEvents(type, stateKey);
    return event ? [rawEvent(event)] : [];
  }

  override async readStickyEvents(): Promise<IRoomEvent[]> {
    return [...this.room._unstable_getStickyEvents()].map(rawEvent);
  }

  override async readEventRelations(
    eventId: string,
    _roomId?: string,
    relationType?: string,
    eventType?: string,
    from?: string,
    to?: string,
    limit?: number,
    direction?: "f" | "b",
  ): Promise<IReadEventRelationsResult> {
    const dir = direction === "f" ? Direction.Forward : Direction.Backward;
    const { events, nextBatch, prevBatch } = await this.client.relations(
      this.room.roomId,
      eventId,
      relationType ?? null,
      eventType ?? null,
      { from, to, limit, dir },
    );
    return { chunk: events.map(rawEvent), nextBatch: nextBatch ?? undefined, prevBatch: prevBatch ?? undefined };
  }

  override askOpenID(observer: SimpleObservable<IOpenIDUpdate>): void {
    this.client.getOpenIdToken().then(
      (token) => observer.update({ state: OpenIDRequestState.Allowed, token }),
      () => observer.update({ state: OpenIDRequestState.Blocked }),
    );
  }

  /** MSC4515: the homeserver's transports (MSC4143). */
  override async getRtcTransports(): Promise<IRtcTransportsResult> {
    if (this.service !== null) {
      return { rtc_transports: [{ type: "livekit", livekit_service_url: this.service }] };
    }
    const transports = await this.client._unstable_getRTCTransports();
    return { rtc_transports: transports.map((transport) => ({ ...transport })) };
  }

  override async downloadFile(uri: string): Promise<{ file: XMLHttpRequestBodyInit }> {
    const url = this.client.mxcUrlToHttp(uri, undefined, undefined, undefined, false, true, true);
    if (url === null) throw new Error("Not a file of a homeserver.");
    const headers = { Authorization: `Bearer ${this.client.getAccessToken()}` };
    return { file: await (await fetch(url, { headers })).blob() };
  }

  override getKnownRooms(): string[] {
    return [this.room.roomId];
  }

  override processError(error: unknown): IWidgetApiErrorResponseDataDetails | undefined {
    return error instanceof MatrixError ? { matrix_api_error: error.asWidgetApiErrorData() } : undefined;
  }
}


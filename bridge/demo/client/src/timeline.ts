/** The room's messages: text and notices, after edits, without what was redacted. */

import DOMPurify from "dompurify";
import { EventType, type MatrixEvent, MatrixEventEvent, type Room, RoomEvent } from "matrix-js-sdk";

import type { Words } from "./words";

// A subset of what the specification lets clients show; pictures are left out.
const ALLOWED_TAGS =
  "a b blockquote br code del details div em h1 h2 h3 h4 h5 h6 hr i li ol p pre s span strong sub summary sup table tbody td th thead tr u ul".split(
    " ",
  );

export class Timeline {
  private readonly shown = new Map<string, HTMLElement>();
  private atTheEnd = true;

  /**
   * @param view Scrolls.
   * @param list Holds one item per message.
   */
  constructor(
    private readonly view: HTMLElement,
    private readonly list: HTMLElement,
    private readonly words: Words,
  ) {}

  /** Show what there is, and everything that comes. */
  follow(room: Room): void {
    const { view } = this;
    view.addEventListener("scroll", () => {
      this.atTheEnd = view.scrollTop + view.clientHeight >= view.scrollHeight - 40;
    });
    // A call that opens takes room away from the messages.
    new ResizeObserver(this.stayAtTheEnd).observe(view);
    room.getLiveTimeline().getEvents().forEach(this.take);
    room.on(RoomEvent.Timeline, this.take);
    room.on(RoomEvent.Redaction, (redaction) => this.remove(redaction.getAssociatedId()));
    room.on(RoomEvent.LocalEchoUpdated, (event, _, oldId) => {
      if (oldId && oldId !== event.getId()) this.remove(oldId);
      this.take(event);
    });
  }

  private readonly take = (event: MatrixEvent): void => {
    event.off(MatrixEventEvent.Decrypted, this.take);
    event.off(MatrixEventEvent.Replaced, this.take);
    if (event.isEncrypted() && !event.getClearContent()) event.on(MatrixEventEvent.Decrypted, this.take);
    // An edit shows up as its target's new content.
    if (event.getType() !== EventType.RoomMessage && !event.isEncrypted()) return;
    if (event.isRelation("m.replace")) return;
    event.on(MatrixEventEvent.Replaced, this.take);
    if (event.isRedacted()) this.remove(event.getId());
    else this.show(event);
  };

  private show(event: MatrixEvent): void {
    const id = event.getId() ?? "";
    let item = this.shown.get(id);
    if (!item) {
      item = document.createElement("li");
      item.dataset.eventId = id;
      this.shown.set(id, item);
      this.list.append(item);
    }
    const sender = document.createElement("span");
    sender.className = "sender";
    sender.textContent = event.sender?.name ?? event.getSender() ?? "";
    item.replaceChildren(sender, this.body(event));
    this.stayAtTheEnd();
  }

  private readonly stayAtTheEnd = (): void => {
    if (this.atTheEnd) this.view.scrollTop = this.view.scrollHeight;
  };

  private body(event: MatrixEvent): HTMLElement {
    const { body, format, formatted_body: html, msgtype } = event.getContent();
    const shown = document.createElement("div");
    shown.className = msgtype === "m.notice" ? "notice" : "message";
    if (format === "org.matrix.custom.html" && typeof html === "string") {
      shown.innerHTML = DOMPurify.sanitize(html, { ALLOWED_TAGS, ALLOWED_ATTR: ["href"] });
      for (const link of shown.querySelectorAll("a")) {
        link.target = "_blank";
        link.rel = "noopener noreferrer";
      }
    } else {
      shown.classList.add("plain");
      shown.textContent = typeof body === "string" ? body : this.words.unreadable;
    }
    return shown;
  }

  private remove(id: string | undefined): void {
    this.shown.get(id ?? "")?.remove();
    this.shown.delete(id ?? "");
  }
}

/** The page of the meeting that the room's card links to, shown beside the room. */

import { type MatrixEvent, MatrixEventEvent, type Room, RoomEvent } from "matrix-js-sdk";

import type { Words } from "./words";

const CALL_KEY = "fr.passerelle.call";

/** What a card says of its meeting; `url` is null once it is over. */
interface Card {
  id: string;
  url: string | null;
}

export class Beside {
  private card: Card = { id: "", url: null };

  /**
   * @param place Holds the page, or a sentence where there is none.
   * @param pages Address of any of them: pages from elsewhere are not shown, and all get its query.
   */
  constructor(
    private readonly place: HTMLElement,
    private readonly words: Words,
    private readonly pages: URL,
    private readonly language: string,
  ) {
    this.show(null);
  }

  /** Show what there is, and each meeting that comes. */
  follow(room: Room): void {
    room.getLiveTimeline().getEvents().forEach(this.take);
    room.on(RoomEvent.Timeline, this.take);
  }

  private readonly take = (event: MatrixEvent): void => {
    if (event.isEncrypted() && !event.getClearContent()) event.once(MatrixEventEvent.Decrypted, this.take);
    const said = event.getContent()[CALL_KEY] as Card | undefined;
    if (typeof said?.id !== "string") return;
    const url = this.ours(said.url);
    // A meeting that is over may have been followed by another one.
    if (url === null && said.id !== this.card.id) return;
    if (url !== this.card.url) this.show(url);
    this.card = { id: said.id, url };
  };

  private ours(url: string | null): string | null {
    return url !== null && URL.canParse(url) && new URL(url).origin === this.pages.origin ? url : null;
  }

  private show(link: string | null): void {
    if (link === null) {
      const sentence = document.createElement("p");
      sentence.textContent = this.words.noMeeting;
      this.place.replaceChildren(sentence);
      return;
    }
    const url = new URL(link);
    this.pages.searchParams.forEach((value, key) => url.searchParams.set(key, value));
    url.searchParams.set("lang", this.language.slice(0, 2));
    // One machine, one loudspeaker, one microphone: two sides that both use them would howl.
    url.searchParams.set("quiet", "1");
    const frame = document.createElement("iframe");
    frame.title = this.words.inVisio;
    frame.name = "visio";
    frame.allow = "autoplay; camera; display-capture; fullscreen; microphone";
    frame.src = url.href;
    this.place.replaceChildren(frame);
  }
}

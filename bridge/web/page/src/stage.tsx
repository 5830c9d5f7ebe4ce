/** Where the pictures stand: a grid of people, or a shared screen with the people beside it. */

import {
  isTrackReference,
  type TrackReferenceOrPlaceholder,
  useGridLayout,
  usePagination,
  useTracks,
} from "@livekit/components-react";
import { Track } from "livekit-client";
import { type RefObject, useRef } from "react";

import { NextIcon, PreviousIcon } from "./icons";
import { useTexts } from "./language";
import { Tile } from "./tile";

const keyOf = (trackRef: TrackReferenceOrPlaceholder): string =>
  `${trackRef.participant.identity} ${trackRef.source}`;

export function Stage() {
  const t = useTexts();
  const tracks = useTracks(
    [
      { source: Track.Source.Camera, withPlaceholder: true },
      { source: Track.Source.ScreenShare, withPlaceholder: false },
    ],
    { onlySubscribed: false },
  );
  const screens = tracks.filter((track) => isTrackReference(track) && track.source === Track.Source.ScreenShare);
  // Somebody else's screen is worth more room than one's own.
  const main = screens.find((screen) => !screen.participant.isLocal) ?? screens[0];
  const others = tracks.filter((track) => track !== main);
  const alone = tracks.every((track) => track.participant.isLocal);

  return (
    <section className="stage" aria-label={t.room.stage} data-focus={main !== undefined}>
      {main !== undefined && (
        <div className="stage-main">
          <Tile trackRef={main} />
        </div>
      )}
      <Grid tracks={others} strip={main !== undefined} />
      {alone && <p className="alone">{t.room.alone}</p>}
    </section>
  );
}

function Grid({ tracks, strip }: { tracks: TrackReferenceOrPlaceholder[]; strip: boolean }) {
  const t = useTexts();
  const grid = useRef<HTMLDivElement>(null);
  // The hook's type predates React 19's nullable refs; it copes with an empty one.
  const { layout } = useGridLayout(grid as RefObject<HTMLDivElement>, tracks.length);
  const pages = usePagination(strip ? 4 : layout.maxTiles, tracks);
  const several = pages.totalPageCount > 1;
  return (
    <div className="grid-frame">
      <div ref={grid} className={strip ? "tiles strip-tiles" : "tiles"} role="list">
        {pages.tracks.map((track) => (
          <div role="listitem" className="cell" key={keyOf(track)}>
            <Tile trackRef={track} />
          </div>
        ))}
      </div>
      {several && (
        <div className="pages">
          <button type="button" className="plain icon-only" onClick={pages.prevPage}>
            <PreviousIcon />
            <span className="unseen">{t.room.previous}</span>
          </button>
          <p role="status">{t.room.page(pages.currentPage, pages.totalPageCount)}</p>
          <button type="button" className="plain icon-only" onClick={pages.nextPage}>
            <NextIcon />
            <span className="unseen">{t.room.next}</span>
          </button>
        </div>
      )}
    </div>
  );
}

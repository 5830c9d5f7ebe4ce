/** The view when there is no meeting on the screen: why, and what can be done. */

import type { Refusal } from "./api";
import { useTexts } from "./language";
import { Page, useHeadingFocus } from "./shell";

export type Stop = Exclude<Refusal, "bad_request"> | "left" | "duplicate" | "lost" | "unsupported";

export function Stopped({ stop, onRetry }: { stop: Stop; onRetry: () => void }) {
  const t = useTexts();
  const { title, text, action } = t.stop[stop];
  const heading = useHeadingFocus(stop);
  return (
    <Page title={`${title} – ${t.brand}`}>
      <section className="card stopped" aria-labelledby="stop-title">
        <h1 id="stop-title" ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <p>{text}</p>
        {action !== null && (
          <button type="button" className="primary" onClick={onRetry}>
            {action}
          </button>
        )}
      </section>
    </Page>
  );
}

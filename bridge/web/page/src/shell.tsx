/** The frame around the quiet views: header with the language switch, main part, focus and title. */

import { type ReactNode, useEffect, useRef } from "react";

import { useSpeech } from "./language";

/** Moves the focus to a new view's heading, so that keyboard and screen reader follow the eye. */
export function useHeadingFocus(view: string) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // On the first view after loading nothing is taken from the browser's own place.
    if (visited) heading.current?.focus();
    visited = true;
  }, [view]);
  return heading;
}
let visited = false;

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
}

export function LanguageSwitch() {
  const { t, choose } = useSpeech();
  const { code, name } = t.otherLanguage;
  return (
    <button type="button" className="plain" lang={code} onClick={() => choose(code)}>
      {name}
    </button>
  );
}

export function Page({ title, children }: { title: string; children: ReactNode }) {
  const { t } = useSpeech();
  useTitle(title);
  return (
    <>
      <a className="skip" href="#content" onClick={skipToContent}>
        {t.skip}
      </a>
      <header className="banner">
        <p className="brand">
          <span className="brand-mark" aria-hidden="true" />
          {t.brand}
        </p>
        <LanguageSwitch />
      </header>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

/** The fragment holds the meeting's secret, so the link must not replace it. */
function skipToContent(event: React.MouseEvent): void {
  event.preventDefault();
  document.getElementById("content")?.focus();
}

/** Which language the page speaks, for every component below. */

import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";

import { keepLanguage, wantedLanguage } from "./link";
import { type Language, type Texts, texts } from "./texts";

interface Speech {
  language: Language;
  t: Texts;
  /** The person chose; kept over a reload. */
  choose: (language: Language) => void;
  /** The bridge's language, for browsers that asked for none of ours. */
  suggest: (language: string) => void;
}

const Context = createContext<Speech | null>(null);

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(() => wantedLanguage() ?? "fr");

  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);

  const speech = useMemo<Speech>(
    () => ({
      language,
      t: texts[language],
      choose: (chosen) => {
        keepLanguage(chosen);
        setLanguage(chosen);
      },
      suggest: (suggested) => {
        if (wantedLanguage() === null && (suggested === "fr" || suggested === "en")) setLanguage(suggested);
      },
    }),
    [language],
  );
  return <Context.Provider value={speech}>{children}</Context.Provider>;
}

export function useSpeech(): Speech {
  const speech = useContext(Context);
  if (speech === null) throw new Error("LanguageProvider is missing");
  return speech;
}

/** The texts in the current language. */
export const useTexts = (): Texts => useSpeech().t;

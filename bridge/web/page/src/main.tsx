import "./style.css";

import { createRoot } from "react-dom/client";

import { Announcer } from "./announcer";
import { App } from "./app";
import { LanguageProvider } from "./language";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <LanguageProvider>
    <Announcer>
      <App />
    </Announcer>
  </LanguageProvider>,
);

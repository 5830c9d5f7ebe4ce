import { readFile, readdir, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const OUT = "../static";

/** Writes `.br` and `.gz` beside each script and style sheet; the bridge serves them as they are. */
function precompress() {
  return {
    name: "precompress",
    async closeBundle() {
      const folder = new URL(`${OUT}/assets/`, import.meta.url);
      const names = (await readdir(folder)).filter((name) => /\.(js|css)$/.test(name));
      await Promise.all(
        names.map(async (name) => {
          const raw = await readFile(new URL(name, folder));
          const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };
          await writeFile(new URL(`${name}.br`, folder), await promisify(brotliCompress)(raw, quality));
          await writeFile(new URL(`${name}.gz`, folder), await promisify(gzip)(raw, { level: 9 }));
        }),
      );
    },
  };
}

export default defineConfig({
  plugins: [react(), precompress()],
  // Relative addresses: the page also works below a path that a reverse proxy takes away.
  base: "./",
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: ["chrome111", "edge111", "firefox115", "safari16.4"],
    // Everything is a file of its own: the page's security policy allows no inline script or font.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    // The licences of what the bundle holds travel with it.
    license: { fileName: "licenses.md" },
  },
});

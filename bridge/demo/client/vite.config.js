import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    outDir: "dist",
    target: ["chrome119", "firefox121", "safari17.4"],
    chunkSizeWarningLimit: 3000,
    rollupOptions: { input: ["index.html", "visio.html"] },
  },
});

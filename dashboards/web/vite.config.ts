/*
 * How the console is built: one page, its script and styles under /assets, each also compressed once at build
 * time (.br, .gz) because the collector serves files as they are. In development the API comes from the mock
 * province (`npm run mock`).
 */
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { compression } from "vite-plugin-compression2";
import { defineConfig } from "vitest/config";

const collector = process.env.COLLECTOR ?? "http://127.0.0.1:8090";

export default defineConfig({
  plugins: [
    svelte(),
    compression({ algorithms: ["brotliCompress", "gzip"], include: /\.(js|css|html|svg|json)$/, threshold: 512 }),
  ],
  build: {
    target: "es2022",
    outDir: "dist",
    // `dist/.gitkeep` is committed so that the collector compiles before the console was ever built;
    // `public/.gitkeep` puts it back after each build.
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": collector, "/sign-in": collector, "/sign-out": collector } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});

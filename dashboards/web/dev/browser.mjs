/* How a headless Chromium is started for the smoke test and the screenshots: Debian's, without its background calls. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A fresh profile each time; `options` go to the browser context (viewport, colorScheme…). */
export function launch(options = {}) {
  const profile = mkdtempSync(join(tmpdir(), "haidang-chromium-"));
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launchPersistentContext(profile, { executablePath, headless: true, args: ARGS, ...options });
}

/*
 * Screenshots of the built console against the mock, to be looked at by a person:  npm run shots [-- NAME…]
 * Writes dev/shots/NAME.png (not committed) and prints every axe violation and console error it met.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { launch } from "./browser.mjs";

const BASE = process.env.BASE_URL ?? "http://127.0.0.1:8090";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const OUT = new URL("./shots/", import.meta.url).pathname;
const INCIDENT = "/incidents/SC-20261122-01";

const SHOTS = [
  { name: "1440-fine", scenario: "fine" },
  { name: "1440-cut", scenario: "cut" },
  { name: "1440-mixed", scenario: "mixed" },
  { name: "1440-mixed-light-en", scenario: "mixed", theme: "light", lang: "en" },
  { name: "1440-carrier", scenario: "carrier" },
  { name: "1920-carrier-light", scenario: "carrier", width: 1920, height: 1080, theme: "light" },
  { name: "1920-wall-mixed", scenario: "mixed", width: 1920, height: 1080, path: "/wall" },
  { name: "1920-wall-carrier", scenario: "carrier", width: 1920, height: 1080, path: "/wall" },
  { name: "1920-wall-fine", scenario: "fine", width: 1920, height: 1080, path: "/wall" },
  { name: "390-mixed", scenario: "mixed", width: 390, height: 844, full: true },
  { name: "390-fine-en", scenario: "fine", width: 390, height: 844, lang: "en", full: true },
  { name: "390-incident", scenario: "cut", width: 390, height: 844, path: INCIDENT },
  { name: "390-incident-full-light", scenario: "cut", width: 390, height: 844, path: INCIDENT, full: true, theme: "light" },
  { name: "1440-incident", scenario: "cut", path: INCIDENT },
  { name: "1440-incident-en-light", scenario: "cut", path: INCIDENT, lang: "en", theme: "light" },
  { name: "1920-incident-carrier", scenario: "carrier", width: 1920, height: 1080, path: "/incidents/SC-20261122-02", full: true },
  { name: "1440-incidents", scenario: "mixed", path: "/incidents" },
  { name: "1440-panel", scenario: "mixed", then: (page) => page.click('[data-commune="28693"]') },
  { name: "390-panel", scenario: "mixed", width: 390, height: 844, then: (page) => page.click('[data-commune="28249"]') },
  { name: "1440-search", scenario: "fine", then: async (page) => { await page.keyboard.press("/"); await page.keyboard.type("my tho"); } },
  { name: "1440-help", scenario: "fine", then: (page) => page.keyboard.press("?") },
  { name: "1440-note", scenario: "cut", path: INCIDENT, then: (page) => page.click('[data-act="note"]') },
  { name: "1440-deutan", scenario: "mixed", vision: "deuteranopia" },
  { name: "1440-stale", scenario: "mixed", quiet: 26_000 },
  { name: "1920-wall-stale", scenario: "carrier", width: 1920, height: 1080, path: "/wall", quiet: 26_000 },
];

async function shoot(shot) {
  const { name, scenario, width = 1440, height = 900, path = "/", theme = "dark", lang = "vi", full = false } = shot;
  const context = await launch({ viewport: { width, height } });
  const page = context.pages()[0] ?? (await context.newPage());
  const troubles = [];
  page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
  page.on("pageerror", (fault) => troubles.push(String(fault)));
  await fetch(`${BASE}/dev/scenario/${scenario}`, { method: "POST" });
  await page.goto(`${BASE}/sign-in`);
  await page.evaluate(([t, l]) => { localStorage.setItem("haidang.theme", t); localStorage.setItem("haidang.lang", l); }, [theme, lang]);
  await page.click("button");
  await page.goto(BASE + path);
  await page.waitForSelector("main h1");
  if (shot.quiet) {
    await fetch(`${BASE}/dev/quiet`, { method: "POST" });
    await page.waitForTimeout(shot.quiet);
  }
  await shot.then?.(page);
  if (shot.vision) {
    const session = await context.newCDPSession(page);
    await session.send("Emulation.setEmulatedVisionDeficiency", { type: shot.vision });
  }
  await page.waitForTimeout(500);
  await page.screenshot({ path: `${OUT}${name}.png`, fullPage: full });
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  console.log(name, violations.length === 0 && troubles.length === 0 && !wide ? "ok" : "");
  if (wide) console.log("  scrolls sideways");
  for (const one of violations) console.log(`  axe ${one.impact} ${one.id}:`, one.nodes.slice(0, 3).map((n) => `${n.target} ${n.failureSummary?.split("\n")[1] ?? ""}`).join(" | "));
  for (const one of troubles) console.log("  console:", one);
  await context.close();
}

const wanted = process.argv.slice(2);
for (const shot of SHOTS) if (wanted.length === 0 || wanted.some((name) => shot.name.includes(name))) await shoot(shot);

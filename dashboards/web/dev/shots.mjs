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

const SITE = "/sites/28249-1";

/** Gives the import page a file of this name. */
const sheet = (name) => async (page) => {
  await page.setInputFiles("input[type=file]", { name, mimeType: "text/csv", buffer: Buffer.from("a;b\n") });
  await page.waitForSelector("[data-step=preview], [data-step=refused], [data-step=failed]");
};
const past = new URLSearchParams({ from: local(-30), to: local(-6) });

/** `2026-11-22T07:30` in Việt Nam, some hours from now. */
function local(hours) {
  return new Date(Date.now() + (hours + 7) * 3_600_000).toISOString().slice(0, 16);
}

const SHOTS = [
  { name: "1440-site-cut", scenario: "cut", path: SITE, full: true },
  { name: "1440-site-fine-light-en", scenario: "fine", path: "/sites/28297-1", theme: "light", lang: "en", full: true },
  { name: "1440-site-maintenance", scenario: "mixed", path: "/sites/29905-1?span=6h", full: true },
  { name: "1440-site-past", scenario: "mixed", path: `/sites/28405-1?${past}`, full: true },
  { name: "1440-site-point", scenario: "fine", path: "/sites/28297-1?span=1h", then: async (page) => { await page.focus("[role=slider]"); for (let i = 0; i < 9; i += 1) await page.keyboard.press("PageUp"); } },
  { name: "1440-site-range", scenario: "fine", path: "/sites/28297-1", then: (page) => page.click("[aria-expanded]") },
  { name: "1440-site-mute", scenario: "cut", path: SITE, mute: true, full: true },
  { name: "1440-site-missing", scenario: "cut", path: "/sites/none" },
  { name: "1920-site-light", scenario: "cut", width: 1920, height: 1080, path: SITE, theme: "light" },
  { name: "390-site-cut", scenario: "cut", width: 390, height: 844, path: SITE, full: true },
  { name: "390-site-never-light-en", scenario: "mixed", width: 390, height: 844, path: "/sites/30259-1", theme: "light", lang: "en", full: true },
  { name: "1440-site-deutan", scenario: "cut", path: SITE, vision: "deuteranopia", full: true },
  { name: "1440-maintenance", scenario: "mixed", path: "/maintenance", full: true },
  { name: "390-maintenance-light", scenario: "mixed", width: 390, height: 844, path: "/maintenance", theme: "light", full: true },
  { name: "1440-maintain", scenario: "cut", path: SITE, then: (page) => page.click('[data-act="maintain"]') },
  { name: "390-maintain-en", scenario: "cut", width: 390, height: 844, path: INCIDENT, lang: "en", then: (page) => page.click('[data-act="maintain"]') },
  { name: "1440-setup", scenario: "mixed", path: "/setup", full: true },
  { name: "1440-setup-broken-light-en", scenario: "mixed", path: "/setup", broken: true, theme: "light", lang: "en", full: true },
  { name: "390-setup-broken", scenario: "mixed", width: 390, height: 844, path: "/setup", broken: true, full: true },
  { name: "1440-broken", scenario: "mixed", broken: true },
  { name: "1440-import", scenario: "fine", path: "/import" },
  { name: "1440-import-errors", scenario: "fine", path: "/import", then: sheet("danh-muc-loi.xlsx"), full: true },
  { name: "1440-import-diff-light", scenario: "fine", path: "/import", then: sheet("danh-muc.xlsx"), theme: "light", full: true },
  { name: "390-import-errors-en", scenario: "fine", width: 390, height: 844, path: "/import", lang: "en", then: sheet("danh-muc-loi.csv"), full: true },
  { name: "390-import-diff", scenario: "fine", width: 390, height: 844, path: "/import", then: sheet("danh-muc.csv"), full: true },
  { name: "1440-import-refused", scenario: "fine", path: "/import", then: sheet("danh-muc.xls") },
  { name: "1440-import-done", scenario: "fine", path: "/import", then: async (page) => { await sheet("danh-muc.xlsx")(page); await page.click('[data-act="accept"]'); } },
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
  if (shot.broken) await fetch(`${BASE}/dev/broken`, { method: "POST" });
  if (shot.mute) await fetch(`${BASE}/dev/mute`, { method: "POST" });
  await page.goto(BASE + path);
  await page.waitForSelector("main h1, main p.card");
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
  console.log(name, violations.length === 0 && (troubles.length === 0 || shot.mute) && !wide ? "ok" : "");
  if (wide) console.log("  scrolls sideways");
  for (const one of violations) console.log(`  axe ${one.impact} ${one.id}:`, one.nodes.slice(0, 3).map((n) => `${n.target} ${n.failureSummary?.split("\n")[1] ?? ""}`).join(" | "));
  for (const one of troubles.filter((text) => !(shot.mute && text.includes("503")))) console.log("  console:", one);
  await context.close();
}

const wanted = process.argv.slice(2);
for (const shot of SHOTS) if (wanted.length === 0 || wanted.some((name) => shot.name.includes(name))) await shoot(shot);

/*
 * The console in a real browser against a real collector that watches the rehearsal province:
 *
 *   BASE_URL=http://127.0.0.1:8080 USER=… PASSWORD=… npm run smoke
 *
 * It signs in as a person would and looks for what an operator needs; any console error, blocked resource or serious
 * accessibility fault fails it. CHROMIUM names the browser if it is not /usr/bin/chromium. With SHOTS=DIR it also
 * leaves a picture of each page there.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch } from "../dev/browser.mjs";

const { BASE_URL, USER, PASSWORD, SHOTS } = process.env;
const COMMUNES = Number(process.env.COMMUNES ?? 102);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE_MS = 15_000;

let context;
let page;
const troubles = [];

before(async () => {
  assert.ok(BASE_URL && USER && PASSWORD, "BASE_URL, USER and PASSWORD must be set");
  context = await launch({ viewport: { width: 1440, height: 900 }, colorScheme: "dark" });
  page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", (fault) => troubles.push(`page: ${fault}`));
  page.on("console", (message) => message.type() === "error" && troubles.push(`console: ${message.text()}`));
  page.on("requestfailed", (request) => {
    // Leaving a page ends what it was still fetching, its event stream for one; that is no fault.
    const reason = request.failure()?.errorText ?? "";
    if (reason !== "net::ERR_ABORTED") troubles.push(`request: ${request.url()} ${reason}`);
  });
});

after(() => context?.close());

async function isAccessible(where) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).slice(0, 3)}`);
  assert.deepEqual(told, [], `axe on ${where}`);
}

async function hasNoSidewaysScroll(where) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wide, 0, `${where} scrolls sideways by ${wide} px`);
}

async function picture(name) {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

/** Checks a page in its present language and theme. */
async function look(name) {
  await isAccessible(name);
  await hasNoSidewaysScroll(name);
  await picture(name);
}

test("a stranger is sent to the sign-in page", async () => {
  const answer = await fetch(`${BASE_URL}/api/v1/state`);
  assert.equal(answer.status, 401);
  await page.goto(`${BASE_URL}/sign-in`);
  await look("sign-in");
});

test("signing in leads to every commune as a tile, live", async () => {
  await page.fill("input[name=user]", USER);
  await page.fill("input[name=password]", PASSWORD);
  await page.click("button[type=submit]");
  await page.waitForFunction((n) => document.querySelectorAll("[data-commune]").length === n, COMMUNES);
  await page.waitForSelector('[data-pulse="live"]');
  assert.match(await page.innerText("h1"), new RegExp(`/${COMMUNES} (xã hoạt động|communes up)`));
  await look("overview-dark");
});

test("simulated sites are marked", async () => {
  const marks = await page.locator(".rehearsal").allInnerTexts();
  assert.ok(marks.some((text) => /DIỄN TẬP|REHEARSAL/.test(text)));
});

test("the language and the theme change and stay after a reload", async () => {
  const lang = () => page.getAttribute("html", "lang");
  const theme = () => page.getAttribute("html", "data-theme");
  const before = { lang: await lang(), theme: await theme() };
  await page.click('[data-switch="language"]');
  await page.click('[data-switch="theme"]');
  const changed = { lang: await lang(), theme: await theme() };
  assert.notEqual(changed.lang, before.lang);
  assert.notEqual(changed.theme, before.theme);
  await page.reload();
  await page.waitForSelector("[data-commune]");
  assert.deepEqual({ lang: await lang(), theme: await theme() }, changed);
  await look("overview-light");
  await page.click('[data-switch="language"]');
  await page.click('[data-switch="theme"]');
});

test("the map is walked and a commune opened by keyboard alone", async () => {
  await page.focus('[data-commune][tabindex="0"]');
  const first = await page.evaluate(() => document.activeElement?.dataset.commune);
  await page.keyboard.press("ArrowRight");
  const second = await page.evaluate(() => document.activeElement?.dataset.commune);
  assert.ok(second && second !== first);
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open] .circuit");
  await look("commune");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog[open]", { state: "detached" });
});

test("a commune is found without diacritics", async () => {
  await page.keyboard.press("/");
  await page.keyboard.type("dao thanh");
  await page.waitForSelector("dialog[open] li button");
  assert.match(await page.innerText("dialog[open] li button"), /Đạo Thạnh/);
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog[open]", { state: "detached" });
});

test("an incident, if there is one, tells its root, cause and timeline", async (t) => {
  await page.goto(`${BASE_URL}/incidents`);
  await page.waitForSelector("h2");
  await look("incidents");
  const link = page.locator("[data-incident]").first();
  if ((await link.count()) === 0) return t.diagnostic("no incident now: nothing to open");
  const id = await link.getAttribute("data-incident");
  await link.click();
  await page.waitForSelector("header h1");
  assert.ok((await page.innerText("main")).includes(id));
  assert.ok((await page.locator("main ol li time").count()) > 0, "a timeline entry");
  await look("incident");
  return undefined;
});

test("a site is opened from its commune and tells its lines, its day and what was measured", async () => {
  await page.goto(`${BASE_URL}/`);
  await page.click('[data-commune="28249"]');
  await page.click('dialog[open] a[href^="/sites/"]');
  await page.waitForSelector("[data-part=charts] svg[role=presentation]");
  assert.equal(new URL(page.url()).pathname, "/sites/28249-tt");
  assert.equal(await page.locator("dialog[open]").count(), 0, "the panel stays behind");
  assert.match(await page.innerText("main"), /DTP-VNPT-/);
  assert.ok((await page.locator("[data-part=charts] svg[role=presentation] path.line").count()) > 0, "a curve");
  await look("site");
});

test("the stretch of time stands in the address, and reading the chart needs no mouse", async () => {
  await page.click("[data-part=charts] button:has-text('1')");
  await page.waitForFunction(() => location.search === "?span=1h");
  await page.reload();
  await page.waitForSelector('[data-part=charts] [aria-pressed="true"]');
  await page.waitForSelector("[role=slider]");
  await page.focus("[role=slider]");
  await page.keyboard.press("ArrowLeft");
  const read = await page.getAttribute("[role=slider]", "aria-valuetext");
  assert.match(read ?? "", /^\d\d:\d\d \d\d\/\d\d/);
});

test("the set-up says whether the configuration is in use, and leads to the import", async () => {
  await page.goto(`${BASE_URL}/setup`);
  await page.waitForSelector('[data-good="true"]');
  await look("setup");
  await page.click('a[href="/import"]');
  await page.setInputFiles("input[type=file]", { name: "danh-muc.xls", mimeType: "text/plain", buffer: Buffer.from("x") });
  await page.waitForSelector('[data-step="refused"]');
  await look("import-refused");
  const sheet = "Mã xã;Tên điểm;Nhà mạng\n2824;UBND;VNTP\n";
  await page.setInputFiles("input[type=file]", { name: "danh-muc.csv", mimeType: "text/csv", buffer: Buffer.from(sheet) });
  await page.waitForSelector('[data-step="preview"][data-good="false"] ~ section table');
  await look("import-errors");
});

test("a phone shows the overview without scrolling sideways", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${BASE_URL}/`);
  await page.waitForSelector("[data-commune]");
  await look("phone");
});

test("a phone shows a site without scrolling sideways", async () => {
  await page.goto(`${BASE_URL}/sites/28249-tt`);
  await page.waitForSelector("[data-part=charts] svg[role=presentation]");
  await look("phone-site");
});

test("a wall screen shows the whole province without a control", async () => {
  await page.setViewportSize({ width: 1920, height: 1080 });
  await page.goto(`${BASE_URL}/wall`);
  await page.waitForFunction((n) => document.querySelectorAll("[data-commune]").length === n, COMMUNES);
  assert.equal(await page.locator("header button").count(), 0);
  const hidden = await page.evaluate(
    () => [...document.querySelectorAll("[data-commune]")].filter((tile) => tile.getBoundingClientRect().bottom > innerHeight).length,
  );
  assert.equal(hidden, 0, `${hidden} tiles are below the edge`);
  await look("wall");
});

test("nothing was blocked and nothing failed on the way", () => {
  assert.deepEqual(troubles, []);
});

/*
 * The collector's console API over a made-up province, on loopback, for development only:
 *
 *   npm run mock            serves the API, a sign-in form and the built console on 127.0.0.1:8090
 *   npm run dev             Vite's server, which asks the mock for /api
 *   curl -X POST localhost:8090/dev/scenario/carrier     fine | cut | carrier | mixed
 *   curl -X POST localhost:8090/dev/quiet                stops heartbeats: the stale banner
 *   curl -X POST localhost:8090/dev/broken               the configuration in place has faults, until the next scenario
 *   curl -X POST localhost:8090/dev/mute                 pages of sites cannot be loaded, until the next scenario
 *
 * It sends the same Content-Security-Policy as the collector, so that a breach shows here first.
 */
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { BROKEN, firstWindows, preview } from "./desk.mjs";
import { buildTopology } from "./province.mjs";
import { findings, SCENARIOS, yesterday } from "./scenarios.mjs";
import { availability, describe, series } from "./site.mjs";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const CSP = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2", ".woff": "font/woff", ".txt": "text/plain; charset=utf-8" };
const SESSION = "haidang=mock";
const MAX_BODY = 16 * 1024 * 1024;

const topology = buildTopology();
const streams = new Set();
let seq = 1;
let quiet = false;
let broken = false;
let mute = false;
let windows = firstWindows(Date.now());
let world = SCENARIOS.fine(topology, Date.now());
const past = yesterday(Date.now());

const incidents = () => [...world.incidents, past];
const head = ({ timeline: _timeline, evidence: _evidence, ...incident }) => incident;

function send(name, body) {
  seq += 1;
  for (const stream of streams) stream.write(`id: ${seq}\nevent: ${name}\ndata: ${JSON.stringify(body)}\n\n`);
}

function enact(name) {
  const before = new Map(world.sites.map((site) => [site.id, JSON.stringify(site)]));
  const gone = world.incidents;
  world = SCENARIOS[name](topology, Date.now());
  [quiet, broken, mute] = [false, false, false];
  const changed = world.sites.filter((site) => before.get(site.id) !== JSON.stringify(site));
  send("state", { seq: seq + 1, sites: changed });
  const now = new Date().toISOString();
  for (const one of gone) if (!world.incidents.some((next) => next.id === one.id)) send("incident", { ...head(one), state: "closed", closed: now });
  for (const one of world.incidents) send("incident", head(one));
  send("findings", { seq });
}

setInterval(() => {
  if (!quiet) for (const stream of streams) stream.write("event: heartbeat\ndata: {}\n\n");
}, 15_000).unref();

const stateOf = (id) => world.sites.find((one) => one.id === id);

function measured(query) {
  return series(query, stateOf(query.get("site")), Date.now());
}

function day(query) {
  const site = topology.sites.find((one) => one.id === query.get("site"));
  const bare = describe(site, topology, stateOf(site.id), Date.now()).hours === null;
  return { items: availability(query, site, stateOf(site.id), bare, Date.now()), next: null };
}

const READS = {
  "/api/v1/me": () => ({ user: "truc.ban", role: "admin", lang: "vi" }),
  "/api/v1/topology": () => topology,
  "/api/v1/state": () => ({ at: new Date().toISOString(), seq, sites: world.sites }),
  "/api/v1/incidents": (query) => ({ items: incidents().filter((one) => !query.has("open") || one.state !== "closed").map(head), next: null }),
  "/api/v1/findings": () => ({ items: findings(Date.now()), next: null }),
  "/api/v1/series": measured,
  "/api/v1/availability": day,
  "/api/v1/configuration": () => (broken ? BROKEN : { good: true, since: "2026-11-20T01:30:00.000Z", faults: [] }),
};

async function body(request) {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
    if (text.length > MAX_BODY) throw new Error("body over the limit");
  }
  return text;
}

function act(id, what, said) {
  const incident = world.incidents.find((one) => one.id === id);
  if (!incident) return 404;
  const at = new Date().toISOString();
  const by = "truc.ban";
  if (what === "ack") incident.acked = { by, at };
  if (what === "close") Object.assign(incident, { state: "closed", closed: at });
  incident.timeline.push({ at, what: what === "close" ? "closed" : what, text: said.text ?? said.reason ?? null, by });
  send("incident", head(incident));
  return 204;
}

function json(response, status, value) {
  response.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" });
  response.end(value === undefined ? "" : JSON.stringify(value));
}

/** Maintenance and import; `undefined` for what is neither. */
async function desk(request, url) {
  const [, , , what, id] = url.pathname.split("/");
  if (what === "maintenance") {
    if (request.method === "DELETE") windows = windows.map((one) => (one.id === id ? { ...one, to: new Date().toISOString() } : one));
    else if (request.method === "POST") windows = [...windows, { id: `BT-${windows.length + 1}`, by: "truc.ban", ...JSON.parse(await body(request)) }];
    return request.method === "GET" ? [200, { items: windows, next: null }] : [200, {}];
  }
  if (what !== "import") return undefined;
  await body(request);
  if (id === "accept") return [200, {}];
  const name = url.searchParams.get("file") ?? "";
  return name.includes("hong") ? [422, { title: "Unprocessable", detail: "tệp hỏng hoặc có mật khẩu" }] : [200, preview(name, url.searchParams.get("remove") === "true")];
}

async function api(request, response, url) {
  if (!(request.headers.cookie ?? "").includes(SESSION)) return json(response, 401, { title: "not signed in" });
  const done = await desk(request, url);
  if (done) return json(response, ...done);
  const [, , , list, place] = url.pathname.split("/");
  if (mute && ["sites", "series", "availability"].includes(list)) return json(response, 503, { title: "Service Unavailable" });
  if (list === "sites") {
    const site = topology.sites.find((one) => one.id === decodeURIComponent(place ?? ""));
    return site ? json(response, 200, describe(site, topology, stateOf(site.id), Date.now())) : json(response, 404, { title: "no such site" });
  }
  const read = READS[url.pathname];
  if (read) return json(response, 200, read(url.searchParams));
  if (url.pathname === "/api/v1/events") {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write("event: heartbeat\ndata: {}\n\n");
    streams.add(response);
    request.on("close", () => streams.delete(response));
    return undefined;
  }
  const [, id, what] = url.pathname.match(/^\/api\/v1\/incidents\/([^/]+)(?:\/(ack|note|close))?$/) ?? [];
  if (id && what && request.method === "POST") return json(response, act(id, what, JSON.parse(await body(request))));
  const incident = incidents().find((one) => one.id === id);
  return incident ? json(response, 200, incident) : json(response, 404, { title: "no such incident" });
}

async function develop(request, response, url) {
  const [, , what, name] = url.pathname.split("/");
  if (request.method !== "POST") return json(response, 405, { title: "POST only" });
  if (what === "quiet") quiet = true;
  else if (what === "broken") {
    broken = true;
    send("findings", { seq });
  } else if (what === "mute") mute = true;
  else if (what === "scenario" && name in SCENARIOS) enact(name);
  else return json(response, 404, { title: "no such scenario" });
  return json(response, 204);
}

function file(response, path) {
  const wanted = join(DIST, normalize(path));
  const found = wanted.startsWith(DIST) && existsSync(wanted) && statSync(wanted).isFile() ? wanted : join(DIST, "index.html");
  response.writeHead(200, { "content-type": TYPES[extname(found)] ?? "application/octet-stream", "content-security-policy": CSP });
  createReadStream(found).pipe(response);
}

const SIGN_IN = `<!doctype html><html lang="vi"><meta charset="utf-8"><title>Đăng nhập</title><main><h1>Đăng nhập (mô phỏng)</h1>
<form method="post"><label>Tên <input name="user"></label><label>Mật khẩu <input name="password" type="password"></label><button type="submit">Đăng nhập</button></form></main></html>`;

async function sign(request, response, url) {
  if (url.pathname === "/sign-in" && request.method === "GET") {
    response.writeHead(200, { "content-type": TYPES[".html"], "content-security-policy": CSP });
    return response.end(SIGN_IN);
  }
  await body(request);
  const out = url.pathname === "/sign-out";
  response.writeHead(303, { location: out ? "/sign-in" : "/", "set-cookie": `${SESSION}; HttpOnly; SameSite=Lax; Path=/${out ? "; Max-Age=0" : ""}` });
  return response.end();
}

const port = Number(process.env.PORT ?? 8090);
createServer((request, response) => {
  const url = new URL(request.url, "http://mock");
  const area = url.pathname.split("/")[1];
  const serve = { api, dev: develop, "sign-in": sign, "sign-out": sign }[area];
  if (!serve) return file(response, url.pathname);
  return serve(request, response, url).catch((fault) => json(response, 400, { title: String(fault) }));
}).listen(port, "127.0.0.1", () => console.log(`mock collector on http://127.0.0.1:${port}`));

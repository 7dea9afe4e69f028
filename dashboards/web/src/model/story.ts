/*
 * An incident in words: title, cause as leaders may hear it (Nghi / Đã xác định / Chưa xác định, never per cent),
 * extent in xã and điểm, and the text a person pastes into a chat. That text is redacted: no address of any
 * kind may leave this way, whatever name somebody gave a root.
 */
import type { Cause, Incident, Line, SiteState, Topology } from "../api/contract";
import { clock, date, duration } from "../words/time";
import { isWord, t, tWord } from "../words/words.svelte";

export function isOpen(incident: Incident): boolean {
  return incident.state !== "closed" && !incident.adopted_by;
}

/** When the trouble began as far as is known; noticing comes a little later. */
export function began(incident: Incident): Date {
  return new Date(incident.began ?? incident.noticed);
}

export function newestFirst(a: Incident, b: Incident): number {
  return b.noticed.localeCompare(a.noticed) || b.id.localeCompare(a.id);
}

/** Roots whose recorded name is already a full phrase: "Trạm VNPT Mỹ Tho", "Cổng VNPT tại trung tâm". */
const NAMED_IN_FULL = new Set(["site", "hand_off", "pop"]);

/** "Nhà mạng VNPT": the root's kind goes first unless the name already says it. */
export function rootName(incident: Incident): string {
  const { kind, id, name } = incident.root;
  const word = tWord("root", kind);
  if (kind === "collector" || kind === "core") return word;
  const saysItself = NAMED_IN_FULL.has(kind) && name !== id;
  return saysItself || name.toLowerCase().startsWith(word.toLowerCase()) ? name : `${word} ${name}`;
}

/** What shows. A kind that is a cause in itself ("mất điện") is only suspected until the cause is settled. */
export function kindWords(incident: Incident): string {
  const suspected = !incident.cause.final && isWord("kind.suspected", incident.kind);
  return tWord(suspected ? "kind.suspected" : "kind", incident.kind);
}

/** Where an incident stands, for people: one whose sites all work again is recovering, however it is called. */
export type Phase = "noticed" | "open" | "recovering";

export function phaseOf(incident: Incident, sites: ReadonlyMap<string, SiteState>): Phase {
  const touched = incident.affected.map((id) => sites.get(id)?.state);
  if (touched.length > 0 && touched.every((state) => state === "up")) return "recovering";
  return incident.state === "noticed" ? "noticed" : "open";
}

/** "45 xã, 61 điểm bị ảnh hưởng": communes and sites counted apart; nothing touched gives an empty string. */
export function extentWords(incident: Incident, topology: Topology): string {
  const { communes, sites } = extent(incident, topology);
  if (sites === 0) return "";
  return t("incident.affected", { communes: t("count.communes", { n: communes }), sites: t("count.sites", { n: sites }) });
}

function extent(incident: Incident, topology: Topology): { communes: number; sites: number } {
  const home = new Map(topology.sites.map((site) => [site.id, site.commune]));
  const communes = new Set(incident.affected.map((id) => home.get(id) ?? null).filter((code) => code !== null));
  return { communes: communes.size, sites: incident.affected.length };
}

/** From this likelihood one candidate is named as suspected; below it all stay open. Wrong blame is the worst output: a line
 * that only outnumbers power and equipment in the long run is not suspected by tonight's evidence. */
const SUSPECTED = 0.75;

export function verdictWords(cause: Cause): string {
  const ranked = [...cause.candidates].sort((a, b) => (b.probability ?? 0) - (a.probability ?? 0));
  const first = ranked[0];
  if (first === undefined) return t("cause.verdict.none");
  const causes = orList(ranked.map((one) => tWord("cause", one.cause)));
  if (cause.final) return t("cause.verdict.final", { causes });
  if (ranked.length === 1) return t("cause.verdict.suspected", { causes });
  if ((first.probability ?? 0) >= SUSPECTED) return t("cause.verdict.suspected", { causes: tWord("cause", first.cause) });
  return t("cause.verdict.open", { causes });
}

function orList(words: string[]): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : t("cause.or", { list: words.slice(0, -1).join(", "), last });
}

/** The lines an incident is about: its own line, its site's, its carrier's or POP's, else those of the affected sites.
 * A device or a service is no matter of lines. */
export function linesOf(incident: Incident, topology: Topology): Line[] {
  const { kind, id } = incident.root;
  const affected = new Set(incident.affected);
  const here = topology.lines.filter((line) => affected.has(line.site));
  switch (kind) {
    case "line":
      return topology.lines.filter((line) => line.id === id);
    case "site":
      return topology.lines.filter((line) => line.site === id);
    case "device":
    case "service":
      return [];
    case "carrier":
      return here.filter((line) => line.carrier === id);
    case "pop":
      return here.filter((line) => line.pop === id);
    default:
      return here;
  }
}

const ADDRESSES = [
  /\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b/gi,
  /\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+|\/\d+)?\b/g,
  /(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:\/\d+)?(?![\w:])/gi,
];

/** Removes IPv4, IPv6 and MAC addresses; a clock time such as 04:51:06 stays. */
export function redact(text: string): string {
  return ADDRESSES.reduce(
    (left, pattern) => left.replace(pattern, (hit) => (/^\d{2}:\d{2}:\d{2}$/.test(hit) ? hit : t("copy.redacted"))),
    text,
  );
}

const CIRCUITS_IN_TEXT = 3;
const PLACES_IN_TEXT = 8;

/** What "Chép nội dung" copies: short, plain lines, no per cent, no address. */
export function copyText(incident: Incident, topology: Topology, now: Date): string {
  const touched = extentWords(incident, topology);
  const lines = [
    t(isOpen(incident) ? "copy.head" : "copy.head_closed", { id: incident.id }),
    incident.rehearsal ? t("copy.rehearsal") : "",
    `${rootName(incident)}: ${kindWords(incident).toLowerCase()}.`,
    touched === "" ? "" : `${touched}.`,
    placesLine(incident, topology),
    spanLine(incident, now),
    t("copy.cause", { verdict: verdictWords(incident.cause) }),
    circuitsLine(incident, topology),
    ackLine(incident),
  ];
  return redact(lines.filter((line) => line !== "").join("\n"));
}

function placesLine(incident: Incident, topology: Topology): string {
  const wanted = new Set(incident.affected);
  const codes = new Set(topology.sites.filter((site) => wanted.has(site.id)).map((site) => site.commune));
  const names = topology.communes.filter((c) => codes.has(c.code)).map((c) => `${c.type} ${c.name}`);
  if (names.length === 0) return "";
  const more = names.length > PLACES_IN_TEXT ? ` ${t("map.more", { n: names.length - PLACES_IN_TEXT })}` : "";
  return t("copy.places", { list: names.slice(0, PLACES_IN_TEXT).join(", ") + more });
}

function spanLine(incident: Incident, now: Date): string {
  const from = began(incident);
  if (incident.closed === null) {
    const past = duration(now.getTime() - from.getTime());
    return t("copy.since", { time: clock(from), date: date(from), duration: past });
  }
  const to = new Date(incident.closed);
  const past = duration(to.getTime() - from.getTime());
  return t("copy.lasted", { from: clock(from), to: clock(to), date: date(from), duration: past });
}

function circuitsLine(incident: Incident, topology: Topology): string {
  const circuits = linesOf(incident, topology).map((line) => line.circuit);
  if (circuits.length === 0 || circuits.length > CIRCUITS_IN_TEXT) return "";
  return t("copy.circuits", { list: circuits.join(", ") });
}

function ackLine(incident: Incident): string {
  if (!isOpen(incident)) return "";
  if (incident.acked === null) return t("copy.unacked");
  return t("copy.acked", { by: incident.acked.by, time: clock(new Date(incident.acked.at)) });
}

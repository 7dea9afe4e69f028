/*
 * A made-up network over the real communes of Đồng Tháp, for looking at the console without a collector.
 * Deterministic: the same sites, lines and circuits every time. Nothing here reaches the built console.
 */
import { readFileSync } from "node:fs";

/** Areas as an operator might name them, west to east, with the communes' code ranges. */
const AREAS = [
  ["hong-ngu", "Hồng Ngự – Tân Hồng", [[29926, 29978], [29992, 29992]]],
  ["tam-nong", "Tam Nông – Thanh Bình", [[30001, 30034], [30154, 30163]]],
  ["thap-muoi", "Tháp Mười", [[30037, 30073]]],
  ["cao-lanh", "Cao Lãnh", [[29869, 29888], [30076, 30118], [28615, 28615]]],
  ["lap-vo", "Lấp Vò – Lai Vung", [[30169, 30184], [30226, 30235]]],
  ["sa-dec", "Sa Đéc", [[29905, 29905], [30208, 30214], [30244, 30259]]],
  ["cai-be", "Cái Bè", [[28360, 28429]]],
  ["cai-lay", "Cai Lậy", [[28435, 28516], [29983, 29983]]],
  ["tan-phuoc", "Tân Phước", [[28321, 28345]]],
  ["my-tho", "Mỹ Tho – Châu Thành", [[28249, 28285], [28519, 28582]]],
  ["cho-gao", "Chợ Gạo", [[28594, 28603], [28627, 28648], [30130, 30130]]],
  ["go-cong", "Gò Công", [[28297, 28315], [28651, 28747]]],
];

export const CARRIERS = [
  { id: "vnpt", name: "VNPT", hotline: "0277 000 0001" },
  { id: "viettel", name: "Viettel", hotline: "0277 000 0002" },
];

const OBSERVE = ["gateway", "reflector", "box-behind", "ping-only"];

function areaOf(code) {
  const at = Number(code);
  return AREAS.find(([, , ranges]) => ranges.some(([from, to]) => at >= from && at <= to))?.[0] ?? null;
}

function readCommunes() {
  const text = readFileSync(new URL("./communes.csv", import.meta.url), "utf8");
  return text
    .trim()
    .split("\n")
    .slice(1)
    .map((row) => row.split(","))
    .map(([code, type, name]) => ({ code, name, type: type.toLowerCase(), area: areaOf(code) }));
}

function sitesOf(commune, i) {
  const place = `${commune.type} ${commune.name}`;
  const names = [`Ủy ban nhân dân ${place}`];
  if (i % 2 === 1) names.push(`Trung tâm Phục vụ hành chính công ${place}`);
  if (i % 9 === 4) names.push(`Đảng ủy ${place}`);
  return names.map((name, n) => ({
    id: `${commune.code}-${n + 1}`,
    commune: commune.code,
    name,
    observe: OBSERVE[(i + n) % OBSERVE.length],
    rehearsal: true,
    contact: n === 0 ? { name: "Cán bộ trực (giả định)", phone: `0277 000 1${String(i).padStart(3, "0")}` } : null,
  }));
}

function linesOf(site, i) {
  const first = i % 9 < 4 ? 0 : 1;
  const carriers = i % 3 === 0 && site.commune !== "28249" ? [first, 1 - first] : [first];
  return carriers.map((c, n) => ({
    id: `${site.id}-l${n + 1}`,
    site: site.id,
    carrier: CARRIERS[c].id,
    circuit: `DTP-${CARRIERS[c].id.toUpperCase().slice(0, 3)}-${site.id.replace("-", "")}${n + 1}`,
    role: n === 0 ? "primary" : "backup",
    pop: i % 5 === 0 ? null : `${CARRIERS[c].id}-${areaOf(site.commune)}`,
    mbps: n === 0 ? 100 : 20,
  }));
}

export function buildTopology() {
  const communes = readCommunes();
  const sites = communes.flatMap(sitesOf);
  return {
    province: { code: "82", name: "Đồng Tháp" },
    areas: AREAS.map(([id, name]) => ({ id, name })),
    communes,
    carriers: CARRIERS,
    sites,
    lines: sites.flatMap(linesOf),
  };
}

/** Every site up for three days. */
export function calm(topology, at) {
  return topology.sites.map((site) => ({
    id: site.id,
    commune: site.commune,
    name: site.name,
    state: "up",
    established: true,
    acked: false,
    since: new Date(at - 3 * 86_400_000).toISOString(),
    rehearsal: site.rehearsal,
    lines: topology.lines
      .filter((line) => line.site === site.id)
      .map(({ id, circuit, carrier, pop }) => ({ id, circuit, carrier, pop, state: "up" })),
  }));
}

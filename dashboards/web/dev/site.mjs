/*
 * What the made-up collector says of one site: record, devices, agent, a day's availability, series. Deterministic in
 * the site's id, so that a page looks the same at each visit.
 */
const QUARTER = 900_000;
const KINDS = [
  ["gateway", "Thiết bị cổng"],
  ["switch", "Bộ chuyển mạch tầng 1"],
  ["ups", "Bộ lưu điện tủ mạng"],
  ["camera", "Camera bộ phận một cửa"],
  ["printer", "Máy in một cửa"],
];

const iso = (ms) => new Date(ms).toISOString();
const seed = (text) => [...text].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 9973, 7);
const hasAgent = (observe) => observe === "gateway" || observe === "box-behind";

function devices(site, state, at) {
  if (!hasAgent(site.observe)) return [];
  const lost = state.state === "down" || state.state === "affected";
  return KINDS.map(([kind, name], i) => ({
    id: `${site.id}-${kind}`,
    name,
    kind,
    state: lost ? "unknown" : i === 3 && site.id === "28249-1" ? "down" : "up",
    since: i === 4 ? null : iso(at - (i + 1) * 7_200_000),
  }));
}

function agent(site, state, at) {
  if (!hasAgent(site.observe)) return null;
  if (!state.established) return { heard: null, backlog: null, plan: null, clock_s: null };
  const lost = state.state === "down" || state.state === "affected";
  return { heard: iso(at - (lost ? 720_000 : 2_000)), backlog: lost ? null : 0, plan: lost ? "waiting" : "taken", clock_s: seed(site.id) % 3 === 0 ? 3599.4 : 0.02 };
}

export function describe(site, topology, state, at) {
  const bare = seed(site.id) % 7 === 3;
  return {
    id: site.id,
    commune: site.commune,
    name: site.name,
    observe: site.observe,
    rehearsal: site.rehearsal,
    address: bare ? null : "Số 1 đường Nguyễn Trung Trực",
    contact: site.contact,
    key_holder: bare ? null : { name: "Bảo vệ (giả định)", phone: "0277 000 2001" },
    hours: bare ? null : { days: ["mon", "tue", "wed", "thu", "fri"], spans: ["07:00-11:30", "13:00-17:00"] },
    off_outside_hours: bare ? null : "yes",
    feeder: bare ? null : { id: "473-E7.4", name: "Lộ 473 E7.4" },
    tags: bare ? [] : ["một cửa"],
    lines: topology.lines
      .filter((line) => line.site === site.id)
      .map((line) => ({ id: line.id, medium: line.role === "backup" ? "4g-apn" : "fibre-l2", metered: line.role === "backup", contract: bare ? null : "12/2025/HĐ" })),
    devices: devices(site, state, at),
    interfaces: hasAgent(site.observe) ? ["wan"] : [],
    agent: agent(site, state, at),
    changes: bare
      ? []
      : [
          { at: iso(at - 40 * 86_400_000), what: "added", kind: "line", name: "dự phòng", from: null, to: null },
          { at: "2025-07-01T00:00:00.000Z", what: "moved", kind: "site", name: site.name, from: "Phường 5", to: "Phường Đạo Thạnh" },
        ],
  };
}

/** A day in quarters: closed at night where the site has hours, two short losses, one hour nobody could tell. */
export function availability(query, site, state, bare, at) {
  const from = Date.parse(query.get("from"));
  const count = Math.ceil((Date.parse(query.get("to")) - from) / QUARTER);
  const start = Math.floor(from / QUARTER) * QUARTER;
  return Array.from({ length: count + 1 }, (_, i) => {
    const begin = Math.max(from, start + i * QUARTER);
    const end = Math.min(Date.parse(query.get("to")), start + (i + 1) * QUARTER);
    const told = { up_ms: 0, degraded_ms: 0, down_ms: 0, unknown_ms: 0, off_ms: 0, maintenance_ms: 0 };
    const hour = (new Date(begin).getUTCHours() + 7) % 24;
    const ago = (at - end) / 60_000;
    const length = end - begin;
    if (ago < 12 && state.state !== "up") told[{ degraded: "degraded_ms", unknown: "unknown_ms", maintenance: "maintenance_ms", off_hours: "off_ms" }[state.state] ?? "down_ms"] = length;
    else if (ago > 300 && ago < 340) told.down_ms = length * 0.4;
    else if (ago > 500 && ago < 560) told.unknown_ms = length;
    else if (ago > 600 && ago < 660) told.maintenance_ms = length;
    else if (ago > 700 && ago < 800) told.degraded_ms = length;
    else if (!bare && (hour < 7 || hour >= 20)) told.off_ms = length;
    told.up_ms = length - Object.values(told).reduce((a, b) => a + b, 0);
    return { from: iso(begin), to: iso(end), ...told };
  }).filter((item) => Date.parse(item.to) > Date.parse(item.from));
}

const LEVELS = { liveness_rtt_seconds: 0.009, liveness_loss_ratio: 0.002, probe_duration_seconds: 0.012, probe_success: 1 };

/** Points of a series; a gap five hours ago and, for a site that is lost now, the last twelve minutes. */
export function series(query, state, at) {
  const [from, to] = [Date.parse(query.get("from")), Date.parse(query.get("to"))];
  const step = Number(query.get("step")) * 1000;
  const metric = query.get("metric");
  const start = Math.floor(from / step) * step;
  const lost = state && state.state !== "up" && state.state !== "degraded";
  const shift = seed(query.get("check") ?? "") / 100;
  let octets = 1e9;
  return Array.from({ length: Math.ceil((to - start) / step) }, (_, i) => start + i * step).flatMap((ms) => {
    const wave = 1 + 0.4 * Math.sin(ms / 5_400_000 + shift) + 0.15 * Math.sin(ms / 340_000 + shift * 7);
    const day = 0.3 + Math.max(0, Math.sin(((ms / 3_600_000 + 7) % 24) / 24 * Math.PI * 2 - 1.6));
    if (metric === "ifHCInOctets" || metric === "ifHCOutOctets") {
      octets += (step / 1000) * day * wave * (metric === "ifHCInOctets" ? 2.1e6 : 6e5);
    }
    const ago = (at - ms) / 60_000;
    if ((ago > 300 && ago < 318) || (lost && ago < 12)) return [];
    if (metric?.startsWith("ifHC")) return [[ms, octets, octets, octets, 6]];
    if (metric === "probe_success") return [[ms, wave > 1.5 ? 0 : 1, wave > 1.5 ? 0.9 : 1, 1, 6]];
    const base = LEVELS[metric] ?? 1;
    const value = metric === "liveness_loss_ratio" ? Math.max(0, base * (wave - 1.35) * 40) : base * wave;
    return [[ms, value * 0.8, value, value * 1.35, 6]];
  });
}

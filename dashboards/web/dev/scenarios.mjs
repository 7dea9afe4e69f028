/*
 * What can be wrong in the made-up province. Each scenario takes calm sites and returns the sites, the open
 * incidents with their stories, and the findings that go with them.
 */
import { calm } from "./province.mjs";

const iso = (ms) => new Date(ms).toISOString();

function story(at, root, kind, severity, affected, more) {
  const { id, since = 12 * 60_000, cause, evidence = [], ...rest } = more;
  const noticed = at - since;
  return {
    id,
    root,
    kind,
    state: "open",
    severity,
    cause,
    affected,
    sites: affected.map((site) => ({ id: site, state: severity === "critical" ? "down" : "degraded" })),
    noticed: iso(noticed),
    opened: iso(noticed + 5_000),
    closed: null,
    at_error_s: 1.4,
    notifications: 1,
    rehearsal: true,
    acked: null,
    timeline: [
      { at: iso(noticed), what: "noticed", text: "im lặng trên mọi luồng đo của gốc sự cố" },
      { at: iso(noticed + 2_000), what: "critical", text: `${affected.length} điểm` },
      { at: iso(noticed + 5_000), what: "opened", text: "qua ngưỡng xác nhận" },
    ],
    evidence,
    ...rest,
  };
}

function set(sites, ids, state, at, since = 12 * 60_000) {
  return sites.map((site) =>
    ids.includes(site.id)
      ? { ...site, state, since: iso(at - since), lines: site.lines.map((line) => ({ ...line, state: state === "degraded" ? line.state : state })) }
      : site,
  );
}

const OPEN_SET = {
  final: false,
  candidates: [
    { cause: "line", probability: 0.41 },
    { cause: "power", probability: 0.36 },
    { cause: "equipment", probability: 0.23 },
  ],
};

function cut(topology, at) {
  const [line] = topology.lines.filter((one) => one.site === "28249-1");
  const evidence = [
    { at: iso(at - 720_000), stream: "up", line: line.id, text: "không nhận gói từ đầu đo, chờ 1 giây mỗi gói", kind: "silence" },
    { at: iso(at - 719_000), stream: "down", line: line.id, text: "không có trả lời cho gói từ trung tâm", kind: "silence" },
    { at: iso(at - 718_500), stream: "core-agent", line: null, text: "cổng đấu nối của nhà mạng vẫn trả lời", kind: "answer" },
    { at: iso(at - 60_000), stream: "up", line: line.id, text: "lô số 4182 đến muộn 40 giây, có trước khi mất", kind: "late" },
  ];
  const root = { kind: "site", id: "28249-1", name: "Ủy ban nhân dân phường Đạo Thạnh" };
  const incident = story(at, root, "unreachable", "critical", ["28249-1"], { id: "SC-20261122-01", cause: OPEN_SET, evidence });
  return { sites: set(calm(topology, at), ["28249-1"], "down", at), incidents: [incident] };
}

function carrier(topology, at) {
  const single = topology.sites.filter((site) => {
    const lines = topology.lines.filter((line) => line.site === site.id);
    return lines.every((line) => line.carrier === "vnpt");
  });
  const lost = single.map((site) => site.id);
  const weak = topology.lines.filter((line) => line.carrier === "vnpt" && !lost.includes(line.site)).map((line) => line.site);
  let sites = set(calm(topology, at), lost, "affected", at);
  sites = set(sites, weak, "degraded", at).map((site) => ({
    ...site,
    lines: site.lines.map((line) => (line.carrier === "vnpt" ? { ...line, state: "affected" } : line)),
  }));
  const root = { kind: "carrier", id: "vnpt", name: "VNPT" };
  const incident = story(at, root, "carrier-down", "critical", [...lost, ...weak], {
    id: "SC-20261122-02",
    cause: { final: false, candidates: [{ cause: "carrier", probability: 0.94 }] },
    evidence: lost.slice(0, 12).map((id, i) => ({
      at: iso(at - 720_000 + i * 150),
      stream: "up",
      line: `${id}-l1`,
      text: "không nhận gói, cùng lúc với các đường khác của nhà mạng",
      kind: "silence",
    })),
  });
  incident.sites = incident.affected.map((id) => ({ id, state: lost.includes(id) ? "affected" : "degraded" }));
  return { sites, incidents: [incident] };
}

/** One of everything: every face of a tile at once. */
function mixed(topology, at) {
  const base = cut(topology, at);
  let { sites } = base;
  sites = set(sites, ["28405-1", "28414-1"], "degraded", at);
  sites = set(sites, ["28693-1", "28693-2", "28696-1", "28696-2"], "down", at);
  sites = set(sites, ["28702-1", "28702-2"], "affected", at);
  sites = set(sites, ["29905-1", "29905-2"], "maintenance", at);
  sites = set(sites, ["30001-1", "30001-2"], "off_hours", at);
  sites = set(sites, ["28504-1", "28504-2", "28516-1", "28516-2"], "unknown", at);
  sites = sites.map((site) => (site.commune === "30259" || site.commune === "30025" ? { ...site, state: "unknown", established: false } : site));
  sites = sites.map((site) => (site.commune === "28696" ? { ...site, acked: true } : site));
  const group = story(at, { kind: "group", id: "g-7", name: "Tân Phú Đông" }, "unreachable", "critical", ["28693-1", "28696-1", "28702-1"], {
    id: "SC-20261122-03",
    since: 72 * 60_000,
    cause: { final: false, candidates: [{ cause: "line", probability: 0.7 }, { cause: "power", probability: 0.3 }] },
    acked: { by: "Nguyễn Văn Trực", at: iso(at - 60 * 60_000) },
  });
  const weak = story(at, { kind: "line", id: "28405-1-l1", name: "DTP-VNP-2840511" }, "redundancy-lost", "warning", ["28405-1"], {
    id: "SC-20261122-04",
    since: 30 * 3_600_000,
    cause: { final: true, candidates: [{ cause: "line", probability: 1 }] },
  });
  return { sites, incidents: [...base.incidents, group, weak] };
}

export const SCENARIOS = {
  fine: (topology, at) => ({ sites: calm(topology, at), incidents: [] }),
  cut,
  carrier,
  mixed,
};

/** An incident of this morning, so that the lists are never empty of history. */
export function yesterday(at) {
  const past = story(at, { kind: "line", id: "28594-1-l1", name: "DTP-VIE-2859411" }, "line-down", "critical", ["28594-1"], {
    id: "SC-20261121-07",
    since: 3.7 * 3_600_000,
    cause: { final: true, candidates: [{ cause: "power", probability: 1 }] },
  });
  return { ...past, state: "closed", closed: iso(at - 3 * 3_600_000), notifications: 2 };
}

export function findings(at) {
  return [
    ["not-permitted", "28249-1/gateway"],
    ["never-answered", "line/28504-1-l1"],
    ["never-answered", "line/30259-1-l1"],
    ["agent-never-heard", "30025-1"],
    ["record-doubtful", "vnpt-cai-be"],
    ["unproved-uplink", "28249-1-l1"],
    ["one-path", "28285-1"],
    ["clock-skew", "28261-1"],
    ["plan-not-taken", "28270-1"],
    ["check-failing", "28261-2/portal"],
  ].map(([kind, subject]) => ({ kind, subject, text: `${subject}: ${kind}`, since: iso(at - 2 * 3_600_000) }));
}

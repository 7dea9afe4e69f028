/*
 * Acts of the made-up collector beyond incidents: maintenance windows, sheets, the configuration in use. A sheet whose
 * name holds "loi" has errors, one that holds "nhu-cu" changes nothing, one that holds "hong" is refused.
 */
const iso = (ms) => new Date(ms).toISOString();
const HOUR = 3_600_000;

export function firstWindows(at) {
  return [
    { id: "BT-1", items: [{ kind: "site", id: "29905-1" }, { kind: "site", id: "29905-2" }], from: iso(at - HOUR), to: iso(at + 2 * HOUR), reason: "Thay tủ mạng", by: "truc.ban" },
    { id: "BT-2", items: [{ kind: "pop", id: "vnpt-cai-be" }], from: iso(at + 20 * HOUR), to: iso(at + 22 * HOUR), reason: "VNPT nâng cấp trạm", by: "Nguyễn Văn Trực" },
    { id: "BT-0", items: [{ kind: "site", id: "28360-1" }], from: iso(at - 50 * HOUR), to: iso(at - 48 * HOUR), reason: "Cắt điện theo lịch", by: "truc.ban" },
  ];
}

const fault = (row, column, title, cell, message) => ({ sheet: "Danh mục", row, column, title, cell, message });

const ERRORS = [
  fault(4, "A", "Mã xã", "2824", "mã xã có 5 chữ số"),
  fault(7, "F", "Nhà mạng", "VNTP", "không có nhà mạng này; có phải “VNPT”?"),
  fault(12, "H", "Băng thông (Mb/s)", "một trăm", "không phải số"),
  fault(31, "E", "Mã kênh", "DTP-VNP-2824911", "mã kênh này đã có ở ô E3"),
  fault(88, null, null, null, "dòng này không nêu xã nào"),
];

const field = (key, old, now) => ({ field: key, old, new: now, restricted: false });

function items(fate) {
  return [
    { change: fate, kind: "line", id: "28360-1-l2", site: "28360-1", name: "DTP-VIE-2836012", fields: [] },
    { change: "changed", kind: "line", id: "28249-1-l1", site: "28249-1", name: "DTP-VNP-2824911", fields: [field("mbps", "100", "200"), field("contract", null, "HĐ 12/2025/VNPT"), { field: "vlan", old: null, new: null, restricted: true }] },
    { change: "changed", kind: "site", id: "28261-1", site: null, name: "Ủy ban nhân dân phường Mỹ Tho", fields: [field("contact", "Trần Văn A, 0277 000 1001", "Lê Thị B, 0277 000 1002")] },
    ...Array.from({ length: 9 }, (_, i) => ({ change: "added", kind: i % 3 === 2 ? "line" : "site", id: `2${i}-moi`, site: null, name: i % 3 === 2 ? `DTP-VNP-9${i}` : `Trường Tiểu học số ${i + 1}`, fields: [] })),
  ];
}

export function preview(name, remove) {
  const warnings = [fault(19, "K", "Điện thoại", "0277", "số điện thoại ngắn bất thường")];
  const base = { digest: "a1b2c3", errors: [], error_count: 0, warnings: [], added: 0, changed: 0, gone: 0, removed: 0, unchanged: 360, items: [] };
  if (name.includes("loi")) return { ...base, errors: ERRORS, error_count: ERRORS.length, warnings };
  if (name.includes("nhu-cu")) return base;
  const fate = remove ? "removed" : "gone";
  return { ...base, warnings, added: 9, changed: 2, [fate]: 1, unchanged: 357, items: items(fate) };
}

export const BROKEN = {
  good: false,
  since: "2026-11-20T01:30:00.000Z",
  faults: [
    { file: "sites-my-tho.yml", line: 41, column: 7, text: "không có khóa “circit”; có phải “circuit”?" },
    { file: "carriers.yml", line: 12, column: 15, text: "hand_off “vnpt-2” chưa được khai báo" },
  ],
};

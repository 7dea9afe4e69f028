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

const fault = (row, title, cell, message) => ({ sheet: "Danh mục", row, column: "D", title, cell, message });

const ERRORS = [
  fault(4, "Mã xã", "2824", "mã xã phải có 5 chữ số"),
  fault(7, "Nhà mạng", "VNTP", "không có nhà mạng “VNTP”; có phải “VNPT”?"),
  fault(12, "Băng thông (Mb/s)", "một trăm", "không phải số"),
  fault(31, "Mã kênh", "DTP-VNP-2824911", "mã kênh này đã có ở dòng 3"),
  fault(88, "Giờ làm việc", "7h-25h", "giờ phải nằm trong 00:00–24:00"),
];

const ITEMS = [
  { change: "removed", kind: "line", id: "28360-1-l2", name: "DTP-VIE-2836012", fields: [] },
  { change: "changed", kind: "line", id: "28249-1-l1", name: "DTP-VNP-2824911", fields: [{ field: "mbps", old: "100", new: "200" }, { field: "contract", old: null, new: "HĐ 12/2025/VNPT" }] },
  { change: "changed", kind: "site", id: "28261-1", name: "Ủy ban nhân dân phường Mỹ Tho", fields: [{ field: "contact", old: "Trần Văn A, 0277 000 1001", new: "Lê Thị B, 0277 000 1002" }] },
  ...Array.from({ length: 9 }, (_, i) => ({ change: "added", kind: i % 3 === 2 ? "line" : "site", id: `2${i}-moi`, name: i % 3 === 2 ? `DTP-VNP-9${i}` : `Trường Tiểu học số ${i + 1}`, fields: [] })),
];

export function preview(name) {
  const warnings = [fault(19, "Điện thoại", "0277", "số điện thoại ngắn bất thường")];
  const base = { digest: "a1b2c3", errors: [], warnings: [], added: 0, changed: 0, gone: 0, removed: 0, unchanged: 300, items: [] };
  if (name.includes("loi")) return { ...base, errors: ERRORS, warnings };
  if (name.includes("nhu-cu")) return base;
  return { ...base, warnings, added: 9, changed: 2, removed: 1, unchanged: 288, items: ITEMS };
}

export const BROKEN = {
  good: false,
  since: "2026-11-20T01:30:00.000Z",
  faults: [
    { file: "sites-my-tho.yml", line: 41, column: 7, text: "không có khóa “circit”; có phải “circuit”?" },
    { file: "carriers.yml", line: 12, column: 15, text: "hand_off “vnpt-2” chưa được khai báo" },
  ],
};

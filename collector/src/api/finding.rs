//! Findings about the set-up, in the reader's language.

use super::view::rfc3339;
use crate::watch::Finding;
use serde::Serialize;
use utoipa::ToSchema;

/// Something about the set-up to mend.
#[derive(Debug, Serialize, ToSchema)]
pub struct FindingView {
    /// `never-answered`, `agent-never-heard`, `not-permitted`, `unsupported`, `local`, `tls-unspoken`, `resting`,
    /// `record-doubtful`, `unproved-uplink`, `one-path`, `check-failing`, `plan-not-taken`, `plan-refused`,
    /// `no-successor`, `agent-quarantined`.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// Since when.
    pub since: Option<String>,
    /// In the reader's language.
    pub text: String,
}

/// Kind, and what it says in Vietnamese and in English.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "never-answered",
        "chưa từng trả lời: kiểm tra lại khai báo và đường đi",
        "never answered: check the record and the way there",
    ),
    (
        "agent-never-heard",
        "đầu đo chưa từng báo về: kiểm tra cài đặt và đường đi",
        "its agent was never heard: check its installation and the way here",
    ),
    (
        "agent-quarantined",
        "đầu đo trở lại sau thời gian dài im lặng, đang bị cách ly: xác minh tại điểm rồi `agent approve`, hoặc `agent revoke`",
        "its agent is back after long silence and in quarantine: look at the site, then `agent approve` or `agent revoke`",
    ),
    (
        "not-permitted",
        "máy này không cho phép phép đo: cấp quyền mở socket ICMP",
        "this machine does not permit the probe: allow ICMP sockets",
    ),
    (
        "unsupported",
        "đầu đo này chưa biết phép đo: cập nhật đầu đo",
        "this agent does not know the probe: update it",
    ),
    (
        "local",
        "máy này không tìm ra đích hoặc không gửi được: kiểm tra cổng mặc định, máy chủ tên miền, giao diện",
        "this machine finds no such target, or cannot send: check default gateway, resolver and interfaces",
    ),
    (
        "tls-unspoken",
        "đích chỉ biết TLS cũ hơn 1.2: cập nhật đích, trạng thái của nó chưa rõ",
        "the target speaks only TLS older than 1.2: update it, its state is unknown",
    ),
    (
        "resting",
        "đầu đo tự lỗi khi chạy phép đo này và đã khởi động lại: phép đo tạm nghỉ một giờ, hãy gửi nhật ký của đầu đo",
        "the agent ended by a fault of its own at this check and started again: the check rests for an hour; send us the agent's log",
    ),
    (
        "record-doubtful",
        "khai báo có vẻ không đúng với thực tế",
        "the record seems not to match what is seen",
    ),
    (
        "unproved-uplink",
        "chưa chứng minh được đầu đo đi bằng đường này: kiểm tra định tuyến theo nguồn",
        "the agent is not proved to use this line: check source routing",
    ),
    (
        "one-path",
        "hai đường đi ra bằng một tuyến, không có dự phòng thật: kiểm tra định tuyến tại thiết bị cổng",
        "both lines leave by one path, so there is no real backup: check the routing on the gateway",
    ),
    ("check-failing", "phép đo luôn thất bại: kiểm tra đích đo", "the check keeps failing: check its target"),
    (
        "plan-not-taken",
        "đầu đo vẫn chạy kế hoạch cũ: kiểm tra phiên bản và nhật ký của đầu đo",
        "its agent still runs an old plan: check the agent's version and log",
    ),
    (
        "no-successor",
        "đã chấm dứt mà không ghi đơn vị kế thừa: bổ sung `successor` khi đã xác định",
        "ended without a successor in the record: add `successor` once it is known",
    ),
    (
        "plan-refused",
        "đầu đo từ chối kế hoạch mới, vẫn chạy kế hoạch cũ: cập nhật đầu đo hoặc sửa khai báo",
        "its agent refused the new plan and runs the old one: update the agent, or mend the record",
    ),
];

/// A finding in the reader's language.
pub fn finding(finding: Finding, lang: &str) -> FindingView {
    let kind = finding.kind.as_str();
    let words = WORDS.iter().find(|(named, ..)| *named == kind).copied().unwrap_or((kind, kind, kind));
    let text = if lang == "en" { words.2 } else { words.1 };
    FindingView {
        text: format!("{}: {text}", finding.subject),
        since: (finding.since > 0).then(|| rfc3339(finding.since)),
        kind: finding.kind,
        subject: finding.subject,
    }
}

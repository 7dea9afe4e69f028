//! The life of an enrolled agent, by the real programs: a code, batches under its certificate, renewals, a silence
//! that ends in quarantine, approval, a rotated secret, and the end.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use haidang_agent::identity::FirstContact;
use haidang_agent::place::Finder;
use haidang_agent::uplink::post::Post;
use haidang_probe::enrol::{Code, ENROLL, RENEW};
use haidang_tests::console::Console;
use haidang_tests::stage::{FakeClock, Stage, wait};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use std::time::Duration;

const SITE: &str = "28249-tt";
/// Life of a certificate, and the silence after which an agent is quarantined, as the configuration says them.
const LIFE: Duration = Duration::from_secs(12);
const SILENCE: Duration = Duration::from_secs(15);

const PROVINCE: &str = r#"
province: {code: "82", name: Đồng Tháp}
communes:
  - {code: "28249", name: Đạo Thạnh, kind: phường, valid_from: 2025-07-01}
carriers: [{id: vnpt, name: VNPT}]
hand_offs: [{id: vnpt-1, name: Cổng VNPT, carrier: vnpt}]
collector:
  console: {listen: "127.0.0.1:8080"}
  agents: {listen: "127.0.0.1:8443", certificates: 12s, silence: 15s}
  stamp: {listen: "127.0.0.1:8862"}
sites:
  - {id: trung-tam, name: Trung tâm, kind: core}
  - id: 28249-tt
    name: Trụ sở
    commune: "28249"
    observe: gateway
    needs: {any_of: ["28249-1"]}
    lines: [{id: "28249-1", carrier: vnpt, hand_off: vnpt-1, circuit: DTP-VNPT-000001}]
    checks:
      - {name: uptime, probe: uptime, every: 1s}
"#;

/// A figure of the collector's `/metrics`; 0 before it is there.
fn figure(console: &Console, name: &str) -> u64 {
    let (_, text) = console.request("GET", "/metrics", "").unwrap();
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

fn refused(console: &Console, reason: &str) -> u64 {
    figure(console, &format!("ingest_refused_total{{reason=\"{reason}\"}}"))
}

/// Waits until a figure has grown by `by`.
fn grows(console: &Console, name: &str, by: u64, seconds: u32) {
    let before = figure(console, name);
    wait(&format!("{name} to grow by {by}"), seconds, || {
        Ok((figure(console, name) >= before + by).then_some(()))
    })
    .unwrap();
}

fn quarantined(console: &Console) -> bool {
    let findings = console.get("/api/v1/findings").unwrap();
    let findings = findings["items"].as_array().unwrap().clone();
    findings.iter().any(|one| one["kind"] == "agent-quarantined" && one["subject"] == SITE)
}

fn enrolled(number: u8) -> (Stage, Console, String) {
    let mut stage = Stage::enrolling(number, SITE, PROVINCE).unwrap();
    let console = stage.start_collector().unwrap();
    let printed = stage.invite().unwrap();
    let code = Stage::code(&printed).unwrap();
    assert!(printed.contains(&format!("haidang-agent enroll {} {code}", stage.agents_url())), "{printed}");
    assert!(printed.contains('█'), "a QR code to hold a phone to: {printed}");
    let folder = stage.agent_folder();
    let said = stage.enroll(&code.to_lowercase().replace('-', ""), &folder, None).unwrap();
    assert!(said.contains(SITE), "{said}");
    (stage, console, code)
}

#[test]
fn an_agent_enrols_renews_comes_back_and_is_revoked() {
    let (mut stage, console, code) = enrolled(40);
    only_its_owner_reads_what_was_kept(&stage, &code);
    stage.start_agent().unwrap();
    grows(&console, "ingest_kept_total", 3, 30);
    grows(&console, "stamp_up_heard_total", 3, 30);
    outlives_its_first_certificate(&console);
    a_rotated_secret_is_taken_over(&stage, &console);
    comes_back_into_quarantine(&mut stage, &console);
    is_revoked_within_seconds(&stage, &console);
}

fn only_its_owner_reads_what_was_kept(stage: &Stage, code: &str) {
    for name in ["agent.key", "agent.yml", "authority.pem", "certificate.pem", "plan.yml"] {
        let path = format!("{}/{name}", stage.agent_folder());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path}");
    }
    let registry = fs::read_to_string(format!("{}/agents.yml", stage.collector_folder())).unwrap();
    assert!(!registry.contains(code) && registry.contains("enrolled"), "{registry}");
    let other = stage.path("other");
    let again = stage.enroll(code, &other, None).unwrap_err().to_string();
    assert!(again.contains("has been used"), "{again}");
}

fn outlives_its_first_certificate(console: &Console) {
    grows(console, "certificates_renewed_total", 1, 30);
    sleep(LIFE);
    grows(console, "ingest_kept_total", 3, 30);
    assert_eq!(refused(console, "certificate"), 0, "no batch was ever brought under one that had ended");
}

fn a_rotated_secret_is_taken_over(stage: &Stage, console: &Console) {
    let plan = || fs::read_to_string(format!("{}/plan.yml", stage.agent_folder())).unwrap();
    let before = plan();
    let config = stage.configuration();
    stage.agent_command(&["add", SITE, "--renew", "--config", &config]).unwrap();
    wait("the agent to keep its new secret", 30, || Ok((plan() != before).then_some(()))).unwrap();
    assert!(plan().lines().last().unwrap().matches("\",\"").count() == 1, "two secrets count");
    grows(console, "stamp_up_heard_total", 3, 30);
    grows(console, "stamp_down_heard_total", 3, 30);
}

fn comes_back_into_quarantine(stage: &mut Stage, console: &Console) {
    assert!(!quarantined(console));
    stage.kill_agent().unwrap();
    sleep(SILENCE + Duration::from_secs(2));
    stage.start_agent().unwrap();
    wait("the finding", 30, || Ok(quarantined(console).then_some(()))).unwrap();
    let kept = figure(console, "ingest_kept_total");
    wait("a batch to be turned away", 90, || Ok((refused(console, "quarantine") > 0).then_some(()))).unwrap();
    assert_eq!(figure(console, "ingest_kept_total"), kept, "nothing is taken");
    stage.agent_command(&["approve", SITE]).unwrap();
    wait("the finding to go", 20, || Ok((!quarantined(console)).then_some(()))).unwrap();
    grows(console, "ingest_kept_total", 3, 90);
    assert!(stage.agent_command(&["approve", SITE]).is_err(), "it is in none any more");
}

fn is_revoked_within_seconds(stage: &Stage, console: &Console) {
    stage.agent_command(&["revoke", SITE]).unwrap();
    wait("a batch to be turned away", 5, || Ok((refused(console, "certificate") > 0).then_some(()))).unwrap();
    let (kept, heard) = (figure(console, "ingest_kept_total"), figure(console, "stamp_up_heard_total"));
    sleep(Duration::from_secs(3));
    assert_eq!(figure(console, "ingest_kept_total"), kept);
    assert_eq!(figure(console, "stamp_up_heard_total"), heard, "its liveness packets are strangers'");
    let code = Stage::code(&stage.invite().unwrap()).unwrap();
    stage.enroll(&code, &stage.agent_folder(), None).unwrap();
}

#[test]
fn who_has_no_good_code_gets_nothing_and_is_locked_out() {
    let (stage, console, _) = enrolled(41);
    let folder = stage.path("stranger");
    let code = Stage::code(&stage.invite().unwrap()).unwrap();
    let other = Stage::enrolling(42, SITE, PROVINCE).unwrap();
    let foreign = Stage::code(&other.invite().unwrap()).unwrap();
    let told = stage.enroll(&foreign, &folder, None).unwrap_err().to_string();
    assert!(told.contains("is not the collector that gave out the code"), "{told}");
    assert_eq!(figure(&console, "enrol_refused_total{reason=\"code-wrong\"}"), 0, "it was not even said");
    let short = stage.enroll("K7QD-0M3V", &folder, None).unwrap_err().to_string();
    assert!(short.contains("32 letters and digits"), "{short}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(garbage_is_refused(&stage, &Code::parse(&code).unwrap()));
    for (reason, at_least) in
        [("garbled", 2), ("request", 1), ("oversized", 1), ("code-wrong", 1), ("locked", 1)]
    {
        let name = format!("enrol_refused_total{{reason=\"{reason}\"}}");
        assert!(figure(&console, &name) >= at_least, "{name}");
    }
    let locked = stage.enroll(&code, &folder, None).unwrap_err().to_string();
    assert!(locked.contains("too many failures"), "{locked}");
}

async fn garbage_is_refused(stage: &Stage, code: &Code) {
    let (_, trust) = FirstContact::by(code.clone()).unwrap();
    let post = Post::first(&stage.agents_url(), Finder::default(), trust).unwrap();
    let request = fs::read_to_string(format!("{}/certificate.pem", stage.agent_folder())).unwrap();
    let known = serde_json::json!({"code": "00".repeat(16), "request": request}).to_string();
    let key = tempfile::tempdir().unwrap();
    let request = haidang_agent::identity::key(key.path()).unwrap();
    let wrong = serde_json::json!({"code": "00".repeat(16), "request": request}).to_string();
    for (path, body, told) in [
        (ENROLL, "not json".to_owned(), "400"),
        (ENROLL, "{}".to_owned(), "400"),
        (ENROLL, known, "400"),
        (ENROLL, wrong, "403"),
        (ENROLL, "x".repeat(9_000), "413"),
        (ENROLL, "again".to_owned(), "429"),
        (RENEW, serde_json::json!({"request": request}).to_string(), "403"),
    ] {
        let (reason, _) = post.say(path, &Bytes::from(body)).await.unwrap_err();
        assert!(reason.starts_with(told), "{path}: {told} in {reason}");
    }
}

#[test]
fn a_device_without_a_clock_enrols_and_reports() {
    let Some(clock) = FakeClock::new() else { return };
    clock.set("@1970-01-02 00:00:00");
    let mut stage = Stage::enrolling(43, SITE, PROVINCE).unwrap();
    let console = stage.start_collector().unwrap();
    let code = Stage::code(&stage.invite().unwrap()).unwrap();
    stage.enroll(&code, &stage.agent_folder(), Some(&clock)).unwrap();
    stage.start_agent_under(&clock).unwrap();
    grows(&console, "ingest_kept_total", 3, 30);
    grows(&console, "certificates_renewed_total", 2, 30);
}

#[test]
fn a_damaged_authority_is_told_and_nobody_starts_with_another() {
    let mut stage = Stage::enrolling(44, SITE, PROVINCE).unwrap();
    stage.invite().unwrap();
    fs::write(format!("{}/authority.key", stage.collector_folder()), "garbage").unwrap();
    let told = stage.start_collector().err().unwrap();
    assert!(format!("{told:#}").contains("authority.key: is no private key"), "{told:#}");
    assert!(stage.invite().is_err());
}

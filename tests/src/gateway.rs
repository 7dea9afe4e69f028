//! A province of one commune: its gateway's real agent asks [`Targets`] and reports by two uplinks, each of which
//! is proved by the address its packets leave from.

use crate::evidence::{self, Kept};
use crate::stage::{Stage, wait};
use crate::targets::Targets;
use anyhow::ensure;

/// The site of the agent.
pub const SITE: &str = "28249-tt";
/// Lines of the site, with the address that packets of each leave from.
const LINES: [(&str, &str); 2] = [("28249-1", "127.83.16.1"), ("28249-2", "127.83.16.2")];
/// Spaces before the checks of a site.
const INDENT: usize = 6;

const PROVINCE: &str = r#"
province: {code: "82", name: Đồng Tháp}
communes:
  - {code: "28249", name: Đạo Thạnh, kind: phường, valid_from: 2025-07-01}
collector:
  console: {listen: "127.0.0.1:8080"}
  agents: {listen: "127.0.0.1:8443", plain: true}
  stamp: {listen: "127.0.0.1:8862"}
carriers:
  - {id: vnpt, name: VNPT}
  - {id: viettel, name: Viettel}
hand_offs:
  - {id: vnpt-1, name: Cổng VNPT, carrier: vnpt}
  - {id: viettel-1, name: Cổng Viettel, carrier: viettel}
sites:
  - {id: trung-tam, name: Trung tâm, kind: core}
  - id: 28249-tt
    name: Trung tâm Phục vụ hành chính công phường Đạo Thạnh
    commune: "28249"
    observe: gateway
    needs: {any_of: ["28249-1", "28249-2"]}
    lines:
      - {id: "28249-1", carrier: vnpt, hand_off: vnpt-1, circuit: DTP-VNPT-000001, seen_from: [127.83.16.1]}
      - id: "28249-2"
        carrier: viettel
        hand_off: viettel-1
        circuit: DTP-VTL-000001
        role: backup
        seen_from: [127.83.16.2]
    checks:
"#;

/// A stage with that province, where each target is asked `every` so often; nothing runs.
pub fn stage(number: u8, targets: &Targets, every: &str) -> anyhow::Result<Stage> {
    stage_with(number, &targets.checks(every, INDENT))
}

/// The same with what follows `checks:`, as it stands in the record; the checks are indented by six spaces.
pub fn stage_with(number: u8, checks: &str) -> anyhow::Result<Stage> {
    let stage = Stage::with(number, SITE, &format!("{PROVINCE}{checks}"))?;
    // A gateway's routes choose the line by destination; on loopback the source address does.
    let mut sources = Vec::new();
    for (line, address) in LINES {
        sources.push((line, stage.own(address).parse()?));
    }
    stage.change_plan(|plan| {
        for uplink in &mut plan.uplinks {
            uplink.source =
                sources.iter().find(|(line, _)| *line == uplink.line).map(|(_, address)| *address);
        }
    })?;
    Ok(stage)
}

/// Waits until the agent knows everything that it numbered so far to be kept, and compares: every batch once, with
/// the same octets. Gives them.
///
/// # Errors
/// When something is not acknowledged within `patience` seconds, or stored otherwise than it was numbered.
pub fn nothing_is_lost(stage: &Stage, patience: u32) -> anyhow::Result<Vec<Kept>> {
    let end = evidence::numbered(&stage.agent_folder())?.len() as u64;
    wait("everything to be acknowledged", patience, || {
        Ok((evidence::acknowledged(&stage.agent_folder())? >= end).then_some(()))
    })?;
    let before = |mut batches: Vec<Kept>| {
        batches.retain(|batch| batch.seq < end);
        batches.sort_by_key(|batch| batch.seq);
        batches
    };
    let numbered = before(evidence::numbered(&stage.agent_folder())?);
    let stored = before(evidence::stored(&stage.collector_folder(), SITE)?);
    ensure!(numbered.len() > 10, "{} batches prove little", numbered.len());
    ensure!(numbered.len() == stored.len(), "{} numbered, {} stored", numbered.len(), stored.len());
    ensure!(numbered == stored, "a batch was stored with other octets");
    Ok(stored)
}

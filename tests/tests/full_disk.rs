//! A disk that is full for a while, small and real: what it cannot take is counted and said, nothing acknowledged is
//! lost, and all goes on by itself once there is room.
//!
//! A small file system can only be mounted by root; without that the tests say so and prove nothing.
#![allow(clippy::unwrap_used)]

use haidang_daemon::clock::Clock;
use haidang_tests::console::Console;
use haidang_tests::evidence;
use haidang_tests::gateway;
use haidang_tests::proof::unproved;
use haidang_tests::proxy::Proxy;
use haidang_tests::stage::wait;
use haidang_tests::targets::Targets;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

const TARGETS: usize = 10;
/// Longest wait for anything, seconds.
const PATIENCE: u32 = 120;

/// A file system of its own in a folder, with what the folder held; gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &str, size: &str) -> Option<SmallDisk> {
        fs::create_dir_all(folder).unwrap();
        let held: Vec<(PathBuf, Vec<u8>)> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        let size = format!("size={size},mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none", folder]).output();
        if !mounted.is_ok_and(|mounted| mounted.status.success()) {
            unproved("disk", "no file system can be mounted here (not root?)");
            return None;
        }
        for (path, content) in held {
            fs::write(path, content).unwrap();
        }
        Some(SmallDisk(folder.into()))
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        for size in [64 << 10, 4 << 10, 256, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn ready(console: &Console) -> anyhow::Result<u16> {
    Ok(console.request("GET", "/readyz", "")?.0)
}

#[test]
fn a_collector_without_room_refuses_says_so_and_goes_on_when_there_is_room() {
    let targets = Targets::start(TARGETS, &Clock::machine().unwrap()).unwrap();
    let mut stage = gateway::stage(40, &targets, "1s").unwrap();
    let Some(disk) = SmallDisk::mount(&stage.collector_folder(), "48m") else { return };
    let console = stage.start_collector().unwrap();
    stage.start_agent().unwrap();
    wait("the first acknowledgement", PATIENCE, || {
        Ok((evidence::acknowledged(&stage.agent_folder())? > 0).then_some(()))
    })
    .unwrap();

    disk.fill();
    wait("the collector to say that it is not ready", PATIENCE, || {
        Ok((ready(&console)? == 503).then_some(()))
    })
    .unwrap();
    sleep(Duration::from_secs(10));
    let said = fs::read_to_string(stage.path("collector.log")).unwrap();
    assert!(said.contains("the journal takes no records"), "{said}");
    disk.empty();
    wait("the collector to be ready again", PATIENCE, || Ok((ready(&console)? == 200).then_some(())))
        .unwrap();
    gateway::nothing_is_lost(&stage, PATIENCE).unwrap();
    let told = console.incidents().unwrap();
    assert_eq!(told.len(), 0, "our own blindness is nobody's outage: {told:#?}");
    drop(stage);
    drop(disk);
}

#[test]
fn an_agent_without_room_keeps_what_it_can_counts_the_rest_and_sends_it_all() {
    let targets = Targets::start(TARGETS, &Clock::machine().unwrap()).unwrap();
    let mut stage = gateway::stage(41, &targets, "1s").unwrap();
    let Some(disk) = SmallDisk::mount(&stage.agent_folder(), "4m") else { return };
    let proxy = Proxy::start(stage.agents_port(), stage.stamp_port()).unwrap();
    stage
        .change_plan(|plan| {
            for uplink in &mut plan.uplinks {
                uplink.collector = format!("http://{}", proxy.batches);
                uplink.stamp = proxy.stamp;
            }
        })
        .unwrap();
    stage.start_collector().unwrap();
    stage.start_agent().unwrap();
    wait("the first acknowledgement", PATIENCE, || {
        Ok((evidence::acknowledged(&stage.agent_folder())? > 0).then_some(()))
    })
    .unwrap();

    proxy.hold();
    disk.fill();
    let asked: usize = targets.asked().iter().map(Vec::len).sum();
    let log = stage.path("agent.log");
    wait("the agent to say that its disk is full", PATIENCE, || {
        let said = fs::read_to_string(&log)?;
        Ok(said.contains("until the disk takes it").then_some(()))
    })
    .unwrap();
    sleep(Duration::from_secs(5));
    let later: usize = targets.asked().iter().map(Vec::len).sum();
    assert!(later > asked, "a full disk stops no check");
    disk.empty();
    proxy.release();
    gateway::nothing_is_lost(&stage, PATIENCE).unwrap();
    // Every run was kept in memory meanwhile: none is missing between two that were numbered.
    let numbered = evidence::numbered(&stage.agent_folder()).unwrap();
    let runs = evidence::runs(&numbered).unwrap();
    for target in 0..targets.count() {
        let told = runs.iter().filter(|(check, _)| *check == Targets::check(target)).count();
        let asked = targets.asked()[target].len();
        assert!(asked - told <= 4, "target {target} was asked {asked} times, {told} are told");
    }
    drop(stage);
    drop(disk);
}

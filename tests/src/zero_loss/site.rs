//! The site's end: runs of checks, sealed by the agent's own spool.

use super::{Dice, Fall};
use anyhow::ensure;
use bytes::Bytes;
use haidang_agent::spool::{Keep, Sealed, Spool};
use haidang_daemon::clock::Clock;
use haidang_journal::memory::Memory;
use haidang_journal::{Item, Position, Snapshot};
use haidang_probe::batch::{Ack, Batch};
use haidang_probe::check::CheckId;
use haidang_probe::moment::BootId;
use haidang_probe::outcome::{Failure, Outcome};
use std::collections::BTreeSet;
use std::time::Duration;
use tempfile::TempDir;

/// Whose agent it is.
pub(super) const SITE: &str = "28249-tt";
/// Its spool's identity.
const SPOOL: u64 = 0x5eed;
/// Its spool's bound, octets: nothing goes for want of room.
const ROOM: u64 = 256 << 20;
/// Nothing is left out for its age.
const DIGESTS: Duration = Duration::from_secs(30 * 86_400);
/// Checks that run in a turn.
const CHECKS: u32 = 20;

pub(super) struct Site {
    clock: Clock,
    pub(super) disk: Memory,
    spool: Spool<Memory>,
    folder: TempDir,
    /// What was durable, by number.
    pub(super) numbered: Vec<(u64, Bytes)>,
    pub(super) seen: u64,
    /// What was sealed when the agent fell: perhaps the disk has it.
    unsure: Option<Sealed>,
    boots: u8,
    keep: Option<Keep>,
}

impl Site {
    pub(super) fn new(clock: &Clock, disk: Memory, raw: Option<Duration>) -> anyhow::Result<Site> {
        let folder = tempfile::tempdir()?;
        let spool = Spool::on(disk.clone(), folder.path(), (SITE, SPOOL), ROOM)?;
        let clock = clock.clone();
        let keep = raw.map(|raw| Keep { raw, digests: DIGESTS });
        Ok(Site { clock, disk, spool, folder, numbered: Vec::new(), seen: 0, unsure: None, boots: 1, keep })
    }

    /// A turn's runs become a batch; false when the agent fell over it.
    pub(super) fn seal(&mut self, dice: &mut Dice) -> bool {
        let outcomes: Vec<Outcome> = (0..CHECKS).map(|check| self.run(check, dice)).collect();
        self.seen += outcomes.len() as u64;
        let batch = Batch { clocks: vec![self.clock.map()], outcomes, ..Batch::default() };
        // It refuses where a reduction before it waits for the disk.
        let Ok(sealed) = self.spool.seal(&batch) else { return false };
        if !self.number(sealed) {
            return false;
        }
        let Some(keep) = self.keep else { return true };
        match self.spool.reduce(self.clock.moment(), self.clock.map(), keep) {
            Ok(Some(reduced)) => self.number(reduced),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Notes what was sealed; false where it is not durable.
    fn number(&mut self, sealed: Sealed) -> bool {
        if !self.spool.durable(sealed.seq) {
            self.unsure = Some(sealed);
            return false;
        }
        self.numbered.push((sealed.seq, sealed.bytes));
        true
    }

    fn run(&self, check: u32, dice: &mut Dice) -> Outcome {
        let took = Duration::from_micros(200 + dice.below(20_000));
        let result = match dice.below(50) {
            0 => Err(Failure::Timeout),
            1 => Err(Failure::NotPermitted),
            _ => Ok(took),
        };
        Outcome { check: CheckId(check), sent: self.clock.moment(), result, samples: Vec::new() }
    }

    /// The agent is gone and starts again on what its disk held; after a power cut its machine has booted.
    pub(super) fn fall(&mut self, fall: Fall, seed: u64) -> anyhow::Result<()> {
        self.disk = fall.leaves(&self.disk, seed);
        if fall == Fall::Cut {
            self.boots += 1;
            self.clock.reboot(BootId([self.boots; 16]));
        }
        self.spool = Spool::on(self.disk.clone(), self.folder.path(), (SITE, SPOOL), ROOM)?;
        // What a crash overtook between writing and being told of it has its number all the same.
        if let Some(unsure) = self.unsure.take().filter(|unsure| unsure.seq < self.spool.next_seq()) {
            ensure!(self.octets(unsure.seq)? == unsure.bytes, "a batch came back from the disk altered");
            self.numbered.push((unsure.seq, unsure.bytes));
        }
        Ok(())
    }

    fn octets(&self, seq: u64) -> anyhow::Result<Vec<u8>> {
        let (snapshot, _) = Snapshot::open(self.disk.clone())?;
        match snapshot.read(Position(seq)).next().transpose()? {
            Some(Item::Record { bytes, .. }) => Ok(bytes),
            _ => anyhow::bail!("batch {seq} is not on the disk"),
        }
    }

    /// What goes next: the newest, then the oldest.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Sealed>> {
        match self.spool.newest() {
            Some(newest) => Ok(Some(newest)),
            None => Ok(self.spool.oldest_but(&BTreeSet::new())?),
        }
    }

    /// A batch leaves; false when the agent fell over noting that.
    pub(super) fn leaves(&mut self, seq: u64) -> bool {
        self.spool.lend(seq);
        self.spool.announce(seq).is_ok()
    }

    /// No answer came, or this one.
    pub(super) fn answered(&mut self, seq: u64, ack: Option<&Ack>) {
        let now_ns = self.clock.steady_ns();
        self.spool.returned(seq, Some(now_ns));
        if let Some(ack) = ack {
            self.spool.acknowledged(ack, now_ns);
        }
    }

    pub(super) fn unacknowledged(&self) -> u64 {
        self.spool.tally().unacked
    }
}

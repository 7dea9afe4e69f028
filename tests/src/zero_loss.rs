//! A day of outage in virtual time: a site's spool and the centre's ingest, both on disks that are killed at any byte
//! and lose power, and a line that loses requests and answers. What was numbered must be stored, once.
//!
//! ```text
//!            flows │deaf│         held          │ flows
//!   site   ────────┼─ k ── c ──── k ── c ── k ──┼──── c ── k ──────   k kill -9 in the middle of a change
//!   centre ────────┼────────────────────────────┼─ k ─ c ── k ── c    c power cut: what was not synced may go
//!                  WARM  no answer comes   WARM + outage        + REST
//!
//!   seen ≥ numbered = acknowledged = stored        a run that was in no batch yet dies with its agent
//!              answered ⊆ stored
//! ```
//!
//! Where the site keeps runs for less than the outage, what it reduces stands for what was numbered:
//! `numbered = stored + replaced`, and every run of a numbered batch is told once, by itself or in a row of a digest.
//!
//! Real are the agent's spool and the collector's ingest, roster, fold and journal; the disks
//! ([`haidang_journal::memory`]), the clock and the line are made up. The same seed gives the same history.

mod centre;
mod site;
mod told;

use anyhow::ensure;
use centre::Centre;
use haidang_daemon::clock::Clock;
use haidang_journal::memory::Memory;
use haidang_probe::batch::{Ack, Batch, Envelope};
use site::Site;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// How long the line flows before the outage.
const WARM: Duration = Duration::from_secs(1_800);
/// How long anything may still fall after it; then everything must come home.
const REST: Duration = Duration::from_secs(3_600);
/// How long, as the outage begins, requests still arrive and no answer does: half of the line is gone.
const DEAF: Duration = Duration::from_secs(300);
/// Time between two batches of the site.
const TURN: Duration = Duration::from_secs(30);
/// What one exchange over the line takes.
const EXCHANGE: Duration = Duration::from_millis(250);
/// One request in so many is lost, and one answer of those that arrived.
const LOSES: u64 = 8;
/// Changes of a disk, at most, between the moment a fall is due and the fall.
const LATER: u64 = 24;
/// Exchanges after which what has not come home never will.
const PATIENCE: u32 = 20_000;

/// What is done to both ends.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Everything random comes from it.
    pub seed: u64,
    /// How long the line is held.
    pub outage: Duration,
    /// Kills, and as many power cuts; half of each hit the site, half the centre.
    pub falls: usize,
    /// Disks say that they synced and did not.
    pub lying: bool,
    /// How long the site keeps runs one by one, if for less than all that time.
    pub raw: Option<Duration>,
}

/// What was counted at both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs of checks the site saw.
    pub seen: u64,
    /// Batches that were durable at the site.
    pub numbered: u64,
    /// Those of them the site knows to be kept.
    pub acknowledged: u64,
    /// Numbers the centre answered for, whether or not the answer arrived.
    pub answered: u64,
    /// Batches in the centre's journal, with repeats.
    pub stored: u64,
    /// Numbered, and named by a digest that is stored in their place.
    pub replaced: u64,
    /// Runs of the batches numbered.
    pub runs: u64,
    /// Runs that the centre knows of once, by themselves or in rows of digests.
    pub told: u64,
    /// Runs and rows that the centre has and that tell of something else.
    pub wrong: u64,
    /// Numbered or answered for, and neither stored as numbered nor replaced.
    pub lost: u64,
    /// Stored again.
    pub doubled: u64,
    /// Processes killed.
    pub kills: usize,
    /// Power cuts.
    pub cuts: usize,
    /// Exchanges tried.
    pub exchanges: u32,
}

impl Counts {
    /// Whether everything arrived once.
    pub fn whole(&self) -> bool {
        self.numbered > 0
            && [self.acknowledged, self.answered, self.stored + self.replaced] == [self.numbered; 3]
            && self.told == self.runs
            && (self.lost, self.doubled, self.wrong) == (0, 0, 0)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { seen, numbered, acknowledged, answered, stored, .. } = self;
        writeln!(f, "lost {}, doubled {}", self.lost, self.doubled)?;
        writeln!(f, "{} kills, {} power cuts, {} exchanges", self.kills, self.cuts, self.exchanges)?;
        write!(f, "{seen} runs seen; batches: {numbered} numbered, {acknowledged} acknowledged, ")?;
        write!(f, "{answered} answered for, {stored} stored, {} replaced by digests; ", self.replaced)?;
        write!(f, "of {} runs {} told once, {} runs and rows wrong", self.runs, self.told, self.wrong)
    }
}

/// SplitMix64 (Steele et al., 2014).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }
}

/// How something falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fall {
    Kill,
    Cut,
}

impl Fall {
    /// The disk as the next start finds it.
    fn leaves(self, disk: &Memory, seed: u64) -> Memory {
        match self {
            Fall::Kill => disk.kill(seed),
            Fall::Cut => disk.power_loss(seed),
        }
    }
}

/// When one end falls, each time armed so that it happens in the middle of some later change.
struct Falls {
    due: BTreeMap<u64, Fall>,
    armed: Option<Fall>,
    done: Vec<Fall>,
}

impl Falls {
    /// Half of the script's falls, in turn kills and cuts, between the two times.
    fn draw(script: &Script, from: Duration, to: Duration, dice: &mut Dice) -> Falls {
        let span = to.saturating_sub(from).as_nanos() as u64;
        let kinds = [Fall::Kill, Fall::Cut].into_iter().cycle().take(script.falls);
        let due = kinds.map(|fall| (from.as_nanos() as u64 + dice.below(span), fall)).collect();
        Falls { due, armed: None, done: Vec::new() }
    }

    /// Lights the fuse of what is due.
    fn arm(&mut self, now_ns: u64, disk: &Memory, dice: &mut Dice) {
        if self.armed.is_none()
            && let Some(due) = self.due.first_entry().filter(|due| *due.key() <= now_ns)
        {
            self.armed = Some(due.remove());
            disk.lose_power_after(dice.below(LATER));
        }
    }

    /// It has fallen: how.
    fn fell(&mut self) -> Option<Fall> {
        let fall = self.armed.take()?;
        self.done.push(fall);
        Some(fall)
    }

    fn over(&self) -> bool {
        self.due.is_empty() && self.armed.is_none()
    }
}

/// Both ends and the line between them.
struct Stage {
    clock: Clock,
    dice: Dice,
    site: Site,
    centre: Centre,
    falls: [Falls; 2],
    exchanges: u32,
}

/// Plays the script, and counts.
///
/// # Errors
/// When something that must happen never does, or fails otherwise than by a fall.
pub fn rehearse(script: &Script) -> anyhow::Result<Counts> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stage = Stage::new(script)?;
        stage.play(script).await?;
        stage.count()
    })
}

impl Stage {
    fn new(script: &Script) -> anyhow::Result<Stage> {
        let (clock, mut dice) = (Clock::manual(), Dice(script.seed));
        let disk = || if script.lying { Memory::lying() } else { Memory::new() };
        let (site, centre) = (Site::new(&clock, disk(), script.raw)?, Centre::new(&clock, disk())?);
        let (back, end) = (WARM + script.outage, WARM + script.outage + REST);
        let of_site = Falls::draw(script, Duration::ZERO, end, &mut dice);
        // While nothing comes in the centre has little to lose.
        let of_centre = Falls::draw(script, back, end, &mut dice);
        Ok(Stage { clock, dice, site, centre, falls: [of_site, of_centre], exchanges: 0 })
    }

    async fn play(&mut self, script: &Script) -> anyhow::Result<()> {
        let held = (WARM.as_nanos() as u64)..((WARM + script.outage).as_nanos() as u64);
        let deaf = held.start..held.start + DEAF.as_nanos() as u64;
        let end_ns = held.end + REST.as_nanos() as u64;
        while self.clock.steady_ns() < end_ns || !self.falls.iter().all(Falls::over) {
            let turn_ends = self.clock.steady_ns() + TURN.as_nanos() as u64;
            self.see()?;
            if deaf.contains(&self.clock.steady_ns()) {
                self.exchange(true).await?;
            }
            while !held.contains(&self.clock.steady_ns()) && self.clock.steady_ns() < turn_ends {
                if !self.exchange(false).await? {
                    break;
                }
            }
            self.clock.advance(Duration::from_nanos(turn_ends.saturating_sub(self.clock.steady_ns())));
        }
        while self.exchange(false).await? {
            ensure!(self.exchanges < PATIENCE, "what was numbered never comes home");
        }
        Ok(())
    }

    /// The site's agent sees, and numbers, a turn's runs; perhaps it falls over it.
    fn see(&mut self) -> anyhow::Result<()> {
        self.falls[0].arm(self.clock.steady_ns(), &self.site.disk, &mut self.dice);
        if self.site.seal(&mut self.dice) {
            return Ok(());
        }
        self.site_fell()
    }

    fn site_fell(&mut self) -> anyhow::Result<()> {
        let fall = self.falls[0].fell();
        let fall = fall.ok_or_else(|| anyhow::anyhow!("the site's disk fails though nothing fell"))?;
        self.site.fall(fall, self.dice.roll())
    }

    /// One batch goes to the centre, live first; false when there is none to send. A site that is `deaf` hears no answer.
    async fn exchange(&mut self, deaf: bool) -> anyhow::Result<bool> {
        let Some(sealed) = self.site.next()? else { return Ok(false) };
        if !self.site.leaves(sealed.seq) {
            self.site_fell()?;
            return Ok(true);
        }
        self.exchanges += 1;
        self.clock.advance(EXCHANGE);
        let ack = if self.dice.below(LOSES) == 0 { None } else { self.arrives(sealed.bytes).await? };
        let heard = ack.filter(|_| !deaf && self.dice.below(LOSES) > 0);
        self.site.answered(sealed.seq, heard.as_ref());
        Ok(true)
    }

    /// A batch arrives; none where the centre gives no acknowledgement.
    async fn arrives(&mut self, octets: bytes::Bytes) -> anyhow::Result<Option<Ack>> {
        self.falls[1].arm(self.clock.steady_ns(), &self.centre.disk, &mut self.dice);
        let ack = self.centre.post(octets).await?;
        // A fall comes to light at the first change after it; without one the centre asks for the oldest first.
        if ack.is_none()
            && let Some(fall) = self.centre.fell().then(|| self.falls[1].fell()).flatten()
        {
            self.centre.fall(fall, self.dice.roll())?;
        }
        Ok(ack)
    }

    fn count(&self) -> anyhow::Result<Counts> {
        let stored = self.centre.stored()?;
        let mut once: BTreeMap<u64, &[u8]> = BTreeMap::new();
        for (seq, octets) in &stored {
            once.entry(*seq).or_insert(octets);
        }
        let numbered = &self.site.numbered;
        let open = |octets: &[u8]| Ok(Envelope::decode(octets)?.open()?);
        let kept = once.values().map(|octets| open(octets)).collect::<anyhow::Result<Vec<Batch>>>()?;
        let made = numbered.iter().map(|(_, octets)| open(octets)).collect::<anyhow::Result<Vec<Batch>>>()?;
        let told = told::hold(&made, &kept);
        let replaces = kept.iter().filter_map(|batch| batch.replaces);
        let mut replaced: BTreeSet<u64> = replaces.flat_map(|(first, last)| first..=last).collect();
        replaced.retain(|seq| !once.contains_key(seq));
        let kept = |(seq, octets): &&(u64, bytes::Bytes)| once.get(seq) == Some(&&octets[..]);
        let lost: BTreeSet<u64> = numbered
            .iter()
            .filter(|batch| !kept(batch) && !replaced.contains(&batch.0))
            .map(|(seq, _)| *seq)
            .chain(
                self.centre
                    .answered
                    .iter()
                    .copied()
                    .filter(|seq| !once.contains_key(seq) && !replaced.contains(seq)),
            )
            .collect();
        let falls = || self.falls.iter().flat_map(|falls| &falls.done);
        let kills = falls().filter(|fall| **fall == Fall::Kill).count();
        Ok(Counts {
            seen: self.site.seen,
            numbered: numbered.len() as u64,
            acknowledged: numbered.len() as u64 - self.site.unacknowledged(),
            answered: self.centre.answered.len() as u64,
            stored: stored.len() as u64,
            replaced: replaced.len() as u64,
            runs: told.runs,
            told: told.once,
            wrong: told.wrong,
            lost: lost.len() as u64,
            doubled: (stored.len() - once.len()) as u64,
            kills,
            cuts: falls().count() - kills,
            exchanges: self.exchanges,
        })
    }
}

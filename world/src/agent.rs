//! One simulated agent: its uplinks' liveness, and its batches on the first uplink that lives.
//!
//! ```text
//! power    ▔▔▔▔▔▔▔▔▁▁▁▁▁▁▔▔▔▔▔▔▔    Off: no checks, nothing kept; a new boot when it is back
//!                                    BoxAlone: it goes on, and its gateway does not answer
//! boot     1        │      2, its clock from 0
//! ```
//!
//! Behind a gateway that fails over by itself, an uplink that is not pinned rides where the gateway does.
//! What it had kept before the power went lies on its disk, and comes home with the clock of its own boot.

use crate::failover::Pair;
use crate::map::Part;
use crate::routine::{Met, Routine};
use crate::spool::Spool;
use crate::switches::{Footing, Power, Services, Switches};
use crate::time::Time;
use crate::uplink::{self, Outlet, Session, random};
use crate::weather::{hash, mix};
use anyhow::{anyhow, ensure};
use bytes::Bytes;
use haidang_agent::{
    dial::Trust,
    place::Finder,
    uplink::post::{Post, Verdict},
};
use haidang_collector::topology::Id;
use haidang_daemon::stop::Stop;
use haidang_probe::check::CheckId;
use haidang_probe::event::EventKind;
use haidang_probe::key;
use haidang_probe::moment::{BootId, ClockMap, Moment};
use haidang_probe::plan::{Orders, Plan, PlanDigest, Uplink};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Interval between the batches of one agent.
const TURN: Duration = Duration::from_secs(10);
/// Envelopes posted in one turn, so that a province that returns at once does not fill the collector.
const POSTS: usize = 4;
/// Boots before the present one whose clocks are kept, for what they saw and is not home.
const FORMER: usize = 8;

/// An agent with its sockets bound, ready to run.
pub struct Agent {
    site: String,
    boot: BootId,
    booted_ns: u64,
    /// Clocks of the boots before, newest first.
    former: VecDeque<ClockMap>,
    routine: Routine,
    spool: Spool,
    ways: Vec<Way>,
    /// Where what follows its gateway leaves, where that chooses.
    route: Option<[Outlet; 2]>,
    time: Time,
    standing: watch::Receiver<Footing>,
    /// How the site stood when it was last felt.
    felt: Footing,
    services: Services,
    checked_ns: u64,
    getting_through: Option<bool>,
}

/// Where an agent stands.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The checks that ask its gateway on the LAN.
    pub gateway: BTreeSet<CheckId>,
    /// The lines its gateway chooses from, where it does.
    pub failover: Option<Pair>,
}

/// One uplink as the batches see it.
struct Way {
    line: Id,
    outlets: [Outlet; 2],
    post: Post,
    life: Option<(Session, UdpSocket)>,
}

impl Way {
    /// Whether it carries a batch now. One that has followed its gateway onto another line does not: the uplink of
    /// that line carries it, and it leaves from the same address.
    fn carries(&self, on_backup: bool) -> bool {
        let outlet = &self.outlets[usize::from(on_backup)];
        outlet.line == self.line && !outlet.switch.is_cut()
    }
}

impl Agent {
    /// Binds the sockets of the agent that `plan` describes.
    ///
    /// # Errors
    /// A plan that cannot run here, or a socket that cannot be bound.
    pub async fn bind(plan: Plan, place: Place, time: &Time, switches: &Switches) -> anyhow::Result<Agent> {
        let secret = plan.secret.as_deref().and_then(key::unhex).filter(|secret| secret.len() == 32);
        let secret = secret.ok_or_else(|| anyhow!("the secret is not 64 hex digits"))?;
        ensure!(!plan.uplinks.is_empty(), "it has no uplink");
        let trust = plan.authority.as_deref().map(Trust::in_pem).transpose().map_err(anyhow::Error::msg)?;
        let (bearer, stamp) = (key::bearer(&secret), key::derive(&secret, key::STAMP));
        let standing =
            switches.site(&plan.agent).ok_or_else(|| anyhow!("site `{}` is not simulated", plan.agent))?;
        let route = place.failover.map(|pair| route(&pair, &plan, switches)).transpose()?;
        let mut ways = Vec::new();
        for uplink in &plan.uplinks {
            let own = outlet(&uplink.line, &plan, switches)?;
            let outlets = match &route {
                Some(route) if uplink.pin.is_none() => route.clone(),
                _ => [own.clone(), own],
            };
            let to = uplink.stamp_address();
            let socket = uplink::bind(outlets[0].source, to).await?;
            let (site, time) = (standing.clone(), time.clone());
            let life = Session { outlets: outlets.clone(), to, ssid: uplink.ssid, key: stamp, site, time };
            // The rehearsal's collector takes batches at one address: where they leave from tells their line.
            let reached = Uplink { pin: None, ..uplink.clone() };
            let post = Post::new(&reached, Some(&bearer), Finder::default(), trust.clone())
                .map_err(anyhow::Error::msg)?;
            ways.push(Way { line: uplink.line.clone(), outlets, post, life: Some((life, socket)) });
        }
        let boot = boot_of(&plan.agent, time.map().boot);
        let spool_id = u64::from_be_bytes(random()?);
        let spool = Spool::new(&plan.agent, spool_id, plan.orders().digest());
        let mut routine = Routine::new(&plan.agent, (boot, 0), place.gateway);
        routine.follow(plan.checks);
        let (time, checked_ns) = (time.clone(), time.mono_ns());
        Ok(Agent {
            site: plan.agent,
            boot,
            booted_ns: 0,
            former: VecDeque::new(),
            routine,
            spool,
            ways,
            route,
            time,
            felt: Footing::default(),
            standing,
            services: switches.services(),
            checked_ns,
            getting_through: None,
        })
    }

    /// How many uplinks it has.
    pub fn uplinks(&self) -> usize {
        self.ways.len()
    }

    /// Runs until `stop`.
    pub async fn run(mut self, stop: Stop) {
        let mut lives = JoinSet::new();
        let random = mix(hash(&self.site));
        for (number, way) in self.ways.iter_mut().enumerate() {
            let Some((life, socket)) = way.life.take() else { continue };
            let phase = Duration::from_micros(mix(random ^ number as u64) % 1_000_000);
            lives.spawn(life.run(socket, phase, stop.clone()));
        }
        self.spool.note(EventKind::AgentStarted, self.now());
        let phase = Duration::from_millis(random % TURN.as_millis() as u64);
        tokio::select! {
            () = stop.wait() => {}
            () = tokio::time::sleep(phase) => {}
        }
        let mut turns = tokio::time::interval(TURN);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.wait() => break,
                Ok(()) = self.standing.changed() => self.feel(),
                _ = turns.tick() => self.turn().await,
            }
        }
        while let Some(ended) = lives.join_next().await {
            if let Ok(Err(error)) = ended {
                tracing::warn!(site = self.site, error = format!("{error:#}"), "an uplink ended");
            }
        }
    }

    /// Takes over how the site stands now.
    fn feel(&mut self) {
        let footing = *self.standing.borrow_and_update();
        let felt = self.felt;
        if footing.power != felt.power || footing.losses != felt.losses || footing.on_backup != felt.on_backup
        {
            self.look();
        }
        if footing.losses != felt.losses {
            self.former.push_front(self.clock());
            self.former.truncate(FORMER);
        }
        self.felt = footing;
        if footing.clock_ns != felt.clock_ns && footing.power != Power::Off {
            self.spool.note(EventKind::ClockStepped, self.now());
        }
        let back = felt.power == Power::Off || footing.losses != felt.losses;
        if back && footing.power != Power::Off {
            self.boot();
        }
    }

    /// The machine boots, as another than before.
    fn boot(&mut self) {
        self.booted_ns = self.time.mono_ns();
        self.boot = boot_of(&format!("{} {}", self.site, self.booted_ns), self.time.map().boot);
        self.routine.boot(self.boot, self.booted_ns);
        self.checked_ns = self.booted_ns;
        self.spool.note(EventKind::MachineBooted, Moment { boot: self.boot, mono_ns: 0 });
        self.spool.note(EventKind::AgentStarted, self.now());
        tracing::debug!(site = self.site, "power is back");
    }

    /// Does the checks that are due, and keeps what they saw.
    fn look(&mut self) {
        let now_ns = self.time.mono_ns();
        let from_ns = std::mem::replace(&mut self.checked_ns, now_ns);
        if self.felt.power == Power::Off {
            return;
        }
        let met = Met {
            reached: self.reaches(),
            gateway: self.felt.power == Power::On,
            services: self.services.clone(),
        };
        self.spool.keep(self.routine.runs(from_ns, now_ns, &met), self.now());
    }

    /// Whether what it asks beyond its lines gets there: by the gateway's choice, where that chooses.
    fn reaches(&self) -> bool {
        match &self.route {
            Some(route) => !route[usize::from(self.felt.on_backup)].switch.is_cut(),
            None => self.ways.iter().any(|way| way.carries(false)),
        }
    }

    async fn turn(&mut self) {
        self.look();
        if self.felt.power == Power::Off {
            return;
        }
        for _ in 0..POSTS {
            let clocks: Vec<ClockMap> =
                [self.clock()].into_iter().chain(self.former.iter().copied()).collect();
            match self.spool.next(&clocks) {
                Ok(Some(octets)) if self.bring(&octets).await => self.spool.done(),
                Ok(_) => return,
                Err(refusal) => tracing::warn!(site = self.site, %refusal, "batch not sealed"),
            }
        }
    }

    /// Brings an envelope home on the first living uplink, or the next when that fails; whether it is done with.
    async fn bring(&mut self, octets: &Bytes) -> bool {
        let mut wrong = None;
        for number in 0..self.ways.len() {
            let way = &self.ways[number];
            if !way.carries(self.felt.on_backup) {
                continue;
            }
            match way.post.batch(octets).await {
                // Cut while the answer was under way: it never arrived.
                Verdict::Kept(_) if !way.carries(self.felt.on_backup) => {}
                Verdict::Kept(ack) => {
                    self.follow(ack.plan_digest, number).await;
                    self.tell(None);
                    return true;
                }
                Verdict::Refused(reason) => {
                    tracing::warn!(site = self.site, reason, "batch refused for good");
                    return true;
                }
                Verdict::Unknown(reason) | Verdict::Later(reason) | Verdict::Failed(reason) => {
                    wrong = Some(reason);
                }
            }
        }
        if let Some(reason) = wrong {
            self.tell(Some(&reason));
        }
        false
    }

    /// Fetches and follows the plan the collector wants run, when it is another: its checks. The lines are those of
    /// the map the world started with.
    async fn follow(&mut self, wanted: PlanDigest, by: usize) {
        if wanted == PlanDigest::default() || wanted == self.spool.digest() {
            return;
        }
        let orders = match self.ways[by].post.orders().await {
            Ok(orders) => orders,
            Err(reason) => return tracing::info!(site = self.site, reason, "the plan was not fetched"),
        };
        match serde_json::from_slice::<Orders>(&orders) {
            Ok(Orders { checks, .. }) => {
                self.routine.follow(checks);
                self.spool.runs(PlanDigest::of(&orders));
                self.spool.note(EventKind::PlanTaken, self.now());
            }
            Err(error) => tracing::warn!(site = self.site, %error, "the plan is not one"),
        }
    }

    /// Logs whether batches get through, when that changes.
    fn tell(&mut self, wrong: Option<&str>) {
        if self.getting_through.replace(wrong.is_none()) == Some(wrong.is_none()) {
            return;
        }
        let (waiting, dropped) = self.spool.waiting();
        match wrong {
            None => tracing::debug!(site = self.site, waiting, dropped, "batches get through"),
            Some(reason) => tracing::info!(site = self.site, waiting, reason, "batches do not get through"),
        }
    }

    fn now(&self) -> Moment {
        Moment { boot: self.boot, mono_ns: self.time.mono_ns().saturating_sub(self.booted_ns) }
    }

    /// The present boot's clock.
    fn clock(&self) -> ClockMap {
        let map = self.time.map();
        let offset_ns =
            map.offset_ns.saturating_add(self.felt.clock_ns).saturating_add_unsigned(self.booted_ns);
        ClockMap { boot: self.boot, offset_ns, ..map }
    }
}

/// Where packets of a line's uplink leave.
fn outlet(line: &str, plan: &Plan, switches: &Switches) -> anyhow::Result<Outlet> {
    let switch = switches.of(&Part::Line(line.to_owned()));
    let switch = switch.ok_or_else(|| anyhow!("uplink `{line}` is no simulated line"))?;
    let source = plan.uplinks.iter().find(|uplink| uplink.line == line).and_then(|uplink| uplink.source);
    Ok(Outlet { line: line.to_owned(), switch, source })
}

/// Where packets that follow the gateway leave: on its primary, on its backup.
fn route(pair: &Pair, plan: &Plan, switches: &Switches) -> anyhow::Result<[Outlet; 2]> {
    Ok([outlet(&pair.primary, plan, switches)?, outlet(&pair.backup, plan, switches)?])
}

/// The boot of a site's gateway: as many as there are sites, and each as long-lived as this machine's own, so that
/// a restart of the world is not a power cut.
fn boot_of(site: &str, machine: BootId) -> BootId {
    let random = [mix(hash(site)), mix(!hash(site))].map(u64::to_be_bytes).concat();
    let mut boot = machine.0;
    boot.iter_mut().zip(random).for_each(|(octet, random)| *octet ^= random);
    BootId(boot)
}

#[cfg(test)]
mod tests;

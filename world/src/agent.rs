//! One simulated agent: its uplinks' liveness, and its batches on the first uplink that lives.

use crate::routine::Routine;
use crate::spool::Spool;
use crate::switches::Switch;
use crate::time::Time;
use crate::uplink::{self, Uplink};
use crate::weather::{hash, mix};
use anyhow::{Context as _, anyhow, ensure};
use bytes::Bytes;
use haidang_agent::{
    place::Finder,
    uplink::post::{Post, Verdict},
};
use haidang_daemon::stop::Stop;
use haidang_probe::event::EventKind;
use haidang_probe::key;
use haidang_probe::moment::{BootId, Moment};
use haidang_probe::plan::{Orders, Plan, PlanDigest};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Interval between the batches of one agent.
const TURN: Duration = Duration::from_secs(10);
/// Envelopes posted in one turn, so that a province that returns at once does not fill the collector.
const POSTS: usize = 4;

/// An agent with its sockets bound, ready to run.
pub struct Agent {
    site: String,
    boot: BootId,
    routine: Routine,
    spool: Spool,
    ways: Vec<Way>,
    time: Time,
    checked_ns: u64,
    getting_through: Option<bool>,
}

/// One uplink as the batches see it.
struct Way {
    line: Switch,
    post: Post,
    life: Option<(Uplink, UdpSocket)>,
}

impl Agent {
    /// Binds the sockets of the agent that `plan` describes. `switch` finds a line's.
    ///
    /// # Errors
    /// A plan that cannot run here, or a socket that cannot be bound.
    pub async fn bind(
        plan: Plan,
        time: &Time,
        switch: impl Fn(&str) -> Option<Switch>,
    ) -> anyhow::Result<Agent> {
        let secret = key::unhex(&plan.secret).filter(|secret| secret.len() == 32);
        let secret = secret.ok_or_else(|| anyhow!("the secret is not 64 hex digits"))?;
        ensure!(!plan.uplinks.is_empty(), "it has no uplink");
        let (bearer, stamp) = (key::bearer(&secret), key::derive(&secret, key::STAMP));
        let mut ways = Vec::new();
        for uplink in &plan.uplinks {
            let line = switch(&uplink.line)
                .ok_or_else(|| anyhow!("uplink `{}` is no simulated line", uplink.line))?;
            let socket = uplink::bind(uplink.source, uplink.stamp_address()).await?;
            let life = Uplink::new(&uplink.line, uplink.ssid, &stamp, &random()?);
            let post = Post::new(uplink, &bearer, Finder::default(), None).map_err(anyhow::Error::msg)?;
            ways.push(Way { line, post, life: Some((life, socket)) });
        }
        let boot = boot_of(&plan.agent, time.map().boot);
        let spool_id = u64::from_be_bytes(random()?);
        let spool = Spool::new(&plan.agent, spool_id, plan.orders().digest());
        let routine = Routine::new(&plan.agent, boot, plan.checks);
        let (time, checked_ns) = (time.clone(), time.mono_ns());
        Ok(Agent { site: plan.agent, boot, routine, spool, ways, time, checked_ns, getting_through: None })
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
            lives.spawn(uplink::run(life, socket, way.line.clone(), self.time.clone(), phase, stop.clone()));
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
                _ = turns.tick() => self.turn().await,
            }
        }
        while lives.join_next().await.is_some() {}
    }

    async fn turn(&mut self) {
        let now = self.now();
        let reached = self.ways.iter().any(|way| !way.line.is_cut());
        let outcomes = self.routine.runs(self.checked_ns, now.mono_ns, reached);
        self.checked_ns = now.mono_ns;
        self.spool.keep(outcomes, now);
        for _ in 0..POSTS {
            let clock = haidang_probe::moment::ClockMap { boot: self.boot, ..self.time.map() };
            match self.spool.next(clock) {
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
            if way.line.is_cut() {
                continue;
            }
            match way.post.batch(octets).await {
                // Cut while the answer was under way: it never arrived.
                Verdict::Kept(_) if way.line.is_cut() => {}
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
                self.routine = Routine::new(&self.site, self.boot, checks);
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
        Moment { boot: self.boot, mono_ns: self.time.mono_ns() }
    }
}

/// The boot of a site's gateway: as many as there are sites, and each as long-lived as this machine's own, so that
/// a restart of the world is not a power cut.
fn boot_of(site: &str, machine: BootId) -> BootId {
    let random = [mix(hash(site)), mix(!hash(site))].map(u64::to_be_bytes).concat();
    let mut boot = machine.0;
    boot.iter_mut().zip(random).for_each(|(octet, random)| *octet ^= random);
    BootId(boot)
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).context("draw random octets")?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gateway_has_a_boot_of_its_own_that_outlives_the_world() {
        let machine = BootId([9; 16]);
        assert_eq!(boot_of("28249-tt", machine), boot_of("28249-tt", machine));
        assert_ne!(boot_of("28249-tt", machine), boot_of("28250-tt", machine));
        assert_ne!(boot_of("28249-tt", machine), boot_of("28249-tt", BootId([8; 16])));
    }
}

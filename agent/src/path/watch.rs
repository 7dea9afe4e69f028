//! The task that traces on doubt: checks' targets as they go silent and come back, uplinks' ways to the collector.
//!
//! What it finds becomes events: evidence of where it broke, kept in the spool while the line is down. Bounded on every
//! side: a queue of [`QUEUE`], [`CHECKS_AT_ONCE`] traces for checks and one for each uplink, and the tracer's own limits;
//! what is left out is counted.

use super::doubt::{Checks, Pauses, Uplinks};
use super::{AT_ONCE, Cost, Request, Traced, Tracer, Untraced};
use crate::by_id::ById;
use crate::dial::Origin;
use crate::expose::Board;
use crate::place::Finder;
use crate::plan::Asked;
use crate::uplink::{Uplink, meter::Meter};
use haidang_daemon::clock::Clock;
use haidang_probe::ask::Question;
use haidang_probe::ask::path::HOPS;
use haidang_probe::ask::place::Place;
use haidang_probe::event::{Event, Field};
use haidang_probe::outcome::{Failure, Outcome};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Doubts that wait. When a line breaks all that lies behind it is doubted: a few tell enough.
pub const QUEUE: usize = 64;

/// Traces for checks under way at once; one turn is left for checks of paths.
pub const CHECKS_AT_ONCE: usize = AT_ONCE - 1;

/// How long a trace may take. A router tells only after 3 s that its neighbour does not answer it.
const WITHIN: Duration = Duration::from_secs(4);

/// Between two looks at the uplinks.
const LOOK: Duration = Duration::from_secs(1);

/// Octets of a trace's packet after its IP head, for the meter.
const PACKET: usize = 64;
/// Of an answer, which quotes the packet at most whole, behind its IP head.
const ANSWER: usize = PACKET + 20;

/// What is left out, and why: names in figures.
const FULL: &str = "queue";
const ENDED: &str = "ended";
const PAUSED: &str = "pause";
const FAILED: &str = "own-failure";
const BUDGET: &str = "budget";

/// What the task works with.
pub struct Tools {
    /// Reads time.
    pub clock: Clock,
    /// Finds addresses.
    pub finder: Finder,
    /// Traces.
    pub tracer: Tracer,
    /// Takes the events.
    pub events: mpsc::Sender<Event>,
    /// Where figures are shown.
    pub board: Board,
    /// Counts the octets of metered uplinks.
    pub meter: Meter,
    /// The ways to the collector.
    pub uplinks: watch::Receiver<Vec<Arc<Uplink>>>,
}

/// Sees the outcomes of checks, and has the task doubt.
pub struct Doubter {
    checks: Checks,
    wanted: mpsc::Sender<Wanted>,
    tracer: Tracer,
    board: Board,
}

/// A check whose target is doubted.
struct Wanted {
    check: String,
    place: Place,
}

impl Doubter {
    /// Starts the task. It ends with the doubter.
    pub fn start(tools: Tools) -> Doubter {
        let (wanted, wanted_in) = mpsc::channel(QUEUE);
        let (tracer, board) = (tools.tracer.clone(), tools.board.clone());
        tokio::spawn(Watch::new(tools).run(wanted_in));
        Doubter { checks: Checks::default(), wanted, tracer, board }
    }

    /// A run ended. Most change nothing: the check is looked up only when they do.
    pub fn saw(&mut self, outcome: &Outcome, asked: &ById<Arc<Asked>>) {
        if !self.checks.saw(outcome) {
            return;
        }
        let Some(asked) = asked.get(&outcome.check) else { return };
        let place = match &asked.question {
            // It has just been traced.
            Some(Question::Path(_)) | None => return,
            Some(question) => question.place(),
        };
        if let Some(place) = place {
            let wanted = Wanted { check: asked.name.clone(), place: place.clone() };
            match self.wanted.try_send(wanted) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => self.board.trace_left_out(FULL),
                Err(TrySendError::Closed(_)) => self.board.trace_left_out(ENDED),
            }
        }
    }

    /// A new plan: checks that are no longer asked are forgotten, and what is `known` to stand on the ways is named.
    pub fn follow(&mut self, asked: &ById<Arc<Asked>>, known: &BTreeMap<IpAddr, String>) {
        self.checks.retain(|check| asked.contains_key(&check));
        self.tracer.name(known.clone());
    }
}

struct Watch {
    tools: Tools,
    ways: Uplinks,
    pauses: Arc<Mutex<Pauses>>,
    under_way: JoinSet<Ended>,
    checks: usize,
    uplinks: BTreeSet<String>,
}

/// A trace that ended; none where the target was traced just now.
struct Ended {
    subject: Subject,
    traced: Option<Result<Traced, Untraced>>,
}

enum Subject {
    Check(String),
    Uplink { uplink: Arc<Uplink>, doubted: bool },
}

impl Watch {
    fn new(tools: Tools) -> Watch {
        Watch {
            tools,
            ways: Uplinks::default(),
            pauses: Arc::default(),
            under_way: JoinSet::new(),
            checks: 0,
            uplinks: BTreeSet::new(),
        }
    }

    async fn run(mut self, mut wanted: mpsc::Receiver<Wanted>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                next = wanted.recv(), if self.checks < CHECKS_AT_ONCE => match next {
                    Some(next) => self.trace_check(next),
                    None => return,
                },
                _ = look.tick() => self.trace_uplinks(),
                Some(ended) = self.under_way.join_next() => match ended {
                    Ok(ended) => self.ended(ended).await,
                    Err(error) => return tracing::error!(%error, "a trace ended early: no more are made"),
                },
            }
        }
    }

    fn trace_check(&mut self, Wanted { check, place }: Wanted) {
        self.checks += 1;
        let Tools { clock, finder, tracer, .. } = &self.tools;
        let (clock, finder, tracer) = (clock.clone(), finder.clone(), tracer.clone());
        let pauses = self.pauses.clone();
        self.under_way.spawn(async move {
            let found = tokio::time::timeout(WITHIN, finder.address(&place)).await;
            let traced = match found.unwrap_or(Err(Failure::Resolve)) {
                Ok(target) => {
                    let may =
                        pauses.lock().unwrap_or_else(PoisonError::into_inner).may(target, clock.steady_ns());
                    if may { Some(tracer.trace(&request(target, Origin::default())).await) } else { None }
                }
                Err(failure) => Some(Err(failure.into())),
            };
            Ended { subject: Subject::Check(check), traced }
        });
    }

    fn trace_uplinks(&mut self) {
        let uplinks = self.tools.uplinks.borrow_and_update().clone();
        let names: BTreeSet<String> = uplinks.iter().map(|uplink| uplink.name()).collect();
        self.ways.retain(|uplink| names.contains(uplink));
        let now_ns = self.tools.clock.steady_ns();
        for (name, uplink) in names_of(&uplinks) {
            let target = uplink.plan.stamp_address().ip();
            // Nothing lies between us and ourselves.
            if target.is_loopback() || self.uplinks.contains(&name) {
                continue;
            }
            let Some(doubted) = self.ways.due(&name, uplink.silent(), uplink.plan.metered, now_ns) else {
                continue;
            };
            if !self.tools.meter.affords(&uplink.plan, self.tools.clock.utc_ms()) {
                self.tools.board.trace_left_out(BUDGET);
                continue;
            }
            self.uplinks.insert(name);
            let (tracer, uplink) = (self.tools.tracer.clone(), uplink.clone());
            self.under_way.spawn(async move {
                let traced = tracer.trace_uplink(&request(target, Origin::of(&uplink.plan))).await;
                Ended { subject: Subject::Uplink { uplink, doubted }, traced: Some(traced) }
            });
        }
    }

    async fn ended(&mut self, Ended { subject, traced }: Ended) {
        let traced = match traced {
            Some(Ok(traced)) => Some(traced),
            Some(Err(Untraced { failure, cost })) => {
                tracing::debug!(failure = failure.name(), "no trace");
                self.tools.board.trace_left_out(FAILED);
                if let Subject::Uplink { uplink, doubted } = &subject {
                    self.metered(uplink, cost);
                    self.ways.failed(&uplink.name(), *doubted);
                }
                None
            }
            None => {
                self.tools.board.trace_left_out(PAUSED);
                None
            }
        };
        let events = match subject {
            Subject::Check(check) => {
                self.checks -= 1;
                traced.as_ref().map(|traced| traced.events(&check, true))
            }
            Subject::Uplink { uplink, doubted } => {
                self.uplinks.remove(&uplink.name());
                traced.as_ref().map(|traced| self.uplink(&uplink, doubted, traced))
            }
        };
        if traced.is_some() {
            self.tools.board.traced();
        }
        for event in events.into_iter().flatten() {
            let hop = event.says(Field::Hop).unwrap_or_default();
            tracing::info!(part = event.part, event = event.kind.name(), hop, "path traced");
            let _ = self.tools.events.send(event).await;
        }
    }

    fn uplink(&self, uplink: &Uplink, doubted: bool, traced: &Traced) -> Vec<Event> {
        let (plan, name) = (&uplink.plan, uplink.name());
        self.metered(uplink, traced.cost);
        let default = Origin::of(plan).is_default(plan.stamp_address().is_ipv4());
        self.tools.board.way(&name, traced.route.length(), default);
        let said = default.map_or("", |default| if default { "yes" } else { "no" });
        let events = traced.events(&name, doubted).into_iter();
        events.map(|event| event.with(Field::DefaultRoute, said)).collect()
    }

    fn metered(&self, uplink: &Uplink, cost: Cost) {
        let now_ms = self.tools.clock.utc_ms();
        for (packets, octets) in [(cost.packets, PACKET), (cost.answers, ANSWER)] {
            (0..packets).for_each(|_| self.tools.meter.packet(&uplink.plan, octets, now_ms));
        }
    }
}

fn names_of(uplinks: &[Arc<Uplink>]) -> impl Iterator<Item = (String, &Arc<Uplink>)> {
    uplinks.iter().map(|uplink| (uplink.name(), uplink))
}

fn request(target: IpAddr, origin: Origin) -> Request {
    Request { target, hops: HOPS, origin, within: WITHIN }
}

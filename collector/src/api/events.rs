//! `GET /api/v1/events`: what changed, as server-sent events, rendered once for all who watch.
//!
//! ```text
//! fold ─ Change ─▶ relay ─ at most 4 frames/s ─┬─▶ ring (FRAMES, RING_BYTES) ─▶ who comes back with an id
//!                                              └─▶ every open stream
//! frame = event: state {seq, sites}, event: incident {…} each, event: findings {seq}; the last carries the id
//! ```
//!
//! An id is the journal's position up to which everything was sent. Who comes back with one gets what came
//! after; when the ring no longer reaches that far, a reader is too slow or the record is another, it gets
//! `event: reset` and reads all anew. `event: heartbeat` each 15 s, and at once on opening, carries the id too. After a reset for
//! slowness the stream ends and the browser opens another.

use super::{Shared, problem::Problem, story::IncidentView, view};
use crate::fold::{Change, Fold};
use crate::watch::Watch;
use axum::{
    body::{Body, Bytes},
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use haidang_daemon::stop::Stop;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Shortest time between two frames.
const PACE: Duration = Duration::from_millis(250);
/// Time between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Frames kept for those who come back.
const FRAMES: usize = 512;
/// Octets of frames kept.
const RING_BYTES: usize = 8 << 20;
/// Frames a reader may lag behind.
const LAG: usize = 32;
/// Streams open at once; one more is refused. Fewer than the port's connections, or those who watch would keep out
/// those who ask.
const READERS: usize = 160;

/// Renders changes once, keeps the latest, and tells them to every stream.
pub(super) struct Relay {
    ring: Mutex<Ring>,
    frames: broadcast::Sender<Frame>,
    places: Arc<Semaphore>,
}

/// Events of one moment, as they go over the wire.
#[derive(Clone)]
struct Frame {
    seq: u64,
    text: Bytes,
}

struct Ring {
    kept: VecDeque<Frame>,
    bytes: usize,
    /// Everything after this position is kept.
    floor: u64,
    /// Everything up to this position was sent.
    through: u64,
}

/// Where a reader begins.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Begin {
    /// As `Last-Event-ID`, for those who cannot set a header.
    since: Option<u64>,
}

impl Relay {
    /// Starts relaying the fold's changes.
    pub(super) fn start(fold: Fold) -> Arc<Relay> {
        let changes = fold.changes();
        let relay = Arc::new(Relay::at(fold.read(Watch::seq)));
        tokio::spawn(relay.clone().run(fold, changes));
        relay
    }

    /// A relay that has sent everything up to `seq`, which is nothing yet.
    fn at(seq: u64) -> Relay {
        let ring = Ring { kept: VecDeque::new(), bytes: 0, floor: seq, through: seq };
        let places = Arc::new(Semaphore::new(READERS));
        Relay { ring: Mutex::new(ring), frames: broadcast::channel(LAG).0, places }
    }

    async fn run(self: Arc<Self>, fold: Fold, mut changes: broadcast::Receiver<Change>) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut gathered = Gathered::default();
            match changes.recv().await {
                Ok(change) => gathered.add(change),
                Err(broadcast::error::RecvError::Lagged(_)) => gathered.anew = true,
                Err(broadcast::error::RecvError::Closed) => return,
            }
            pace.tick().await;
            gathered.rest(&mut changes);
            let frame = if gathered.anew { None } else { fold.read(|watch| gathered.frame(watch)) };
            match frame {
                Some(frame) => self.tell(frame),
                None if gathered.anew => self.reset(fold.read(Watch::seq)),
                None => {}
            }
        }
    }

    fn tell(&self, frame: Frame) {
        let mut ring = self.ring();
        ring.through = frame.seq;
        ring.bytes += frame.text.len();
        ring.kept.push_back(frame.clone());
        while ring.kept.len() > FRAMES || ring.bytes > RING_BYTES {
            let Some(oldest) = ring.kept.pop_front() else { break };
            ring.bytes -= oldest.text.len();
            ring.floor = oldest.seq;
        }
        // Under the ring's lock, so that a stream opened now sees it either in the ring or on the channel. An
        // error means that nobody watches.
        let _ = self.frames.send(frame);
    }

    /// Everybody reads anew; nobody can be resumed from before this.
    fn reset(&self, seq: u64) {
        let mut ring = self.ring();
        *ring = Ring { kept: VecDeque::new(), bytes: 0, floor: seq, through: seq };
        let _ = self.frames.send(Frame { seq, text: reset(seq) });
    }

    /// What to send at once to who saw everything up to `since`, and the frames from then on. `latest` is the
    /// fold's position: what lies beyond it is an id of another journal.
    fn open(&self, since: Option<u64>, latest: u64) -> (VecDeque<Bytes>, broadcast::Receiver<Frame>) {
        let ring = self.ring();
        let first = match since {
            None => VecDeque::new(),
            Some(since) if since < ring.floor || since > latest => [reset(ring.through)].into(),
            Some(since) => {
                ring.kept.iter().filter(|frame| frame.seq > since).map(|f| f.text.clone()).collect()
            }
        };
        (first, self.frames.subscribe())
    }

    fn through(&self) -> u64 {
        self.ring().through
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `event: state` carries.
#[derive(Serialize)]
struct StateChange {
    seq: u64,
    sites: Vec<view::SiteState>,
}

/// Changes that go into one frame.
#[derive(Default)]
struct Gathered {
    seq: u64,
    places: BTreeSet<String>,
    incidents: BTreeSet<String>,
    findings: bool,
    /// What was read before may be wrong: changes were missed, or the record is another.
    anew: bool,
}

impl Gathered {
    fn add(&mut self, change: Change) {
        self.seq = change.seq;
        self.places.extend(change.sites);
        self.incidents.extend(change.incidents);
        self.findings |= change.findings;
        self.anew |= change.record;
    }

    /// Whatever came meanwhile.
    fn rest(&mut self, changes: &mut broadcast::Receiver<Change>) {
        loop {
            match changes.try_recv() {
                Ok(change) => self.add(change),
                Err(broadcast::error::TryRecvError::Lagged(_)) => self.anew = true,
                Err(_) => return,
            }
        }
    }

    fn frame(&self, watch: &Watch) -> Option<Frame> {
        let incidents: Vec<_> = self.incidents.iter().filter_map(|id| watch.incidents().get(id)).collect();
        // A line's state shows on its site, and so does who took an incident on.
        let lines = &watch.topology().lines;
        let of_lines =
            self.places.iter().map(|id| lines.get(id).map_or(id.as_str(), |line| line.site.as_str()));
        let touched: BTreeSet<&str> =
            of_lines.chain(incidents.iter().flat_map(|i| i.sites.keys().map(String::as_str))).collect();
        let sites = view::site_states(watch, |site| touched.contains(site));

        let mut events = Vec::new();
        if !sites.is_empty() {
            let change = StateChange { seq: self.seq, sites };
            events.push(("state", serde_json::to_string(&change).ok()?));
        }
        for incident in incidents {
            events.push(("incident", serde_json::to_string(&IncidentView::from(incident)).ok()?));
        }
        if self.findings {
            events.push(("findings", json!({ "seq": self.seq }).to_string()));
        }
        let last = events.len().checked_sub(1)?;
        let text = events.iter().enumerate().map(|(n, (name, body))| {
            let id = if n == last { format!("id: {}\n", self.seq) } else { String::new() };
            format!("{id}event: {name}\ndata: {body}\n\n")
        });
        Some(Frame { seq: self.seq, text: text.collect::<String>().into() })
    }
}

fn reset(seq: u64) -> Bytes {
    format!("id: {seq}\nevent: reset\ndata: {{\"seq\":{seq}}}\n\n").into()
}

/// One open stream.
struct Reader {
    console: Shared,
    first: VecDeque<Bytes>,
    frames: broadcast::Receiver<Frame>,
    beat: Interval,
    stop: Stop,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Reader)> {
        if self.ended {
            return None;
        }
        if let Some(text) = self.first.pop_front() {
            return Some((Ok(text), self));
        }
        let text = tokio::select! {
            biased;
            () = self.stop.wait() => return None,
            frame = self.frames.recv() => match frame {
                Ok(frame) => frame.text,
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.ended = true;
                    reset(self.console.events.through())
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            },
            _ = self.beat.tick() => self.heartbeat(),
        };
        Some((Ok(text), self))
    }

    fn heartbeat(&self) -> Bytes {
        let seq = self.console.events.through();
        let at = view::rfc3339(self.console.parts.clock.utc_ms());
        format!("id: {seq}\nevent: heartbeat\ndata: {}\n\n", json!({ "seq": seq, "at": at })).into()
    }
}

/// What changed, from now on or from where the reader left.
#[utoipa::path(get, path = "/api/v1/events",
    params(("Last-Event-ID" = Option<u64>, Header, description = "id of the last event seen"),
        ("since" = Option<u64>, Query, description = "the same, for those who cannot set a header")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 503, body = Problem)))]
pub(super) async fn stream(
    State(console): State<Shared>,
    Query(begin): Query<Begin>,
    headers: HeaderMap,
) -> Response {
    let Ok(place) = console.events.places.clone().try_acquire_owned() else {
        let detail = format!("{READERS} watch already");
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response();
    };
    let given = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let (first, frames) = console.events.open(given.or(begin.since), console.parts.fold.read(Watch::seq));
    let stop = console.parts.stop.clone();
    let reader =
        Reader { console, first, frames, beat: interval(HEARTBEAT), stop, ended: false, _place: place };
    let body = Body::from_stream(futures_util::stream::unfold(reader, Reader::next));
    // Proxies that buffer would hold a cut back until the next one.
    let kind = [(header::CONTENT_TYPE.as_str(), "text/event-stream"), ("x-accel-buffering", "no")];
    (kind, body).into_response()
}

#[cfg(test)]
mod tests;

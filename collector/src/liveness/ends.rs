//! Both STAMP ends of every uplink, without socket or clock.
//!
//! ```text
//!   agent ── up n ──▶ reflector ──▶ Tick.up          down n+1: half an interval after each up packet, then as often
//!         ◀─ answer ─┘                               to where the last authentic up packet came from,
//!   agent ◀─ down n+1 ── sender ──▶ Tick.sent        until QUIET of silence; in a train 10/s
//!         ── answer ──▶ sender ───▶ Tick.down
//! ```
//!
//! An address is learnt from counted packets only, so nobody can turn our packets on a third party with a
//! recording. Each down session sends at most one packet a turn.

use crate::entry::{DownHeard, DownSent, Entry, TICK_MS, Tick, UpHeard};
use crate::registry::{Roster, Uplink};
use haidang_probe::liveness::{
    Dropped, Key, MAX_PACKET, Mode, Now, Reflected, Reflector, Sender, TTL_UNKNOWN, down_session, ssid_of,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

const MS: u64 = 1_000_000;
/// Up packets nearer than this share of their interval to the last one do not move the down session, or a quick
/// sender would hold it up. Tenths.
const ALIGN_TENTHS: u64 = 9;
/// Interval of a train.
const TRAIN_NS: u64 = 100 * MS;
/// Silence of an up session after which its down session stops.
pub const QUIET_NS: u64 = 600_000 * MS;
/// Packets a second that all trains together may send; one more waits for its next turn, and is counted.
pub const TRAIN_PPS: u64 = 5_000;

/// The ends. Times are those of the [`Now`] given.
pub struct Ends {
    reflector: Reflector,
    uplinks: BTreeMap<u16, End>,
    /// When which uplink's down session is due, monotonic ns.
    due: BTreeSet<(u64, u16)>,
    tokens: Bucket,
    seen: Seen,
    proofs: Vec<Entry>,
    last_tick: i64,
}

/// One uplink, by its up session.
struct End {
    uplink: Uplink,
    down: Sender,
    /// The agent still speaks under the key before, so the down session does too.
    lags: bool,
    /// Where the last counted up packet came from, and when.
    peer: Option<(Peer, u64)>,
    aligned: Option<u64>,
    due: Option<u64>,
    /// A train runs until then, monotonic ns.
    train: Option<u64>,
    /// Whether its packets ride on its line, or on which other uplink's.
    proved: Option<(bool, Option<u16>)>,
    /// The reflector's last count of our packets.
    peer_count: u32,
}

/// Where an uplink is reached: by which of our sockets, at which address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Number of our socket.
    pub socket: usize,
    /// The other end.
    pub address: SocketAddr,
}

/// What was seen since the last tick, with UTC ms.
#[derive(Default)]
struct Seen {
    up: Vec<(i64, UpHeard)>,
    sent: Vec<(i64, DownSent)>,
    down: Vec<(i64, DownHeard)>,
}

/// What became of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// An up packet counted; send the answer back.
    Up(Vec<u8>),
    /// An answer to a down packet counted.
    Down,
    /// Not counted, but authentic: send the challenge back.
    Challenge(Vec<u8>),
    /// It measures the way, and is no sign of life: send the answer back.
    Measure(Vec<u8>),
}

impl Ends {
    /// Ends without sessions. `cookie_secret` is drawn at random, anew at each start; no tick is given up to
    /// `last_tick`.
    pub fn new(cookie_secret: &[u8; 32], last_tick: i64) -> Ends {
        Ends {
            reflector: Reflector::new(cookie_secret),
            uplinks: BTreeMap::new(),
            due: BTreeSet::new(),
            tokens: Bucket { tokens: TRAIN_PPS, since: 0 },
            seen: Seen::default(),
            proofs: Vec::new(),
            last_tick,
        }
    }

    /// Serves these uplinks from now on. Those whose key stays, or counts on as the one before, keep their sessions.
    /// `start` draws start ids.
    pub fn serve(&mut self, roster: &Roster, mut start: impl FnMut() -> u64) {
        let gone: Vec<u16> =
            self.uplinks.keys().filter(|ssid| !roster.uplinks.contains_key(ssid)).copied().collect();
        for ssid in gone {
            self.reflector.forbid(ssid);
            self.forget(ssid);
        }
        for (&ssid, uplink) in &roster.uplinks {
            let (key, previous) = (Key::new(&uplink.key), uplink.previous.as_ref().map(Key::new));
            if let Some(end) = self.uplinks.get_mut(&ssid).filter(|end| end.uplink.goes_on_as(uplink)) {
                if end.uplink != *uplink {
                    self.reflector.rotate(ssid, key, previous);
                    // The agent learns of a new key by its plan, and says so by using it.
                    end.lags |= end.uplink.key != uplink.key;
                    (end.uplink, end.proved) = (uplink.clone(), None);
                }
                continue;
            }
            self.forget(ssid);
            self.reflector.allow(ssid, key.clone());
            self.reflector.rotate(ssid, key.clone(), previous);
            let down = Sender::new(down_session(ssid), key, start());
            self.uplinks.insert(ssid, End::new(uplink.clone(), down));
        }
    }

    /// Takes a datagram that `arrived` and is answered `now`, and says what to send back to where it came from.
    pub fn receive(
        &mut self,
        datagram: &[u8],
        from: Peer,
        arrived: &Now,
        now: &Now,
    ) -> Result<Taken, Dropped> {
        if datagram.len() > MAX_PACKET {
            return Err(Dropped::Oversized);
        }
        if !self.reflector.serves(datagram) {
            return self.answered(datagram, arrived, now);
        }
        match self.reflector.receive(datagram, TTL_UNKNOWN, arrived, now)? {
            Reflected::Challenged { reply, .. } => Ok(Taken::Challenge(reply)),
            Reflected::Measured { reply } => Ok(Taken::Measure(reply)),
            Reflected::Heard { reply, heard } => {
                let up = UpHeard { ssid: heard.ssid, seq: heard.seq as u8, before_ms: 0 };
                self.seen.up.push((utc_ms(now), up));
                self.heard(heard.ssid, from, now);
                self.follow(heard.ssid, heard.previous);
                Ok(Taken::Up(reply))
            }
        }
    }

    /// Sends the down session of this uplink fast until `until` (monotonic ns) or its next answer.
    pub fn train(&mut self, ssid: u16, until: u64, now: &Now) {
        let Some(end) = self.uplinks.get_mut(&ssid).filter(|end| end.peer.is_some()) else { return };
        if end.train.is_none_or(|running| running < now.mono_ns) {
            reschedule(&mut self.due, ssid, end, Some(now.mono_ns));
        }
        end.train = Some(until);
    }

    /// When [`Ends::send`] has something to do next, monotonic ns.
    pub fn next_due(&self) -> Option<u64> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Sends what is due by giving it to `send`, which says whether the system took it. Gives how many packets
    /// of trains had to wait for [`TRAIN_PPS`].
    pub fn send(&mut self, now: &Now, mut send: impl FnMut(&[u8], Peer) -> bool) -> u64 {
        let mut waited = 0;
        while let Some(&(due, ssid)) = self.due.first().filter(|(due, _)| *due <= now.mono_ns) {
            let Some(end) = self.uplinks.get_mut(&ssid) else {
                self.due.remove(&(due, ssid));
                continue;
            };
            let in_train = end.train.is_some_and(|until| now.mono_ns < until);
            let every = if in_train { TRAIN_NS } else { end.uplink.every_ns() };
            let to = end.peer.filter(|(_, heard)| now.mono_ns - heard < QUIET_NS);
            let next = to.map(|_| (due + every).max(now.mono_ns + every / 2));
            reschedule(&mut self.due, ssid, end, next);
            let Some((to, _)) = to else { continue };
            if in_train && !self.tokens.take(now.mono_ns) {
                waited += 1;
                continue;
            }
            let (seq, packet) = end.down.next(now);
            if send(&packet, to) {
                let sent = DownSent { ssid, seq: seq as u8, before_ms: 0 };
                self.seen.sent.push((utc_ms(now), sent));
            }
        }
        waited
    }

    /// The tick that ended by `utc_ms`, if one did since the last. Later ones than one a tick are missing on
    /// purpose: nobody was looking.
    pub fn tick(&mut self, utc_ms: i64) -> Option<Tick> {
        let at = utc_ms.div_euclid(TICK_MS) * TICK_MS;
        if at <= self.last_tick {
            return None;
        }
        self.last_tick = at;
        let Seen { up, sent, down } = &mut self.seen;
        Some(Tick {
            at,
            up: ended(up, at, |heard| (&mut heard.before_ms, heard.ssid)),
            sent: ended(sent, at, |sent| (&mut sent.before_ms, sent.ssid)),
            down: ended(down, at, |heard| (&mut heard.before_ms, heard.ssid)),
        })
    }

    /// Proofs that changed since the last call, as entries.
    pub fn proofs(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.proofs)
    }

    /// Proofs that the fold does not have, by what it `knows` of an uplink: they were refused on their way.
    pub fn unknown(&self, at: i64, knows: impl Fn(u16) -> Option<(bool, Option<u16>)>) -> Vec<Entry> {
        let proofs = self.uplinks.iter().filter_map(|(ssid, end)| Some((*ssid, end.proved?)));
        let unknown = proofs.filter(|(ssid, proof)| knows(*ssid) != Some(*proof));
        unknown.map(|(ssid, (proved, rides_on))| Entry::Proof { at, ssid, proved, rides_on }).collect()
    }

    /// An up packet of this uplink was counted.
    fn heard(&mut self, ssid: u16, from: Peer, now: &Now) {
        let Some(end) = self.uplinks.get_mut(&ssid) else { return };
        let before = end.peer.replace((from, now.mono_ns));
        let moved = before.is_none_or(|(before, _)| before.address.ip() != from.address.ip());
        let in_train = end.train.is_some_and(|until| now.mono_ns < until);
        let every = end.uplink.every_ns();
        let settled = |aligned| now.mono_ns - aligned >= every / 10 * ALIGN_TENTHS;
        if !in_train && end.aligned.is_none_or(settled) {
            end.aligned = Some(now.mono_ns);
            reschedule(&mut self.due, ssid, end, Some(now.mono_ns + every / 2));
        }
        if moved || end.proved.is_none() {
            self.prove(ssid, from.address.ip(), utc_ms(now));
        }
    }

    /// The down session goes by the key its agent speaks under.
    fn follow(&mut self, ssid: u16, lags: bool) {
        let Some(end) = self.uplinks.get_mut(&ssid).filter(|end| end.lags != lags) else { return };
        let previous = end.uplink.previous.filter(|_| lags);
        end.down.rotate(Key::new(&previous.unwrap_or(end.uplink.key)));
        end.lags = lags;
    }

    /// Whose line the packets of an uplink ride on, by the address they come from.
    fn prove(&mut self, ssid: u16, from: IpAddr, at: i64) {
        let proves = |end: &End| end.uplink.proves(from);
        let proved = self.uplinks.get(&ssid).is_some_and(proves);
        let other = self.uplinks.iter().find(|(other, end)| **other != ssid && proves(end));
        let rides_on = other.map(|(other, _)| *other).filter(|_| !proved);
        let Some(end) = self.uplinks.get_mut(&ssid) else { return };
        if end.proved.replace((proved, rides_on)) != Some((proved, rides_on)) {
            self.proofs.push(Entry::Proof { at, ssid, proved, rides_on });
        }
    }

    /// Perhaps an answer to a down packet.
    fn answered(&mut self, datagram: &[u8], arrived: &Now, now: &Now) -> Result<Taken, Dropped> {
        let session = ssid_of(datagram, Mode::Authenticated).ok_or(Dropped::Garbage)?;
        let ssid = session.checked_sub(1).ok_or(Dropped::UnknownSession)?;
        let end = self.uplinks.get_mut(&ssid).ok_or(Dropped::UnknownSession)?;
        let reply = end.down.receive(datagram, arrived)?;
        // A challenge answers a request just sent: it is life, though the agent counted nothing.
        end.peer_count = reply.peer_count.unwrap_or(end.peer_count);
        if end.train.take().is_some() {
            let every = end.uplink.every_ns();
            reschedule(&mut self.due, ssid, end, Some(now.mono_ns + every));
        }
        let down = DownHeard {
            ssid,
            seq: reply.seq as u8,
            before_ms: 0,
            rtt_tenths: u32::try_from(reply.rtt_ns / (MS / 10)).unwrap_or(u32::MAX),
            peer: end.peer_count as u8,
        };
        self.seen.down.push((utc_ms(now), down));
        Ok(Taken::Down)
    }

    fn forget(&mut self, ssid: u16) {
        if let Some(End { due: Some(due), .. }) = self.uplinks.remove(&ssid) {
            self.due.remove(&(due, ssid));
        }
    }
}

impl End {
    fn new(uplink: Uplink, down: Sender) -> End {
        let (peer, aligned, due) = (None, None, None);
        End { uplink, down, lags: false, peer, aligned, due, train: None, proved: None, peer_count: 0 }
    }
}

impl Uplink {
    /// Whether sessions under its key go on under the keys of `other`.
    fn goes_on_as(&self, other: &Uplink) -> bool {
        self.key == other.key || other.previous == Some(self.key)
    }

    fn every_ns(&self) -> u64 {
        self.every.as_nanos() as u64
    }

    fn proves(&self, from: IpAddr) -> bool {
        self.seen_from.iter().any(|address| address.to_canonical() == from.to_canonical())
    }
}

/// Moves an uplink within the queue of what is due.
fn reschedule(queue: &mut BTreeSet<(u64, u16)>, ssid: u16, end: &mut End, due: Option<u64>) {
    if let Some(before) = std::mem::replace(&mut end.due, due) {
        queue.remove(&(before, ssid));
    }
    queue.extend(due.map(|due| (due, ssid)));
}

/// [`TRAIN_PPS`] tokens a second, saved up to one second's.
struct Bucket {
    tokens: u64,
    since: u64,
}

impl Bucket {
    fn take(&mut self, now_ns: u64) -> bool {
        let earned = (now_ns.saturating_sub(self.since)).saturating_mul(TRAIN_PPS) / (1_000 * MS);
        if earned > 0 {
            self.tokens = self.tokens.saturating_add(earned).min(TRAIN_PPS);
            self.since = now_ns;
        }
        let taken = self.tokens > 0;
        self.tokens -= u64::from(taken);
        taken
    }
}

fn utc_ms(now: &Now) -> i64 {
    now.utc_ns.div_euclid(MS as i64)
}

/// Takes out what was seen by the end of the tick, by session and then arrival, its place in the tick written
/// into it; `part` says where, and which session.
fn ended<T: Copy>(seen: &mut Vec<(i64, T)>, tick: i64, part: impl Fn(&mut T) -> (&mut u8, u16)) -> Vec<T> {
    let split = seen.partition_point(|(at, _)| *at <= tick);
    let mut ended: Vec<(u16, T)> = Vec::with_capacity(split);
    for (at, mut one) in seen.drain(..split) {
        let (before_ms, ssid) = part(&mut one);
        *before_ms = (tick - at).clamp(0, i64::from(u8::MAX)) as u8;
        ended.push((ssid, one));
    }
    ended.sort_by_key(|(ssid, _)| *ssid);
    ended.into_iter().map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests;

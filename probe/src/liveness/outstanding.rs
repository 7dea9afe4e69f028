//! What a sender has asked and not forgotten.

use super::{Answer, Dropped, Now, Ntp};
use std::collections::VecDeque;

/// Requests a sender remembers whatever became of them: 128 s at one a second, 12.8 s at ten.
const OUTSTANDING: usize = 128;
/// Requests it remembers beyond that while the oldest waits: ten whole trains at once. A later answer is dropped as
/// unasked.
const MOST_OUTSTANDING: usize = 1024;
/// How long the oldest may wait then.
const PATIENCE_NS: u64 = 60_000_000_000;

/// An answer to a request of ours, the first one to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Number of the request answered.
    pub seq: u32,
    /// Round trip, nanoseconds, without the time the reflector held the packet.
    pub rtt_ns: u64,
    /// Packets of this start the reflector has counted, this one included, for loss by direction: two
    /// replies apart, sent minus counted was lost on the way there. `None` when the reflector counted
    /// nothing (a challenge) or keeps no count (plain).
    pub peer_count: Option<u32>,
    /// Time-to-live the request arrived with; 255 when not known.
    pub ttl: u8,
    /// Number the answer itself carries: the reflector's own count from 0, or the request's again.
    pub peer_seq: u32,
    /// When the request arrived, by the reflector's clock.
    pub arrived: Ntp,
    /// When the answer left it, by the same clock.
    pub left: Ntp,
    /// The way there by two clocks, nanoseconds: too long by what the reflector's is ahead of ours.
    pub there_ns: i64,
    /// The way back by two clocks, nanoseconds: too short by as much.
    pub back_ns: i64,
    /// How wrong the reflector's clock may be against UTC, nanoseconds; `u64::MAX` where it does not say.
    pub peer_bound_ns: u64,
    /// It answers a measuring packet ([`Sender::measure`](super::Sender::measure)).
    pub measured: bool,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    sent: Ntp,
    mono_ns: u64,
    answered: bool,
}

/// The last requests, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Outstanding {
    asked: VecDeque<Asked>,
    next: u32,
}

impl Outstanding {
    /// Remembers a request sent now; its number.
    pub fn ask(&mut self, now: &Now) -> u32 {
        while self.asked.front().is_some_and(|oldest| self.forgets(oldest, now)) {
            self.asked.pop_front();
        }
        self.asked.push_back(Asked { sent: now.ntp(), mono_ns: now.mono_ns, answered: false });
        let seq = self.next;
        self.next = seq.wrapping_add(1);
        seq
    }

    /// Requests remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// Whether the oldest request gives way to the next one.
    fn forgets(&self, oldest: &Asked, now: &Now) -> bool {
        let over = oldest.answered || now.mono_ns.saturating_sub(oldest.mono_ns) >= PATIENCE_NS;
        self.asked.len() >= if over { OUTSTANDING } else { MOST_OUTSTANDING }
    }

    /// Number of the next request.
    pub fn next_seq(&self) -> u32 {
        self.next
    }

    /// Matches an answer to its request. The echoed timestamp must be ours too: in plain mode it is the
    /// only thing a stranger cannot know.
    pub fn answer(&mut self, answer: &Answer, now: &Now) -> Result<Reply, Dropped> {
        let back = self.next.wrapping_sub(answer.request.seq) as usize;
        let index = self.asked.len().checked_sub(back).filter(|_| back > 0).ok_or(Dropped::Unasked)?;
        let asked = &mut self.asked[index];
        if asked.sent != answer.request.sent {
            return Err(Dropped::Unasked);
        }
        if std::mem::replace(&mut asked.answered, true) {
            return Err(Dropped::Replayed);
        }
        let elapsed = now.mono_ns.saturating_sub(asked.mono_ns);
        let ptp = answer.error.is_ptp();
        let read = |stamp: Ntp| if ptp { stamp.read_as_ptp() } else { stamp };
        let (arrived, left) = (read(answer.received), read(answer.sent));
        // The reflector's clock may step while it holds a packet: an impossible stay is not subtracted.
        let held = u64::try_from(left.ns_since(arrived)).ok().filter(|&held| held <= elapsed);
        Ok(Reply {
            seq: answer.request.seq,
            rtt_ns: elapsed - held.unwrap_or(0),
            peer_count: None,
            ttl: answer.ttl,
            peer_seq: answer.seq,
            arrived,
            left,
            there_ns: arrived.ns_since(asked.sent),
            back_ns: now.ntp().ns_since(left),
            // PTP's seconds are TAI's: what it says of UTC is not known.
            peer_bound_ns: if ptp { u64::MAX } else { answer.error.bound_ns() },
            measured: false,
        })
    }
}

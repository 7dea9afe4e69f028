//! What both sessions of an uplink did, some seconds a row: evidence of the direction of a loss that is kept also
//! while nobody hears us.
//!
//! ```text
//!   ├──── span ────┤── open ──────┤
//!    closing: late answers count    GRACE later it is told
//! ```
//!
//! Pure: time is given. The seconds under way when the agent stops are not told.

use haidang_probe::digest::{BITS, LineDigest, Spread, micros};
use haidang_probe::liveness::{Heard, Reply, TTL_UNKNOWN};
use haidang_probe::moment::Moment;
use std::time::Duration;

/// What a digest spans.
pub const SPAN: Duration = Duration::from_secs(10);

/// What it spans where volume is paid for.
pub const SPAN_METERED: Duration = Duration::from_secs(60);

/// How long an answer may take to count in the span its request was sent in.
const GRACE_NS: u64 = 2_000_000_000;

/// Counts of one uplink.
#[derive(Debug)]
pub struct Digester {
    uplink: String,
    every_ns: u64,
    span_ns: u64,
    open: Window,
    closing: Option<Window>,
    /// The collector's packet heard last: its start, its number, when.
    last: Option<(u64, u32, u64)>,
}

/// One span.
#[derive(Debug)]
struct Window {
    from_ns: u64,
    from: Moment,
    until_ns: u64,
    /// Number of the first packet sent in it.
    first: Option<u32>,
    sent: u32,
    rtts: Vec<u32>,
    ttl: Option<u8>,
    answered: u64,
    /// Packets of the collector that came, and those that did not by their numbers.
    heard: u32,
    missed: u32,
    heard_in: u64,
    /// Silence up to its end, in intervals.
    silent: u32,
}

impl Digester {
    /// Nothing counted yet. `every` is the interval of both sessions.
    pub fn new(uplink: String, every: Duration, metered: bool, now_ns: u64, now: Moment) -> Digester {
        let span = if metered { SPAN_METERED } else { SPAN };
        Digester {
            uplink,
            every_ns: (every.as_nanos() as u64).max(1),
            span_ns: span.max(every).as_nanos() as u64,
            open: Window::from(now_ns, now),
            closing: None,
            last: None,
        }
    }

    /// Time passed: a span that is over, once late answers have had their time.
    pub fn turn(&mut self, now_ns: u64, now: Moment) -> Option<LineDigest> {
        if now_ns.saturating_sub(self.open.from_ns) >= self.span_ns {
            let mut ended = std::mem::replace(&mut self.open, Window::from(now_ns, now));
            ended.until_ns = now_ns;
            ended.silent = self.silent(&ended);
            return self.closing.replace(ended).map(|before| self.told(before));
        }
        let due = now_ns.saturating_sub(self.open.from_ns) >= GRACE_NS;
        let ended = self.closing.take_if(|_| due)?;
        Some(self.told(ended))
    }

    /// We sent this number.
    pub fn asked(&mut self, seq: u32) {
        self.open.first.get_or_insert(seq);
        self.open.sent += 1;
    }

    /// The collector answered.
    pub fn answered(&mut self, reply: &Reply) {
        let of = |window: &Window| {
            let nth = reply.seq.wrapping_sub(window.first?);
            (nth < window.sent).then_some(nth)
        };
        let windows = [Some(&mut self.open), self.closing.as_mut()];
        let Some((window, nth)) =
            windows.into_iter().flatten().find_map(|window| of(window).map(|nth| (window, nth)))
        else {
            return;
        };
        window.answered |= 1u64.checked_shl(nth).unwrap_or(0);
        window.rtts.push(micros(Duration::from_nanos(reply.rtt_ns)));
        window.ttl = Some(reply.ttl).filter(|ttl| *ttl != TTL_UNKNOWN).or(window.ttl);
    }

    /// The collector asked.
    pub fn heard(&mut self, heard: &Heard, now_ns: u64) {
        let into_ns = now_ns.saturating_sub(self.open.from_ns);
        let nth = u32::try_from(into_ns / self.every_ns).unwrap_or(u32::MAX);
        if let Some((_, seq, _)) = self.last.filter(|(start, ..)| *start == heard.start) {
            // What is missing from before this span counts there, as silence.
            self.open.missed += heard.seq.saturating_sub(seq).saturating_sub(1).min(nth);
        }
        self.open.heard += 1;
        self.open.heard_in |= 1u64.checked_shl(nth).unwrap_or(0);
        let newest = self.last.is_none_or(|(start, seq, _)| start != heard.start || heard.seq > seq);
        let seq = if newest { heard.seq } else { self.last.map_or(heard.seq, |(_, seq, _)| seq) };
        self.last = Some((heard.start, seq, now_ns));
    }

    /// Intervals without a packet at the end of a span. The next packet may be half an interval late.
    fn silent(&self, window: &Window) -> u32 {
        let turns = |ns: u64| u32::try_from(ns / self.every_ns).unwrap_or(u32::MAX);
        match self.last.filter(|(.., at_ns)| *at_ns >= window.from_ns) {
            Some((.., at_ns)) => turns((window.until_ns - at_ns).saturating_sub(self.every_ns / 2)),
            None => turns(window.until_ns - window.from_ns),
        }
    }

    fn told(&self, mut window: Window) -> LineDigest {
        let lasted_ns = window.until_ns - window.from_ns;
        let turns = u32::try_from(lasted_ns / self.every_ns).unwrap_or(u32::MAX);
        LineDigest {
            from: window.from,
            lasted: Duration::from_millis(lasted_ns / 1_000_000),
            uplink: self.uplink.clone(),
            sent: window.sent,
            answered: window.rtts.len() as u32,
            due: window.heard + window.missed + window.silent,
            heard: window.heard,
            rtt: Spread::of(&mut window.rtts),
            ttl: window.ttl,
            unanswered: first_bits(window.sent) & !window.answered,
            unheard: first_bits(turns) & !window.heard_in,
        }
    }
}

impl Window {
    fn from(now_ns: u64, now: Moment) -> Window {
        Window {
            from_ns: now_ns,
            from: now,
            until_ns: now_ns,
            first: None,
            sent: 0,
            rtts: Vec::new(),
            ttl: None,
            answered: 0,
            heard: 0,
            missed: 0,
            heard_in: 0,
            silent: 0,
        }
    }
}

/// The first so many bits.
fn first_bits(count: u32) -> u64 {
    if count >= BITS { u64::MAX } else { (1 << count) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn digester() -> Digester {
        Digester::new("a/1".into(), Duration::from_secs(1), false, 0, Moment::default())
    }

    fn reply(seq: u32) -> Reply {
        Reply { seq, rtt_ns: 12_000_000, peer_count: None, ttl: 61, ..Reply::default() }
    }

    fn heard(seq: u32) -> Heard {
        Heard { ssid: 2, seq, start: 7, new_start: false, count: 0, previous: false }
    }

    /// Half a minute, a packet a second each way: what is told while these arrive.
    fn lived(up: impl Fn(u32) -> bool, down: impl Fn(u32) -> bool) -> Vec<LineDigest> {
        let mut digester = digester();
        let mut told = Vec::new();
        for second in 0..33 {
            let now_ns = u64::from(second) * SECOND;
            told.extend(digester.turn(now_ns, Moment { mono_ns: now_ns, ..Moment::default() }));
            digester.asked(second);
            if down(second) {
                digester.heard(&heard(second), now_ns + SECOND / 3);
                if up(second) {
                    digester.answered(&reply(second));
                }
            }
        }
        told
    }

    #[test]
    fn a_line_that_lives_lost_nothing() {
        let told = lived(|_| true, |_| true);
        assert_eq!(told.len(), 3);
        for (nth, digest) in told.iter().enumerate() {
            assert_eq!(digest.from.mono_ns, nth as u64 * 10 * SECOND);
            assert_eq!((digest.sent, digest.answered, digest.due, digest.heard), (10, 10, 10, 10));
            assert_eq!((digest.unanswered, digest.unheard, digest.ttl), (0, 0, Some(61)));
            assert_eq!(digest.rtt, Spread { min: 12_000, median: 12_000, max: 12_000 });
        }
    }

    #[test]
    fn a_cut_upwards_is_told_as_one() {
        let told = lived(|second| second < 15, |_| true);
        let loss: Vec<_> = told.iter().map(|digest| (digest.loss_up(), digest.loss_down())).collect();
        assert_eq!(loss, [(Some(0.0), Some(0.0)), (Some(0.5), Some(0.0)), (Some(1.0), Some(0.0))]);
        assert_eq!((told[1].unanswered, told[2].unheard), (0b11_1110_0000, 0));
    }

    #[test]
    fn silence_from_the_centre_is_told_while_it_lasts_and_not_again_after_it() {
        let told = lived(|_| true, |second| !(5..25).contains(&second));
        let counts: Vec<_> = told.iter().map(|digest| (digest.due, digest.heard)).collect();
        assert_eq!(counts, [(10, 5), (10, 0), (10, 5)]);
        let bits: Vec<_> = told.iter().map(|digest| digest.unheard).collect();
        assert_eq!(bits, [0b11_1110_0000, 0b11_1111_1111, 0b1_1111]);
    }

    #[test]
    fn packets_lost_one_by_one_are_counted_by_their_numbers() {
        let told = lived(|_| true, |second| second % 3 != 1);
        assert_eq!(told.iter().map(|digest| digest.due - digest.heard).sum::<u32>(), 10);
    }

    #[test]
    fn a_late_answer_counts_where_it_was_asked_and_a_very_late_one_nowhere() {
        let mut digester = digester();
        for second in 0..=10 {
            assert_eq!(digester.turn(second * SECOND, Moment::default()), None);
            digester.asked(second as u32);
        }
        digester.answered(&reply(9));
        let told = digester.turn(12 * SECOND, Moment::default()).unwrap();
        assert_eq!((told.sent, told.answered, told.unanswered), (10, 1, 0b1_1111_1111));
        digester.answered(&reply(8));
        assert_eq!(digester.open.rtts.len(), 0);
    }

    #[test]
    fn a_line_paid_for_by_volume_is_told_each_minute() {
        let mut digester = Digester::new("a/1".into(), Duration::from_secs(10), true, 0, Moment::default());
        let told: Vec<_> =
            (0..14).filter_map(|turn| digester.turn(turn * 10 * SECOND, Moment::default())).collect();
        assert_eq!(told.iter().map(|digest| digest.lasted).collect::<Vec<_>>(), [SPAN_METERED; 2]);
        assert_eq!((told[0].due, told[0].heard, told[0].unheard), (6, 0, 0b11_1111));
    }
}

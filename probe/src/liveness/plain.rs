//! The unauthenticated form: one sender, and a reflector that remembers nothing.

use super::{
    Answer, Dropped, Mode, Now, Reply, Request,
    outstanding::Outstanding,
    tlv::{self, EXTRA_PADDING},
};

/// The sending side of one unauthenticated session, against any reflector of RFC 8762.
#[derive(Clone, Debug)]
pub struct PlainSender {
    ssid: u16,
    outstanding: Outstanding,
}

impl PlainSender {
    /// A sender of session `ssid`; 0 for reflectors that know no session ids.
    pub fn new(ssid: u16) -> PlainSender {
        PlainSender { ssid, outstanding: Outstanding::default() }
    }

    /// The next request: its number and its 44 octets, to be sent at `now`.
    pub fn next(&mut self, now: &Now) -> (u32, Vec<u8>) {
        self.next_of(now, Mode::Plain.base_len())
    }

    /// The same, made `size` octets long by Extra Padding (RFC 8972 §4.1): 44, or from 48 to
    /// [`MAX_PACKET`](super::MAX_PACKET).
    pub fn next_of(&mut self, now: &Now, size: usize) -> (u32, Vec<u8>) {
        let seq = self.outstanding.ask(now);
        let request = Request { seq, sent: now.ntp(), error: now.error(), ssid: self.ssid };
        let mut packet = request.write(Mode::Plain);
        tlv::pad(&mut packet, size);
        (seq, packet)
    }

    /// Takes a datagram that arrived at `now`. A reflector older than RFC 8972 leaves the session id zero.
    pub fn receive(&mut self, datagram: &[u8], now: &Now) -> Result<Reply, Dropped> {
        let answer = Answer::read(datagram, Mode::Plain)?;
        if answer.request.ssid != self.ssid && answer.request.ssid != 0 {
            return Err(Dropped::UnknownSession);
        }
        self.outstanding.answer(&answer, now)
    }
}

/// The answer to an unauthenticated request, as long as the request: a stateless reflector, which gives the
/// request's own number back (RFC 8762 §4.3). Requests below 44 octets (TWAMP Light) are dropped, as their answer
/// would be longer.
pub fn reflect_plain(datagram: &[u8], ttl: u8, arrived: &Now, now: &Now) -> Result<Vec<u8>, Dropped> {
    let request = Request::read(datagram, Mode::Plain)?;
    let answer = Answer {
        seq: request.seq,
        sent: now.ntp(),
        error: now.error(),
        received: arrived.ntp(),
        request,
        ttl,
    };
    let mut reply = answer.write(Mode::Plain);
    let base = reply.len();
    reply.extend(&datagram[base..]);
    tlv::reflect(&mut reply[base..], |kind| kind == EXTRA_PADDING);
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{MAX_PACKET, TTL_UNKNOWN, tlv::push},
        *,
    };
    use proptest::prelude::*;

    fn at(mono_ns: u64) -> Now {
        Now { mono_ns, utc_ns: 1_795_000_000_000_000_000 + mono_ns as i64, bound_ns: u64::MAX }
    }

    #[test]
    fn a_round_trip_is_measured_without_the_time_at_the_reflector() {
        let mut sender = PlainSender::new(0);
        let (seq, request) = sender.next(&at(0));
        assert_eq!((seq, request.len()), (0, 44));
        let reply = reflect_plain(&request, 60, &at(4_000_000), &at(6_000_000)).unwrap();
        let measured = sender.receive(&reply, &at(9_000_000)).unwrap();
        assert!(measured.rtt_ns.abs_diff(7_000_000) <= 1, "{} ns", measured.rtt_ns);
        assert_eq!((measured.seq, measured.peer_count, measured.ttl), (0, None, 60));
        assert_eq!(sender.receive(&reply, &at(9_000_000)), Err(Dropped::Replayed));
    }

    #[test]
    fn a_reflector_whose_clock_steps_does_not_shorten_the_round_trip() {
        let mut sender = PlainSender::new(0);
        for (arrived, left) in [(1_000, 3_600_000_000_000), (3_600_000_000_000, 1_000)] {
            let (_, request) = sender.next(&at(0));
            let reply = reflect_plain(&request, 60, &at(arrived), &at(left)).unwrap();
            assert_eq!(sender.receive(&reply, &at(5_000_000)).unwrap().rtt_ns, 5_000_000);
        }
    }

    #[test]
    fn a_guessed_answer_is_unasked() {
        let mut sender = PlainSender::new(3);
        let (_, request) = sender.next(&at(0));
        let reply = reflect_plain(&request, 60, &at(0), &at(0)).unwrap();
        let guessed = |octet: usize| {
            let mut guess = reply.clone();
            guess[octet] ^= 1;
            guess
        };
        assert_eq!(sender.receive(&guessed(27), &at(1)), Err(Dropped::Unasked), "another sequence number");
        assert_eq!(sender.receive(&guessed(35), &at(1)), Err(Dropped::Unasked), "another timestamp");
        assert_eq!(sender.receive(&guessed(15), &at(1)), Err(Dropped::UnknownSession));
        let mut older_reflector = reply.clone();
        older_reflector[14..16].fill(0);
        assert!(sender.receive(&older_reflector, &at(1)).is_ok());
    }

    #[test]
    fn tlvs_come_back_flagged() {
        let (_, mut request) = PlainSender::new(0).next(&at(0));
        push(&mut request, EXTRA_PADDING, &[9; 3]);
        push(&mut request, 5, &[1]);
        let reply = reflect_plain(&request, 60, &at(0), &at(0)).unwrap();
        assert_eq!(reply[44..], [0, 1, 0, 3, 9, 9, 9, 0x80, 5, 0, 1, 1]);
    }

    #[test]
    fn a_longer_request_is_padded_by_a_tlv() {
        for (size, length) in [(0, 44), (47, 44), (48, 48), (100, 100), (9_000, MAX_PACKET)] {
            let (_, request) = PlainSender::new(0).next_of(&at(0), size);
            assert_eq!(request.len(), length);
            let reply = reflect_plain(&request, 60, &at(0), &at(0)).unwrap();
            assert!(length == 44 || reply[44..46] == [0, EXTRA_PADDING], "the reflector knew it");
        }
    }

    #[test]
    fn each_way_is_measured_by_two_clocks() {
        let mut sender = PlainSender::new(0);
        let (_, request) = sender.next(&at(0));
        // The reflector's clock is 1 s ahead: 4 ms there, 2 ms held, 3 ms back.
        let (arrived, left) = (at(1_004_000_000), at(1_006_000_000));
        let reply = reflect_plain(&request, 60, &arrived, &left).unwrap();
        let measured = sender.receive(&reply, &at(9_000_000)).unwrap();
        assert!((measured.there_ns - 1_004_000_000).abs() <= 1, "{} ns", measured.there_ns);
        assert!((measured.back_ns + 997_000_000).abs() <= 1, "{} ns", measured.back_ns);
        assert_eq!((measured.peer_seq, measured.peer_bound_ns), (0, u64::MAX));
        assert!((measured.left.ns_since(measured.arrived) - 2_000_000).abs() <= 1, "by the clock there");
    }

    #[test]
    fn trains_that_are_out_together_are_matched_and_no_more_is_remembered_than_the_limit() {
        let mut sender = PlainSender::new(0);
        let reply = |request: &[u8]| reflect_plain(request, 60, &at(0), &at(0)).unwrap();
        let requests: Vec<Vec<u8>> = (0..400).map(|_| sender.next(&at(0)).1).collect();
        assert!(requests.iter().all(|request| sender.receive(&reply(request), &at(1)).is_ok()));
        let (_, first) = sender.next(&at(0));
        let (_, second) = sender.next(&at(0));
        (0..1_023).for_each(|_| drop(sender.next(&at(0))));
        assert_eq!(sender.receive(&reply(&first), &at(1)), Err(Dropped::Unasked));
        assert!(sender.receive(&reply(&second), &at(1)).is_ok());
        // A minute later nobody waits for them.
        sender.next(&at(60_000_000_000));
        (0..127).for_each(|_| drop(sender.next(&at(60_000_000_000))));
        assert_eq!(sender.outstanding.len(), 128);
    }

    proptest! {
        #[test]
        fn an_answer_is_as_long_as_its_request(noise in prop::collection::vec(any::<u8>(), 0..MAX_PACKET + 40)) {
            let reply = reflect_plain(&noise, TTL_UNKNOWN, &at(0), &at(0));
            prop_assert_eq!(reply.is_ok(), (44..=MAX_PACKET).contains(&noise.len()));
            prop_assert!(reply.is_err() || reply.is_ok_and(|reply| reply.len() == noise.len()));
            let mut sender = PlainSender::new(0);
            let _ = sender.next(&at(0));
            prop_assert!(sender.receive(&noise, &at(0)).is_err());
        }
    }
}

//! Rules of the conversation between a [`Sender`] and a [`Reflector`].

use super::{
    Dropped, ErrorEstimate, Heard, Key, MAX_PACKET, Mode, Now, Ntp, Reflected, Reflector, Reply, Request,
    Sender, TTL_UNKNOWN,
    life::{self, Life, PACKET, Role},
    packet, tlv,
};
use crate::key::hex;
use proptest::{prelude::*, sample::Index};

const UP: u16 = 10;
const KEY: [u8; 32] = [5; 32];
pub(super) const SECOND: u64 = 1_000_000_000;

pub(super) fn at(mono_ns: u64) -> Now {
    Now { mono_ns, utc_ns: 1_795_000_000 * SECOND as i64 + mono_ns as i64, bound_ns: 1_000_000 }
}

pub(super) fn sender(start: u64) -> Sender {
    Sender::new(UP, Key::new(&KEY), start)
}

pub(super) fn reflector(secret: u8) -> Reflector {
    let mut reflector = Reflector::new(&[secret; 32]);
    reflector.allow(UP, Key::new(&KEY));
    reflector
}

pub(super) fn reflect(reflector: &mut Reflector, request: &[u8], second: u64) -> Result<Reflected, Dropped> {
    let now = at(second * SECOND + SECOND / 100);
    reflector.receive(request, 61, &now, &now)
}

fn heard(reflected: &Result<Reflected, Dropped>) -> Option<Heard> {
    match reflected {
        Ok(Reflected::Heard { heard, .. }) => Some(*heard),
        _ => None,
    }
}

fn challenged(reflected: &Result<Reflected, Dropped>) -> bool {
    matches!(reflected, Ok(Reflected::Challenged { ssid: UP, .. }))
}

pub(super) fn reply_of(reflected: Reflected) -> Vec<u8> {
    reflected.into_reply()
}

/// One whole exchange at `second`, 20 ms long: the request sent and what each side made of it.
pub(super) fn exchange(
    sender: &mut Sender,
    reflector: &mut Reflector,
    second: u64,
) -> (Vec<u8>, Option<Heard>, Reply) {
    let (_, request) = sender.next(&at(second * SECOND));
    let reflected = reflect(reflector, &request, second);
    let heard = heard(&reflected);
    let reply = sender.receive(&reply_of(reflected.unwrap()), &at(second * SECOND + SECOND / 50)).unwrap();
    (request, heard, reply)
}

/// A sender and a reflector that have heard each other, at second 1.
pub(super) fn acquainted() -> (Sender, Reflector) {
    let (mut sender, mut reflector) = (sender(77), reflector(1));
    exchange(&mut sender, &mut reflector, 0);
    exchange(&mut sender, &mut reflector, 1);
    (sender, reflector)
}

#[test]
fn a_request_has_these_octets() {
    // Computed with Python's hmac module from the figures of RFC 8762 and RFC 8972.
    let octets = [
        "00000000000000000000000000000000",
        "eea80540000000008f84000a",
        "00000000000000000000000000000000000000000000000000000000000000000000",
        "00000000000000000000000000000000000000000000000000000000000000000000",
        "f2f6f09eaa96502633ea023505485186",
        "80f4001401010000000000000000004d0000000000000000",
        "800800105f7ec55b51670680567a5d20bafe5135",
    ];
    let (_, request) = sender(77).next(&at(0));
    assert_eq!(hex(&request), octets.concat());
}

#[test]
fn a_start_is_heard_after_one_round_trip() {
    let (mut sender, mut reflector) = (sender(77), reflector(1));
    let (request, first, reply) = exchange(&mut sender, &mut reflector, 0);
    assert_eq!((request.len(), first), (PACKET, None));
    assert_eq!((reply.seq, reply.rtt_ns, reply.peer_count, reply.ttl), (0, SECOND / 50, None, 61));
    let (_, second, reply) = exchange(&mut sender, &mut reflector, 1);
    assert_eq!(
        second,
        Some(Heard { ssid: UP, seq: 1, start: 77, new_start: true, count: 1, previous: false })
    );
    assert_eq!(reply.peer_count, Some(1));
    let (_, third, reply) = exchange(&mut sender, &mut reflector, 2);
    assert_eq!(
        third,
        Some(Heard { ssid: UP, seq: 2, start: 77, new_start: false, count: 2, previous: false })
    );
    assert_eq!(reply.peer_count, Some(2));
}

#[test]
fn time_the_reflector_holds_a_packet_is_not_round_trip() {
    let (mut sender, mut reflector) = acquainted();
    let (_, request) = sender.next(&at(2 * SECOND));
    let held = reflector.receive(&request, 61, &at(2 * SECOND), &at(2 * SECOND + SECOND / 2)).unwrap();
    let reply = sender.receive(&reply_of(held), &at(2 * SECOND + SECOND / 2 + 7_000)).unwrap();
    assert!((6_999..=7_001).contains(&reply.rtt_ns), "{} ns", reply.rtt_ns);
}

#[test]
fn a_recorded_packet_counts_once() {
    let (mut sender, mut reflector) = acquainted();
    let (recorded, ..) = exchange(&mut sender, &mut reflector, 2);
    assert_eq!(reflect(&mut reflector, &recorded, 3), Err(Dropped::Replayed));
    for second in 3..70 {
        exchange(&mut sender, &mut reflector, second);
    }
    assert_eq!(reflect(&mut reflector, &recorded, 70), Err(Dropped::Late));
}

#[test]
fn a_recording_of_an_earlier_start_is_challenged_even_with_a_cookie_of_this_minute() {
    let (mut first, mut reflector) = acquainted();
    let (_, unheard) = first.next(&at(2 * SECOND));
    let (recorded, ..) = exchange(&mut first, &mut reflector, 3);
    let mut second = sender(78);
    exchange(&mut second, &mut reflector, 4);
    assert_eq!(exchange(&mut second, &mut reflector, 5).1.map(|heard| heard.new_start), Some(true));
    for recording in [&recorded, &unheard] {
        assert!(challenged(&reflect(&mut reflector, recording, 6)));
    }
    let undisturbed = exchange(&mut second, &mut reflector, 7).1.unwrap();
    assert_eq!((undisturbed.new_start, undisturbed.count), (false, 2));
}

#[test]
fn a_reflector_that_forgot_everything_hears_again_after_one_round_trip_and_no_recording() {
    let (mut sender, mut reflector) = acquainted();
    let (recorded, ..) = exchange(&mut sender, &mut reflector, 2);
    let mut restarted = self::reflector(2);
    assert!(challenged(&reflect(&mut restarted, &recorded, 3)));
    assert_eq!(exchange(&mut sender, &mut restarted, 4).1, None);
    let again = exchange(&mut sender, &mut restarted, 5).1.unwrap();
    assert_eq!((again.new_start, again.count), (true, 1));
    assert_eq!(reflect(&mut restarted, &recorded, 6), Err(Dropped::Replayed));
}

#[test]
fn a_session_allowed_again_takes_no_earlier_cookie() {
    let (mut sender, mut reflector) = acquainted();
    let (_, request) = sender.next(&at(2 * SECOND));
    reflector.forbid(UP);
    assert_eq!(reflect(&mut reflector, &request, 2), Err(Dropped::UnknownSession));
    assert!(!reflector.serves(&request));
    reflector.allow(UP, Key::new(&KEY));
    assert!(reflector.serves(&request));
    assert!(challenged(&reflect(&mut reflector, &request, 2)));
}

#[test]
fn an_admitted_start_is_heard_while_every_answer_is_lost() {
    let (mut sender, mut reflector) = acquainted();
    for second in 2..3_600 {
        let (seq, request) = sender.next(&at(second * SECOND));
        let heard = heard(&reflect(&mut reflector, &request, second)).unwrap();
        assert_eq!((heard.seq, heard.new_start), (seq, false));
    }
}

#[test]
fn a_cookie_is_fresh_for_the_minute_it_was_given_and_two_more() {
    for (second, fresh) in [(0, true), (59, true), (60, true), (179, true), (180, false), (7_200, false)] {
        let (mut sender, mut reflector) = (sender(77), reflector(1));
        exchange(&mut sender, &mut reflector, 0);
        let (_, request) = sender.next(&at(second * SECOND));
        let reflected = reflect(&mut reflector, &request, second);
        assert_eq!(challenged(&reflected), !fresh, "after {second} s");
        assert_eq!(heard(&reflected).is_some(), fresh, "after {second} s");
    }
}

#[test]
fn an_older_answer_does_not_bring_back_an_older_cookie() {
    let (mut sender, mut reflector) = acquainted();
    let (_, early) = sender.next(&at(2 * SECOND));
    let early = reply_of(reflect(&mut reflector, &early, 2).unwrap());
    exchange(&mut sender, &mut reflector, 10);
    let mut forgetful = self::reflector(9);
    exchange(&mut sender, &mut forgetful, 11);
    assert!(sender.receive(&early, &at(12 * SECOND)).is_ok());
    assert!(exchange(&mut sender, &mut forgetful, 13).1.is_some());
}

#[test]
fn both_keys_count_at_a_rotation_and_an_older_one_no_longer() {
    let (first, second) = (Key::new(&[7; 32]), Key::new(&[8; 32]));
    let (mut old, mut reflector) = acquainted();
    reflector.rotate(UP, first.clone(), Some(Key::new(&KEY)));
    let heard = exchange(&mut old, &mut reflector, 2).1.unwrap();
    assert!(heard.previous && !heard.new_start, "the agent has not learnt of the new key yet");
    old.rotate(first.clone());
    let heard = exchange(&mut old, &mut reflector, 3).1.unwrap();
    assert!(!heard.previous && !heard.new_start, "{heard:?}");
    reflector.rotate(UP, second, Some(first));
    assert!(exchange(&mut old, &mut reflector, 4).1.unwrap().previous);
    let (_, of_the_first_key) = sender(77).next(&at(5 * SECOND));
    assert_eq!(reflect(&mut reflector, &of_the_first_key, 5), Err(Dropped::BadHmac));
}

#[test]
fn an_answer_thrown_back_is_no_request_and_a_request_no_answer() {
    let (mut sender, mut reflector) = acquainted();
    let (_, request) = sender.next(&at(2 * SECOND));
    assert_eq!(sender.receive(&request, &at(2 * SECOND)), Err(Dropped::WrongRole));
    let reply = reply_of(reflect(&mut reflector, &request, 2).unwrap());
    assert_eq!(reflect(&mut reflector, &reply, 2), Err(Dropped::WrongRole));
}

#[test]
fn an_answer_counts_once_and_only_for_the_start_that_asked() {
    let (mut sender, mut reflector) = acquainted();
    let (_, request) = sender.next(&at(2 * SECOND));
    let reply = reply_of(reflect(&mut reflector, &request, 2).unwrap());
    let mut other = self::sender(78);
    for second in 0..=2 {
        let _ = other.next(&at(second * SECOND));
    }
    assert_eq!(other.receive(&reply, &at(3 * SECOND)), Err(Dropped::Unasked));
    assert!(sender.receive(&reply, &at(3 * SECOND)).is_ok());
    assert_eq!(sender.receive(&reply, &at(3 * SECOND)), Err(Dropped::Replayed));
    for second in 3..140 {
        let _ = sender.next(&at(second * SECOND));
    }
    assert_eq!(sender.receive(&reply, &at(141 * SECOND)), Err(Dropped::Unasked));
}

#[test]
fn a_wrong_key_or_session_is_not_answered() {
    let (mut sender, mut reflector) = acquainted();
    let mut forger = Sender::new(UP, Key::new(&[6; 32]), 77);
    assert_eq!(reflect(&mut reflector, &forger.next(&at(0)).1, 2), Err(Dropped::BadHmac));
    let mut lost = Sender::new(UP + 1, Key::new(&KEY), 77);
    let (_, request) = lost.next(&at(0));
    assert_eq!(reflect(&mut reflector, &request, 2), Err(Dropped::UnknownSession));
    assert_eq!(sender.receive(&request, &at(0)), Err(Dropped::UnknownSession));
}

#[test]
fn every_bit_of_a_packet_is_under_an_hmac() {
    let (mut sender, mut reflector) = acquainted();
    let (_, request) = sender.next(&at(2 * SECOND));
    let reply = reply_of(reflect(&mut reflector.clone(), &request, 2).unwrap());
    for bit in 0..PACKET * 8 {
        let flip = |packet: &[u8]| {
            let mut packet = packet.to_vec();
            packet[bit / 8] ^= 1 << (bit % 8);
            packet
        };
        // The flags of the HMAC TLV itself are the one octet that RFC 8972 leaves open.
        let open = bit / 8 == PACKET - 20;
        assert_eq!(reflect(&mut reflector.clone(), &flip(&request), 2).is_ok(), open, "bit {bit}");
        assert_eq!(sender.clone().receive(&flip(&reply), &at(2 * SECOND)).is_ok(), open, "bit {bit}");
    }
    for cut in 0..PACKET {
        assert!(reflect(&mut reflector, &request[..cut], 2).is_err(), "cut at {cut}");
        assert!(sender.receive(&reply[..cut], &at(2 * SECOND)).is_err(), "cut at {cut}");
    }
}

#[test]
fn tlvs_of_another_packet_do_not_fit() {
    let (mut sender, mut reflector) = acquainted();
    let (_, one) = sender.next(&at(2 * SECOND));
    let (_, other) = sender.next(&at(3 * SECOND));
    let base = Mode::Authenticated.base_len();
    let mixed = [&one[..base], &other[base..]].concat();
    assert_eq!(reflect(&mut reflector, &mixed, 3), Err(Dropped::BadHmac));
}

#[test]
fn padding_and_unknown_tlvs_come_back() {
    let mut reflector = reflector(1);
    let request = Request { seq: 9, sent: Ntp(1), error: ErrorEstimate(1), ssid: UP };
    let mut unsealed = request.write(Mode::Authenticated);
    tlv::push(&mut unsealed, 3, &[1, 2, 3, 4]);
    let life = Life { role: Role::Request, start: 77, cookie: 0 };
    let mut sealed = life::seal_request(unsealed, 9, life, &Key::new(&KEY));
    tlv::push(&mut sealed, tlv::EXTRA_PADDING, &[0; 40]);
    let reply = reply_of(reflect(&mut reflector, &sealed, 0).unwrap());
    assert_eq!(reply.len(), sealed.len());
    let base = Mode::Authenticated.base_len();
    assert_eq!(reply[base..base + 8], [0x80, 3, 0, 4, 1, 2, 3, 4]);
    assert_eq!(reply[PACKET + 8..PACKET + 12], [0, 1, 0, 40]);
    assert!(life::open(&reply, &Key::new(&KEY)).is_ok());
}

#[test]
fn an_authentic_packet_without_life_is_dropped() {
    let key = Key::new(&KEY);
    let mut packet = Request { ssid: UP, ..Request::default() }.write(Mode::Authenticated);
    let base = packet.len();
    tlv::push(&mut packet, tlv::HMAC, &[0; 16]);
    let hmac = tlv::find_hmac(&packet[base..]).unwrap();
    tlv::sign(&mut packet[base..], hmac, 0, &key);
    packet::sign(&mut packet, &key);
    assert_eq!(reflect(&mut reflector(1), &packet, 0), Err(Dropped::NoLife));
    packet.truncate(base);
    assert_eq!(reflect(&mut reflector(1), &packet, 0), Err(Dropped::NoLife), "RFC 8762 alone");
    packet[base - 1] ^= 1;
    assert_eq!(reflect(&mut reflector(1), &packet, 0), Err(Dropped::BadHmac));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn noise_is_dropped_without_an_answer(mut noise in prop::collection::vec(any::<u8>(), 0..MAX_PACKET + 40)) {
        let (mut sender, mut reflector) = acquainted();
        if noise.len() > 28 {
            noise[26..28].copy_from_slice(&UP.to_be_bytes());
        }
        prop_assert!(reflector.receive(&noise, TTL_UNKNOWN, &at(0), &at(0)).is_err());
        prop_assert!(sender.receive(&noise, &at(0)).is_err());
    }

    #[test]
    fn no_answer_is_longer_than_its_request(
        tail in prop::collection::vec(any::<u8>(), 0..MAX_PACKET - 112),
        tlvs in prop::collection::vec((any::<u8>(), 0usize..300), 0..4),
    ) {
        let key = Key::new(&KEY);
        let mut request = Request { ssid: UP, ..Request::default() }.write(Mode::Authenticated);
        for (kind, length) in tlvs {
            tlv::push(&mut request, kind, &vec![7; length]);
        }
        let mut sealed = life::seal_request(request.clone(), 0, Life { role: Role::Request, start: 1, cookie: 0 }, &key);
        sealed.truncate(MAX_PACKET);
        request.extend(tail);
        packet::sign(&mut request, &key);
        for request in [request, sealed] {
            if let Ok(reflected) = reflect(&mut reflector(1), &request, 0) {
                prop_assert_eq!(reply_of(reflected).len(), request.len());
            }
        }
    }

    /// Any order, loss and repetition of recorded requests: each counts at most once, and no restart
    /// makes one count again.
    #[test]
    fn no_packet_counts_twice(deliveries in prop::collection::vec((any::<Index>(), 0..20u8), 1..150)) {
        let (mut sender, mut reflector) = (sender(1), reflector(0));
        let (mut recorded, mut counted) = (Vec::new(), std::collections::BTreeSet::new());
        for (second, (choice, event)) in deliveries.into_iter().enumerate() {
            let second = second as u64;
            match event {
                0 => sender = self::sender(second + 2),
                1 => reflector = self::reflector(second as u8 + 1),
                _ => {}
            }
            let (_, request) = sender.next(&at(second * SECOND));
            recorded.push(request);
            let delivered = if event < 10 { recorded.len() - 1 } else { choice.index(recorded.len()) };
            if let Ok(reflected) = reflect(&mut reflector, &recorded[delivered], second) {
                if matches!(reflected, Reflected::Heard { .. }) {
                    prop_assert!(counted.insert(delivered), "packet {} counted twice", delivered);
                }
                let _ = sender.receive(&reply_of(reflected), &at(second * SECOND + 1));
            }
        }
    }
}

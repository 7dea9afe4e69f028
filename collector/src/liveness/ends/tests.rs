use super::*;
use haidang_probe::plan::{EVERY, EVERY_METERED};

const KEY: [u8; 32] = [7; 32];
const TTL: u8 = 64;

fn peer(address: &str) -> Peer {
    Peer { socket: 0, address: address.parse().unwrap() }
}

/// The agent's side of one uplink, and the collector's ends, at one time.
struct Wire {
    ends: Ends,
    up: Sender,
    down: Reflector,
    ms: u64,
    from: Peer,
}

impl Wire {
    fn new() -> Wire {
        let mut ends = Ends::new(&[1; 32], 0);
        ends.serve(&roster(KEY), || 11);
        let mut down = Reflector::new(&[2; 32]);
        down.allow(3, Key::new(&KEY));
        let up = Sender::new(2, Key::new(&KEY), 99);
        Wire { ends, up, down, ms: 1_000_000, from: peer("127.82.116.1:4000") }
    }

    fn now(&self) -> Now {
        Now { mono_ns: self.ms * MS, utc_ns: (self.ms * MS) as i64, bound_ns: 1 }
    }

    /// One up packet and its answer.
    fn say(&mut self) -> Result<Taken, Dropped> {
        let now = self.now();
        let (_, packet) = self.up.next(&now);
        let taken = self.ends.receive(&packet, self.from, &now, &now);
        if let Ok(Taken::Up(answer) | Taken::Challenge(answer)) = &taken {
            self.up.receive(answer, &now).unwrap();
            assert!(answer.len() <= packet.len(), "no amplification");
        }
        taken
    }

    /// What the collector sends now.
    fn sends(&mut self) -> Vec<(Vec<u8>, Peer)> {
        let mut sent = Vec::new();
        self.ends.send(&self.now(), |packet, to| {
            sent.push((packet.to_vec(), to));
            true
        });
        sent
    }

    /// Passes `ms` in steps of 10, counting down packets; the agent answers them when `answers`.
    fn pass(&mut self, ms: u64, answers: bool) -> usize {
        let mut count = 0;
        for _ in 0..ms / 10 {
            self.ms += 10;
            for (packet, _) in self.sends() {
                count += 1;
                let now = self.now();
                let reply = self.down.receive(&packet, TTL, &now, &now).unwrap().into_reply();
                if answers {
                    self.ends.receive(&reply, self.from, &now, &now).unwrap();
                }
            }
        }
        count
    }

    /// Past the challenge: the up session counts.
    fn admitted() -> Wire {
        let mut wire = Wire::new();
        assert!(matches!(wire.say(), Ok(Taken::Challenge(_))));
        wire.ms += 1_000;
        assert!(matches!(wire.say(), Ok(Taken::Up(_))));
        wire
    }
}

fn roster(key: [u8; 32]) -> Roster {
    let mut roster = Roster::default();
    roster.uplinks.insert(
        2,
        Uplink { key, previous: None, seen_from: vec!["127.82.116.1".parse().unwrap()], every: EVERY },
    );
    roster
}

#[test]
fn a_tick_holds_what_was_seen_by_its_end() {
    let mut wire = Wire::admitted();
    let tick = wire.ends.tick(wire.ms as i64 + 30).unwrap_or_else(|| panic!("a tick ended"));
    assert_eq!((tick.at, tick.up.len()), (1_001_000, 1));
    assert_eq!(tick.up[0], UpHeard { ssid: 2, seq: 1, before_ms: 0 });
    assert_eq!(wire.ends.tick(1_001_099), None, "one a tick");
    wire.ms += 40;
    wire.say().unwrap();
    let tick = wire.ends.tick(1_001_100).unwrap_or_else(|| panic!("a tick ended"));
    assert_eq!(tick.up[0].before_ms, 60);
}

#[test]
fn what_came_after_the_tick_ended_is_of_the_next() {
    let mut wire = Wire::admitted();
    wire.ends.tick(wire.ms as i64);
    wire.ms += 103;
    wire.say().unwrap();
    assert_eq!(wire.ends.tick(wire.ms as i64).map(|tick| tick.up.len()), Some(0));
    assert_eq!(wire.ends.tick(wire.ms as i64 + 100).map(|tick| tick.up.len()), Some(1));
}

#[test]
fn missed_ticks_stay_missing() {
    let mut wire = Wire::admitted();
    wire.ends.tick(2_000_000);
    assert_eq!(wire.ends.tick(2_000_750).map(|tick| tick.at), Some(2_000_700));
    assert_eq!(wire.ends.tick(2_000_799), None);
}

#[test]
fn the_down_session_follows_half_a_second_behind_and_goes_on_alone() {
    let mut wire = Wire::admitted();
    assert_eq!(wire.pass(490, true), 0);
    assert_eq!(wire.pass(10, true), 1);
    assert_eq!(wire.pass(5_000, true), 5, "one a second without further up packets");
    wire.ends.tick(wire.ms as i64);
}

#[test]
fn a_metered_uplink_is_asked_as_seldom_as_it_asks() {
    let mut wire = Wire::admitted();
    let mut metered = roster(KEY);
    metered.uplinks.values_mut().for_each(|uplink| uplink.every = EVERY_METERED);
    wire.ends.serve(&metered, || 1);
    let sent: usize = (0..10)
        .map(|_| {
            wire.say().unwrap();
            wire.pass(60_000, true)
        })
        .sum();
    assert!((9..=11).contains(&sent), "{sent} in ten minutes");
}

#[test]
fn a_quick_sender_does_not_hold_the_down_session_up() {
    let mut wire = Wire::admitted();
    let mut sent = 0;
    for _ in 0..50 {
        wire.say().unwrap();
        sent += wire.pass(100, true);
    }
    assert!((5..=6).contains(&sent), "{sent}");
}

#[test]
fn the_down_session_ends_after_long_silence() {
    let mut wire = Wire::admitted();
    wire.ms += QUIET_NS / MS;
    assert_eq!(wire.pass(5_000, true), 0);
    assert_eq!(wire.ends.next_due(), None);
    wire.say().unwrap();
    assert_eq!(wire.pass(1_000, true), 1, "and begins again");
}

#[test]
fn a_train_runs_ten_a_second_until_its_end_or_an_answer() {
    let mut wire = Wire::admitted();
    wire.pass(1_000, true);
    let until = wire.now().mono_ns + 2_000 * MS;
    wire.ends.train(2, until, &wire.now());
    let in_train = wire.pass(2_000, false);
    assert!((19..=21).contains(&in_train), "{in_train}");
    assert!(wire.pass(3_000, false) <= 4, "then one a second");
    let until = wire.now().mono_ns + 2_000 * MS;
    wire.ends.train(2, until, &wire.now());
    assert!(wire.pass(2_000, true) <= 3, "the first answer ends it");
}

#[test]
fn answers_are_counted_with_round_trip_and_peer() {
    let mut wire = Wire::admitted();
    wire.pass(2_600, true);
    let tick = wire.ends.tick(wire.ms as i64 + 100).unwrap_or_else(|| panic!("a tick ended"));
    assert_eq!((tick.sent.len(), tick.down.len()), (3, 3));
    assert_eq!(
        tick.down.iter().map(|down| (down.seq, down.peer)).collect::<Vec<_>>(),
        [(0, 0), (1, 1), (2, 2)]
    );
}

#[test]
fn replayed_spoofed_and_garbled_datagrams_count_as_nothing() {
    let mut wire = Wire::admitted();
    wire.ends.tick(wire.ms as i64 + 100);
    let now = wire.now();
    let (_, packet) = wire.up.next(&now);
    wire.ends.receive(&packet, wire.from, &now, &now).unwrap();
    let thief = peer("192.0.2.9:1");
    assert_eq!(wire.ends.receive(&packet, thief, &now, &now), Err(Dropped::Replayed));
    let forged = Sender::new(2, Key::new(&[8; 32]), 1).next(&now).1;
    assert_eq!(wire.ends.receive(&forged, thief, &now, &now), Err(Dropped::BadHmac));
    let stranger = Sender::new(40, Key::new(&KEY), 1).next(&now).1;
    assert_eq!(wire.ends.receive(&stranger, thief, &now, &now), Err(Dropped::UnknownSession));
    assert_eq!(wire.ends.receive(&[0; 20], thief, &now, &now), Err(Dropped::Garbage));
    assert_eq!(wire.ends.receive(&[0; MAX_PACKET + 1], thief, &now, &now), Err(Dropped::Oversized));
    let tick = wire.ends.tick(wire.ms as i64 + 200).unwrap_or_else(|| panic!("a tick ended"));
    assert_eq!(tick.up.len(), 1);
    wire.ms += 500;
    assert!(wire.sends().iter().all(|(_, to)| *to == wire.from), "nothing goes to the thief");
}

#[test]
fn a_recording_of_an_earlier_run_is_challenged_and_moves_nothing() {
    let mut wire = Wire::admitted();
    let recorded = wire.up.next(&wire.now()).1;
    wire.ends = Ends::new(&[3; 32], 0);
    wire.ends.serve(&roster(KEY), || 12);
    let thief = peer("192.0.2.9:1");
    assert!(matches!(wire.ends.receive(&recorded, thief, &wire.now(), &wire.now()), Ok(Taken::Challenge(_))));
    assert_eq!(wire.ends.next_due(), None);
    assert!(wire.ends.proofs().is_empty());
}

#[test]
fn an_uplink_is_proved_by_its_source_address_and_told_on_change() {
    let mut wire = Wire::admitted();
    let proofs = |wire: &mut Wire| {
        let proofs = wire.ends.proofs().into_iter();
        proofs.map(|proof| matches!(proof, Entry::Proof { proved: true, .. })).collect::<Vec<_>>()
    };
    assert_eq!(proofs(&mut wire), [true]);
    wire.say().unwrap();
    assert!(proofs(&mut wire).is_empty());
    wire.from = peer("127.82.116.9:4000");
    wire.say().unwrap();
    assert_eq!(proofs(&mut wire), [false]);
}

#[test]
fn a_changed_key_ends_the_session_and_the_same_roster_changes_nothing() {
    let mut wire = Wire::admitted();
    wire.ends.serve(&roster(KEY), || 12);
    assert!(matches!(wire.say(), Ok(Taken::Up(_))));
    wire.ends.serve(&roster([8; 32]), || 13);
    assert_eq!(wire.say(), Err(Dropped::BadHmac));
    wire.ends.serve(&Roster::default(), || 14);
    assert_eq!(wire.say(), Err(Dropped::UnknownSession));
    assert_eq!(wire.ends.next_due(), None);
}

#[test]
fn trains_share_one_limit() {
    let mut bucket = Bucket { tokens: 2, since: 0 };
    assert_eq!([bucket.take(0), bucket.take(0), bucket.take(0)], [true, true, false]);
    assert!(bucket.take(1_000 * MS / TRAIN_PPS), "one token's time later");
    assert!(!bucket.take(1_000 * MS / TRAIN_PPS));
}

#[test]
fn a_proof_is_unknown_until_the_fold_has_just_that_one() {
    let mut wire = Wire::admitted();
    let Some(Entry::Proof { proved, rides_on, .. }) = wire.ends.proofs().pop() else { panic!("no proof") };
    for (knows, told) in [(None, 1), (Some((!proved, rides_on)), 1), (Some((proved, rides_on)), 0)] {
        assert_eq!(wire.ends.unknown(7, |_| knows).len(), told, "{knows:?}");
    }
}

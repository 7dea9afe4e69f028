//! Measuring packets between the two sides of an authenticated session, tested together.

use super::conversation::{SECOND, acquainted, at, exchange, reflect, reflector, reply_of, sender as other};
use super::{Dropped, MAX_PACKET, MEASURES, PACKET, Reflected};

#[test]
fn measuring_packets_are_answered_and_count_as_nothing() {
    let (mut sender, mut reflector) = acquainted();
    let (_, _, before) = exchange(&mut sender, &mut reflector, 2);
    for (nth, size) in [(0, 0), (1, 600), (2, MAX_PACKET)] {
        let (seq, request) = sender.measure(&at(3 * SECOND), size);
        assert_eq!((seq, request.len()), (nth, size.max(PACKET)));
        let reflected = reflect(&mut reflector, &request, 3);
        assert!(matches!(reflected, Ok(Reflected::Measured { .. })));
        let reply = reply_of(reflected.unwrap());
        assert_eq!(reply.len(), request.len(), "no longer, no shorter");
        let reply = sender.receive(&reply, &at(3 * SECOND + SECOND / 50)).unwrap();
        assert_eq!((reply.measured, reply.seq, reply.peer_count), (true, nth, Some(nth + 1)));
        assert_eq!(reflect(&mut reflector, &request, 3), Err(Dropped::Replayed));
    }
    let (_, heard, after) = exchange(&mut sender, &mut reflector, 4);
    assert_eq!(heard.unwrap().count, 3);
    assert_eq!((after.seq, after.measured), (before.seq + 1, false));
}

#[test]
fn a_start_that_is_not_admitted_measures_nothing() {
    let (mut sender, mut reflector) = (other(77), reflector(1));
    let (_, request) = sender.measure(&at(0), 600);
    assert_eq!(reflect(&mut reflector, &request, 0), Err(Dropped::Unmeasured));
    exchange(&mut sender, &mut reflector, 0);
    exchange(&mut sender, &mut reflector, 1);
    assert!(reflect(&mut reflector, &request, 1).is_ok());
    let mut restarted = other(78);
    exchange(&mut restarted, &mut reflector, 2);
    exchange(&mut restarted, &mut reflector, 3);
    let (_, recorded) = sender.measure(&at(3 * SECOND), 600);
    assert_eq!(reflect(&mut reflector, &recorded, 4), Err(Dropped::Unmeasured));
}

#[test]
fn a_session_measures_so_often_in_a_minute_and_no_more() {
    let (mut sender, mut reflector) = acquainted();
    for _ in 0..MEASURES {
        let (_, request) = sender.measure(&at(2 * SECOND), 0);
        assert!(reflect(&mut reflector, &request, 2).is_ok());
    }
    let (_, request) = sender.measure(&at(2 * SECOND), 0);
    assert_eq!(reflect(&mut reflector, &request, 2), Err(Dropped::Unmeasured));
    assert!(exchange(&mut sender, &mut reflector, 3).1.is_some(), "life goes on");
    assert!(reflect(&mut reflector, &request, 60).is_ok());
}

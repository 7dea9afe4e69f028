//! Unauthenticated STAMP (RFC 8762) against any reflector: one packet or a train, by the sockets of [`crate::stamp`].
//!
//! The duration is the round trip less the time the reflector held the packet; of a train, the median.

use super::{Answer, Budget, Tools};
use crate::place::Finder;
use crate::stamp::door::Doors;
use haidang_probe::ask::stamp::Question;
use haidang_probe::outcome::Failure;

/// Who finds addresses, and the sockets.
pub struct Probe {
    finder: Finder,
    doors: Doors,
}

impl Probe {
    /// Opens no socket yet.
    pub fn new(tools: &Tools) -> Probe {
        Probe { finder: tools.finder.clone(), doors: Doors::new(&tools.clock) }
    }

    /// Each packet of a train has what the look-up left of the budget.
    pub async fn ask(&self, question: &Question, budget: Budget) -> Answer {
        match budget.spend(Failure::Resolve, self.finder.socket_address(&question.reflector)).await {
            Ok(address) => {
                let found = self.doors.run(address, question, budget.left()).await;
                Answer { result: found.result, samples: found.samples }
            }
            Err(failure) => Err(failure).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamps::Timestamps;
    use haidang_daemon::clock::Clock;
    use haidang_probe::liveness::{MAX_PACKET, TTL_UNKNOWN, reflect_plain};
    use haidang_probe::metric::Metric;
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::net::UdpSocket;

    fn probe() -> (Clock, Probe) {
        let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
        (tools.clock.clone(), Probe::new(&tools))
    }

    async fn reflector(clock: &Clock) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let timestamps = Timestamps::of(clock);
        tokio::spawn(async move {
            let mut packet = [0; MAX_PACKET];
            loop {
                let (length, from) = socket.recv_from(&mut packet).await.unwrap();
                let now = timestamps.now();
                let answer = reflect_plain(&packet[..length], TTL_UNKNOWN, &now, &now).unwrap();
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        address
    }

    fn question(address: SocketAddr) -> Question {
        address.to_string().parse().unwrap()
    }

    #[tokio::test]
    async fn many_checks_share_one_socket_and_get_their_own_answers() {
        let (clock, probe) = probe();
        let probe = Arc::new(probe);
        let mut runs = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let address = reflector(&clock).await;
            for _ in 0..4 {
                let (probe, budget) = (probe.clone(), Budget::start(&clock, Duration::from_secs(5)));
                runs.spawn(async move { probe.ask(&question(address), budget).await });
            }
        }
        while let Some(answer) = runs.join_next().await {
            assert!(answer.unwrap().result.is_ok());
        }
        let waiting = probe.doors.waiting();
        assert_eq!(waiting.len(), 8);
        assert!(waiting.iter().all(|(_, runs)| *runs == 0));
    }

    #[tokio::test]
    async fn silence_times_out_and_leaves_nobody_waiting() {
        let (clock, probe) = probe();
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let answer = probe.ask(&question(address), Budget::start(&clock, Duration::from_millis(50))).await;
        assert_eq!(answer.result, Err(Failure::Timeout));
        assert_eq!(probe.doors.waiting(), [(address, 0)]);
    }

    #[tokio::test]
    async fn a_door_nobody_asks_by_any_more_is_closed() {
        let clock = Clock::machine().unwrap();
        let free = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        for idle in [Some(Duration::from_secs(1)), None] {
            let doors = idle.map_or_else(|| Doors::new(&clock), |idle| Doors::closing_after(&clock, idle));
            let address = reflector(&clock).await;
            let asked = Question { source_port: port, ..question(address) };
            assert!(doors.run(address, &asked, Duration::from_secs(5)).await.result.is_ok());
            assert!(UdpSocket::bind(("0.0.0.0", port)).await.is_err(), "its port is taken");
            // The other way: who drops them closes them.
            let _held = idle.map(|_| doors);
            let closed = async {
                while UdpSocket::bind(("0.0.0.0", port)).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            assert!(tokio::time::timeout(Duration::from_secs(20), closed).await.is_ok(), "idle {idle:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_from_a_stranger_does_not_count() {
        let (clock, probe) = probe();
        let asked = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = asked.local_addr().unwrap();
        let timestamps = Timestamps::of(&clock);
        tokio::spawn(async move {
            let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let mut packet = [0; MAX_PACKET];
            let (length, from) = asked.recv_from(&mut packet).await.unwrap();
            let now = timestamps.now();
            let answer = reflect_plain(&packet[..length], TTL_UNKNOWN, &now, &now).unwrap();
            stranger.send_to(&answer, from).await.unwrap();
        });
        let answer = probe.ask(&question(address), Budget::start(&clock, Duration::from_millis(100))).await;
        assert_eq!(answer.result, Err(Failure::Timeout));
    }

    /// A reflector that numbers its own answers, loses the second request it gets and its answer to the fifth.
    async fn counting_reflector(clock: &Clock) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let timestamps = Timestamps::of(clock);
        tokio::spawn(async move {
            let mut packet = [0; MAX_PACKET];
            let mut answers = 0_u32;
            for nth in 1.. {
                let (length, from) = socket.recv_from(&mut packet).await.unwrap();
                if nth == 2 {
                    continue;
                }
                let now = timestamps.now();
                let mut answer = reflect_plain(&packet[..length], TTL_UNKNOWN, &now, &now).unwrap();
                answer[..4].copy_from_slice(&answers.to_be_bytes());
                answers += 1;
                if nth != 5 {
                    socket.send_to(&answer, from).await.unwrap();
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn a_train_tells_loss_of_each_way_where_the_reflector_counts() {
        let (clock, probe) = probe();
        let train = |address| Question {
            packets: 10,
            gap: Duration::from_millis(1),
            size: 200,
            dscp: 46,
            ..question(address)
        };
        let value = |answer: &Answer, metric| {
            answer.samples.iter().find(|sample| sample.metric == metric).map(|sample| sample.value)
        };
        let budget = || Budget::start(&clock, Duration::from_millis(300));
        let counted = probe.ask(&train(counting_reflector(&clock).await), budget()).await;
        assert!(counted.result.is_ok());
        assert_eq!(value(&counted, Metric::LossRatio), Some(0.2));
        assert_eq!(value(&counted, Metric::LossThere), Some(1.0 / 9.0));
        assert_eq!(value(&counted, Metric::LossBack), Some(1.0 / 8.0));
        let repeated = probe.ask(&train(reflector(&clock).await), budget()).await;
        assert_eq!(value(&repeated, Metric::LossRatio), Some(0.0));
        assert_eq!(value(&repeated, Metric::LossThere), None);
        assert!(value(&repeated, Metric::JitterThere).is_some_and(|jitter| jitter < 0.05));
        assert!(value(&repeated, Metric::VoiceMos).is_some_and(|mos| mos > 4.0));
    }
}

//! What a UPS says through Network UPS Tools (upsd, TCP 3493; `docs/net-protocol.txt` of NUT): charge, runtime, load,
//! mains, status.
//!
//! ```text
//! ▶ GET VAR ups ups.status       all questions in one go, no sign-in, then
//! ▶ …                            LOGOUT
//! ◀ VAR ups ups.status "OL CHRG"
//! ◀ ERR VAR-NOT-SUPPORTED        one answer a question, in order
//! ```
//!
//! At most [`MAX_ANSWER`] octets are read. A status that is not to be had (driver gone, unknown UPS) is a failure; a
//! value that is not, is left out.

use super::{Answer, Budget, Tools};
use crate::dial;
use crate::place::Finder;
use haidang_probe::ask::nut::Question;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Failure, Sample};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Most octets of all answers together; a UPS has a few hundred.
pub const MAX_ANSWER: usize = 4096;

/// The variable whose answer decides the outcome.
const STATUS: &str = "ups.status";

/// Variables with a number, and what makes it a base unit.
const NUMBERS: [(&str, Metric, f64); 4] = [
    ("battery.charge", Metric::UpsCharge, 0.01),
    ("battery.runtime", Metric::UpsRuntime, 1.0),
    ("ups.load", Metric::UpsLoad, 0.01),
    ("input.voltage", Metric::UpsInput, 1.0),
];

/// Words of `ups.status` that are told of, and as what.
const WORDS: [(&str, &str); 7] = [
    ("OL", "online"),
    ("OB", "on-battery"),
    ("LB", "low-battery"),
    ("RB", "replace-battery"),
    ("OVER", "overload"),
    ("BYPASS", "bypass"),
    ("OFF", "off"),
];

/// Every run has its own connection.
pub struct Probe {
    finder: Finder,
}

impl Probe {
    /// A probe that finds addresses with the tools' finder.
    pub fn new(tools: &Tools) -> Probe {
        Probe { finder: tools.finder.clone() }
    }

    /// [`Failure::Status`] when upsd answers but has nothing of the UPS, [`Failure::Protocol`] when who answers is no
    /// upsd.
    pub async fn ask(&self, question: &Question, budget: Budget) -> Answer {
        let exchange = async {
            let address = self.finder.socket_address(&question.endpoint).await?;
            let mut stream = dial::tcp(address, None).await.map_err(|error| dial::failure(&error))?;
            let failed = |error: std::io::Error| dial::failure(&error);
            stream.write_all(asked(&question.ups).as_bytes()).await.map_err(failed)?;
            let mut answer = Vec::new();
            (&mut stream).take(MAX_ANSWER as u64).read_to_end(&mut answer).await.map_err(failed)?;
            read(&question.ups, &answer)
        };
        match budget.spend(Failure::Timeout, exchange).await {
            Ok(samples) => Answer { result: Ok(budget.spent()), samples },
            Err(failure) => Err(failure).into(),
        }
    }
}

/// The variables, in the order they are asked.
fn variables() -> impl Iterator<Item = &'static str> {
    [STATUS].into_iter().chain(NUMBERS.iter().map(|(name, ..)| *name))
}

fn asked(ups: &str) -> String {
    variables().map(|name| format!("GET VAR {ups} {name}\n")).chain(["LOGOUT\n".to_owned()]).collect()
}

/// What the answers of upsd about `ups` say; they stand in the order of the questions. [`Failure::Status`] where upsd
/// has nothing of it, [`Failure::Reset`] where the answers end early, [`Failure::Protocol`] for anything else.
pub fn read(ups: &str, answer: &[u8]) -> Result<Vec<Sample>, Failure> {
    let text = std::str::from_utf8(answer).map_err(|_| Failure::Protocol)?;
    // A line without its end was cut: by the limit, or by who closed early.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut samples = Vec::new();
    let mut lines = whole.lines();
    for name in variables() {
        let value = match lines.next() {
            Some(line) => value(ups, name, line)?,
            None if answer.len() < MAX_ANSWER => return Err(Failure::Reset),
            None => return Err(Failure::Protocol),
        };
        match value {
            Some(status) if name == STATUS => samples.extend(states(status)),
            Some(number) => samples.extend(number_of(name, number)),
            None if name == STATUS => return Err(Failure::Status),
            None => {}
        }
    }
    Ok(samples)
}

/// The value in an answer; none where upsd says that it has none.
fn value<'a>(ups: &str, name: &str, line: &'a str) -> Result<Option<&'a str>, Failure> {
    if line.starts_with("ERR ") {
        return Ok(None);
    }
    let mut words = line.splitn(4, ' ');
    let ours = words.next() == Some("VAR") && words.next() == Some(ups) && words.next() == Some(name);
    let quoted = words.next().filter(|_| ours).ok_or(Failure::Protocol)?;
    quoted.strip_prefix('"').and_then(|value| value.strip_suffix('"')).map(Some).ok_or(Failure::Protocol)
}

fn states(status: &str) -> Vec<Sample> {
    let said: Vec<&str> = status.split_ascii_whitespace().collect();
    let one = |(word, part): &(&str, &str)| Sample {
        metric: Metric::UpsStatus,
        part: (*part).into(),
        value: f64::from(u8::from(said.contains(word))),
    };
    WORDS.iter().map(one).collect()
}

fn number_of(name: &str, text: &str) -> Option<Sample> {
    let (_, metric, unit) = NUMBERS.into_iter().find(|(known, ..)| *known == name)?;
    let number: f64 = text.trim().parse().ok().filter(|number: &f64| number.is_finite())?;
    Some(Sample { metric, part: String::new(), value: number * unit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_daemon::clock::Clock;
    use std::time::Duration;
    use tokio::net::TcpListener;

    const WELL: &str = "VAR ups ups.status \"OB DISCHRG LB\"\nVAR ups battery.charge \"42\"\n\
        VAR ups battery.runtime \"610.5\"\nERR VAR-NOT-SUPPORTED\nVAR ups input.voltage \"0.0\"\nOK Goodbye\n";

    fn value_of(samples: &[Sample], metric: Metric, part: &str) -> Option<f64> {
        samples
            .iter()
            .find(|sample| sample.metric == metric && sample.part == part)
            .map(|sample| sample.value)
    }

    #[test]
    fn a_battery_that_runs_low_is_told_in_base_units() {
        let samples = read("ups", WELL.as_bytes()).unwrap();
        for (metric, part, value) in [
            (Metric::UpsStatus, "on-battery", Some(1.0)),
            (Metric::UpsStatus, "low-battery", Some(1.0)),
            (Metric::UpsStatus, "online", Some(0.0)),
            (Metric::UpsCharge, "", Some(0.42)),
            (Metric::UpsRuntime, "", Some(610.5)),
            (Metric::UpsLoad, "", None),
            (Metric::UpsInput, "", Some(0.0)),
        ] {
            assert_eq!(value_of(&samples, metric, part), value, "{} {part}", metric.name());
        }
    }

    #[test]
    fn who_does_not_speak_the_protocol_fails_by_reason() {
        let endless = "VAR ups ups.status \"".to_owned() + &"x".repeat(MAX_ANSWER);
        for (answer, failure) in [
            ("ERR UNKNOWN-UPS\n", Failure::Status),
            ("ERR DATA-STALE\nERR DATA-STALE\n", Failure::Status),
            ("", Failure::Reset),
            ("VAR ups ups.status \"OL\"\n", Failure::Reset),
            ("SSH-2.0-OpenSSH_9.2\r\n", Failure::Protocol),
            ("VAR other ups.status \"OL\"\n", Failure::Protocol),
            ("VAR ups ups.status OL\n", Failure::Protocol),
            ("VAR ups ups.status \"\n", Failure::Protocol),
            (&endless[..MAX_ANSWER], Failure::Protocol),
        ] {
            assert_eq!(read("ups", answer.as_bytes()), Err(failure), "{answer:.40}");
        }
        assert_eq!(read("ups", &[0xff; 40]), Err(Failure::Protocol));
    }

    async fn asks(answer: &'static [u8], ends: bool) -> Answer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serves = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            while stream.write_all(answer).await.is_ok() && !ends {
                tokio::task::yield_now().await;
            }
        });
        let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
        let budget = Budget::start(&tools.clock, Duration::from_secs(5));
        let question = format!("{address}/ups").parse().unwrap();
        let answer = Probe::new(&tools).ask(&question, budget).await;
        serves.abort();
        answer
    }

    #[tokio::test]
    async fn a_ups_answers_over_the_network() {
        let answer = asks(WELL.as_bytes(), true).await;
        assert!(answer.result.is_ok());
        assert_eq!(value_of(&answer.samples, Metric::UpsCharge, ""), Some(0.42));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_cut_at_the_limit() {
        assert_eq!(asks(b"VAR ups ups.status \"OL", false).await.result, Err(Failure::Protocol));
    }
}

//! How to ask: one probe a file, with its conversation and its tests. A new probe is a new file and one line in the list
//! below.
//!
//! What may be asked is said in [`haidang_probe::ask`]; a file here has the `Probe`: what all runs share (sockets),
//! `Probe::new(&Tools)` and `ask(&self, &Question, Budget)`.
//!
//! A failed probe is a measurement: nothing here returns an error.

use crate::icmp::Tally;
use crate::path::{Traced, Tracer};
use crate::place::Finder;
use haidang_daemon::clock::Clock;
use haidang_probe::ask::Question;
use haidang_probe::check::CheckId;
use haidang_probe::credential::Credentials;
use haidang_probe::outcome::{Failure, Outcome, Sample};
use std::collections::BTreeSet;
use std::time::Duration;

macro_rules! probes {
    ($($kind:ident $file:ident;)*) => {
        $(pub mod $file;)*

        /// All probes, each with what its runs share.
        pub struct Probes { clock: Clock, $($file: $file::Probe,)* }

        impl Probes {
            /// Opens nothing yet: a probe opens its sockets when it is first asked.
            pub fn new(tools: &Tools) -> Probes {
                Probes { clock: tools.clock.clone(), $($file: $file::Probe::new(tools),)* }
            }

            /// Runs `question` once, for at most `within`.
            pub async fn ask(&self, question: &Question, within: Duration) -> Answer {
                let budget = Budget::start(&self.clock, within);
                match question { $(Question::$kind(question) => self.$file.ask(question, budget).await,)* }
            }
        }
    };
}

probes! {
    Icmp icmp;
    Tcp tcp;
    Http http;
    Stamp stamp;
    Interface interface;
    Uptime uptime;
    Dns dns;
    Machine machine;
    Nut nut;
    Snmp snmp;
    Path path;
}

impl Probes {
    /// What is asked from now on, and as whom.
    pub fn learn<'a>(&self, credentials: Credentials, questions: impl Iterator<Item = &'a Question>) {
        let devices: BTreeSet<_> = questions
            .filter_map(|question| match question {
                Question::Snmp(question) => Some((question.device.clone(), question.credential.clone())),
                _ => None,
            })
            .collect();
        self.snmp.learn(credentials, |device| devices.contains(device));
    }

    /// Starts a run of `check` that needs no task of its own; its end is among [`Probes::ended`]. False: ask it.
    pub fn starts(&self, check: CheckId, question: &Question, within: Duration) -> bool {
        matches!(question, Question::Icmp(question) if self.icmp.starts(check, question, within))
    }

    /// Waits until runs that were started so have ended; all that have.
    pub async fn ended(&self) -> Vec<Outcome> {
        self.icmp.ended().await
    }

    /// What traces, for others too.
    pub fn tracer(&self) -> Tracer {
        self.path.tracer()
    }

    /// What the last run of a path's question found, once.
    pub fn traced(&self, question: &Question) -> Option<Traced> {
        if let Question::Path(question) = question { self.path.told(question) } else { None }
    }

    /// What the ICMP engine has counted.
    pub fn echoes(&self) -> Tally {
        self.icmp.tally()
    }
}

/// What probes are made from.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Reads time.
    pub clock: Clock,
    /// Finds addresses.
    pub finder: Finder,
}

/// What one run measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// How long the answer took, or why there was none.
    pub result: Result<Duration, Failure>,
    /// What else was measured.
    pub samples: Vec<Sample>,
}

impl From<Result<Duration, Failure>> for Answer {
    fn from(result: Result<Duration, Failure>) -> Answer {
        Answer { result, samples: Vec::new() }
    }
}

/// The time one run may take, over all its phases.
#[derive(Clone, Debug)]
pub struct Budget {
    clock: Clock,
    started_ns: u64,
    within: Duration,
}

impl Budget {
    /// Time runs from now.
    pub fn start(clock: &Clock, within: Duration) -> Budget {
        Budget { started_ns: clock.steady_ns(), clock: clock.clone(), within }
    }

    /// How much there was.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// How much has passed.
    pub fn spent(&self) -> Duration {
        Duration::from_nanos(self.clock.steady_ns().saturating_sub(self.started_ns))
    }

    /// How much is left.
    pub fn left(&self) -> Duration {
        self.within.saturating_sub(self.spent())
    }

    /// Waits for `phase` while time is left; `late` when it runs out.
    pub async fn spend<T>(
        &self,
        late: Failure,
        phase: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::time::timeout(self.left(), phase).await.unwrap_or(Err(late))
    }
}

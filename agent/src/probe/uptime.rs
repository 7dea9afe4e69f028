//! How long this machine has been up, from the clock that survives suspend.

use super::{Answer, Budget, Tools};
use haidang_daemon::clock::Clock;
use haidang_probe::ask::uptime::Question;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Sample;

/// Reads the clock.
pub struct Probe {
    clock: Clock,
}

impl Probe {
    /// A probe of the tools' clock.
    pub fn new(tools: &Tools) -> Probe {
        Probe { clock: tools.clock.clone() }
    }

    /// Always succeeds.
    #[allow(clippy::unused_async, reason = "all probes have one shape")]
    pub async fn ask(&self, _: &Question, budget: Budget) -> Answer {
        let value = self.clock.uptime().as_secs_f64();
        Answer {
            result: Ok(budget.spent()),
            samples: vec![Sample { metric: Metric::Uptime, part: String::new(), value }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Finder;
    use std::time::Duration;

    #[tokio::test]
    async fn grows_with_the_clock() {
        let tools = Tools { clock: Clock::manual(), finder: Finder::default() };
        tools.clock.advance(Duration::from_millis(61_500));
        let answer =
            Probe::new(&tools).ask(&Question, Budget::start(&tools.clock, Duration::from_secs(1))).await;
        assert_eq!(answer.result, Ok(Duration::ZERO));
        assert_eq!(answer.samples, [Sample { metric: Metric::Uptime, part: String::new(), value: 61.5 }]);
    }
}

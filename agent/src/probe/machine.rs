//! What this machine says of itself: processors, memory, disks, heat, connections, default routes and its clock.
//!
//! All of it is read on another thread, one run at a time: a disk that hangs costs failed outcomes, not threads, and
//! no other check waits for it.

use super::{Answer, Budget, Tools};
use crate::machine::Kernel;
use haidang_daemon::clock::Clock;
use haidang_probe::ask::machine::Question;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Failure, Sample};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Reads what the kernel tells.
pub struct Probe {
    clock: Clock,
    kernel: Kernel,
    reading: Arc<Semaphore>,
}

impl Probe {
    /// A probe of this machine.
    pub fn new(tools: &Tools) -> Probe {
        Probe { clock: tools.clock.clone(), kernel: Kernel::default(), reading: Arc::new(Semaphore::new(1)) }
    }

    /// [`Failure::Local`] when the kernel tells nothing, [`Failure::Timeout`] when a disk does not answer. What this
    /// machine has not (a sensor, a connection table) is left out.
    pub async fn ask(&self, _: &Question, budget: Budget) -> Answer {
        match budget.spend(Failure::Timeout, self.read()).await {
            Ok(mut samples) => {
                samples.extend(self.clock());
                Answer { result: Ok(budget.spent()), samples }
            }
            // What is known without a disk is told all the same.
            Err(failure) => Answer { result: Err(failure), samples: self.clock() },
        }
    }

    async fn read(&self) -> Result<Vec<Sample>, Failure> {
        let permit = self.reading.clone().acquire_owned().await.map_err(|_| Failure::Local)?;
        let kernel = self.kernel.clone();
        // The permit goes with the thread, which outlives a caller that stops waiting.
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            kernel.samples()
        });
        read.await.ok().filter(|samples| !samples.is_empty()).ok_or(Failure::Local)
    }

    fn clock(&self) -> Vec<Sample> {
        let Some(kept) = self.clock.kept() else { return Vec::new() };
        let sample = |metric, value| Sample { metric, part: String::new(), value };
        let mut samples = vec![sample(Metric::ClockSynchronised, f64::from(u8::from(kept.synchronised)))];
        if kept.synchronised {
            samples.push(sample(Metric::ClockMaxError, kept.max_error.as_secs_f64()));
            samples.push(sample(Metric::ClockEstimatedError, kept.estimated_error.as_secs_f64()));
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Finder;
    use std::time::Duration;

    async fn ask(clock: &Clock, kernel: Option<Kernel>) -> Answer {
        let tools = Tools { clock: clock.clone(), finder: Finder::default() };
        let mut probe = Probe::new(&tools);
        probe.kernel = kernel.unwrap_or(probe.kernel);
        probe.ask(&Question, Budget::start(clock, Duration::from_secs(5))).await
    }

    fn value(answer: &Answer, metric: Metric) -> Option<f64> {
        answer.samples.iter().find(|sample| sample.metric == metric).map(|sample| sample.value)
    }

    #[tokio::test]
    async fn this_machine_tells_what_every_linux_does() {
        let answer = ask(&Clock::machine().unwrap(), None).await;
        assert!(answer.result.is_ok());
        let total = value(&answer, Metric::MemoryTotal).unwrap();
        assert!(value(&answer, Metric::MemoryAvailable).is_some_and(|available| available <= total));
        assert!(value(&answer, Metric::Cpu).is_some() && value(&answer, Metric::Load1).is_some());
    }

    #[tokio::test]
    async fn a_clock_nobody_keeps_has_no_error_bound() {
        let clock = Clock::manual();
        let kept = ask(&clock, None).await;
        assert_eq!(value(&kept, Metric::ClockSynchronised), Some(1.0));
        assert_eq!(value(&kept, Metric::ClockMaxError), Some(0.001));
        clock.set_bound_ns(u64::MAX);
        let adrift = ask(&clock, None).await;
        assert_eq!(value(&adrift, Metric::ClockSynchronised), Some(0.0));
        assert_eq!(value(&adrift, Metric::ClockMaxError), None);
    }

    #[tokio::test]
    async fn a_kernel_that_tells_nothing_is_our_failure() {
        let empty = tempfile::tempdir().unwrap();
        let answer = ask(&Clock::manual(), Some(Kernel::at(empty.path()))).await;
        assert_eq!(answer.result, Err(Failure::Local));
        assert_eq!(value(&answer, Metric::ClockSynchronised), Some(1.0), "the clock needs no file");
    }
}

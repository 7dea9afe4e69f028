//! How late an agent's runs started, read from its `/metrics`.

use anyhow::Context;
use std::fmt;

const NAME: &str = "haidang_agent_run_lateness_seconds_bucket{le=\"";

/// Runs up to each bound, seconds; the last bound is infinite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lateness(Vec<(f64, u64)>);

impl Lateness {
    /// What a page of the agent's metrics says.
    ///
    /// # Errors
    /// When it does not.
    pub fn read(page: &str) -> anyhow::Result<Lateness> {
        let rows = page.lines().filter_map(|line| line.strip_prefix(NAME)?.split_once("\"} "));
        let row = |(bound, runs): (&str, &str)| {
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse()? };
            anyhow::Ok((bound, runs.parse()?))
        };
        let rows = rows.map(row).collect::<anyhow::Result<Vec<_>>>()?;
        rows.last().context("no lateness in /metrics")?;
        Ok(Lateness(rows))
    }

    /// The runs that started since then.
    pub fn since(&self, before: &Lateness) -> Lateness {
        let pairs = self.0.iter().zip(&before.0);
        Lateness(pairs.map(|((bound, now), (_, then))| (*bound, now - then)).collect())
    }

    /// Those runs too.
    pub fn add(&mut self, more: &Lateness) {
        if self.0.is_empty() {
            return self.clone_from(more);
        }
        self.0.iter_mut().zip(&more.0).for_each(|((_, runs), (_, more))| *runs += more);
    }

    /// How many runs started.
    pub fn runs(&self) -> u64 {
        self.0.last().map_or(0, |(_, runs)| *runs)
    }

    /// The bound that holds such a share of the runs, seconds.
    pub fn bound(&self, share: f64) -> f64 {
        let wanted = (self.runs() as f64 * share).ceil() as u64;
        self.0.iter().find(|(_, runs)| *runs >= wanted).map_or(f64::INFINITY, |(bound, _)| *bound)
    }
}

/// The bounds of half, of 99 of 100, and of all, ms.
impl fmt::Display for Lateness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [half, most, all] = [0.5, 0.99, 1.0].map(|share| self.bound(share) * 1e3);
        write!(f, "≤ {half} / ≤ {most} / ≤ {all}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_runs_is_within_the_first_bound_that_holds_it() {
        let page = |[slot, late, all]: [u64; 3]| {
            format!("up 1\n{NAME}0.005\"}} {slot}\n{NAME}0.01\"}} {late}\n{NAME}+Inf\"}} {all}\n")
        };
        let before = Lateness::read(&page([5, 5, 6])).unwrap();
        let late = Lateness::read(&page([103, 104, 106])).unwrap().since(&before);
        assert_eq!((late.runs(), late.bound(0.5), late.bound(0.99)), (100, 0.005, 0.01));
        assert_eq!(late.to_string(), "≤ 5 / ≤ 10 / ≤ inf");
        assert!(Lateness::read("up 1\n").is_err());
    }
}

//! Figures of repeated measurements: least, median, most.

use anyhow::Context;
use std::fmt;

/// The number on a bench's command line, or `default`. (`cargo bench` adds words of its own, which begin with `-`.)
///
/// # Errors
/// When there is a word that is no number.
pub fn said(default: u64) -> anyhow::Result<u64> {
    let word = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    word.map_or(Ok(default), |word| word.parse().with_context(|| format!("`{word}` is not a number")))
}

/// Measurements of one kind.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// One more.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// The median; of an even count the mean of the middle two.
    pub fn median(&self) -> Option<f64> {
        let middle = self.0.len() / 2;
        let upper = *self.0.get(middle)?;
        Some(if self.0.len().is_multiple_of(2) { f64::midpoint(self.0[middle - 1], upper) } else { upper })
    }
}

impl FromIterator<f64> for Figures {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Figures {
        let mut figures = Figures::default();
        values.into_iter().for_each(|value| figures.push(value));
        figures
    }
}

/// `least / median / most`, or a dash where nothing was measured.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(least), Some(median), Some(most)) = (self.0.first(), self.median(), self.0.last()) else {
            return f.write_str("–");
        };
        let digits = f.precision().unwrap_or(1);
        write!(f, "{least:.digits$} / {median:.digits$} / {most:.digits$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_told_between_the_ends() {
        assert_eq!(Figures::from_iter([3.0, 1.0, 2.0]).to_string(), "1.0 / 2.0 / 3.0");
        assert_eq!(format!("{:.2}", Figures::from_iter([4.0, 1.0, 2.0, 3.0])), "1.00 / 2.50 / 4.00");
        assert_eq!(Figures::default().to_string(), "–");
    }
}

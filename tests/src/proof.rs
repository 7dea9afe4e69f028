//! What a machine cannot prove: said, and a failure where it was asked for.

use std::env;

/// Names of what must be proved, with spaces between. `make test` says those it has what it takes for.
const ASKED: &str = "HAIDANG_PROVE";

/// Says that `what` is not proved here, because of `why`.
///
/// # Panics
/// Where [`ASKED`] names it: a test that proves nothing must not look like one that passed.
pub fn unproved(what: &str, why: &str) {
    let asked = env::var(ASKED).unwrap_or_default();
    assert!(!names(&asked, what), "{why}: `{what}` is not proved, and {ASKED} names it");
    println!("{why}: `{what}` is not proved");
}

fn names(asked: &str, what: &str) -> bool {
    asked.split_whitespace().any(|one| one == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_fails() {
        assert!(names("clock disk", "disk") && names("clock", "clock"));
        assert!(!names("", "clock") && !names("clocks", "clock"));
    }
}

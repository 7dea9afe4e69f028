//! Room for as many open files as a program's own limits allow, and files that are nobody else's.
//!
//! A service manager starts programs with 1,024 open files and lets them ask for more. A server that takes more
//! connections than it has files for lets strangers keep it from opening its own.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// Raises this process's limit of open files to `wanted`, as far as it may; gives the limit it has then.
pub fn make_room(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(current) = current.filter(|current| *current < wanted) else {
        return current.unwrap_or(u64::MAX);
    };
    let most = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum });
    if raised.is_ok() { most } else { current }
}

/// Whatever this process makes from now on is its owner's alone, also what libraries make.
pub fn make_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_is_raised_as_far_as_allowed_and_a_high_one_stays() {
        let before = getrlimit(Resource::Nofile);
        let low = before.current.unwrap_or(4_096).min(4_096) / 2;
        setrlimit(Resource::Nofile, Rlimit { current: Some(low), maximum: before.maximum }).unwrap();
        assert_eq!(make_room(low + 100), low + 100);
        assert_eq!(make_room(low), low + 100, "never lowered");
        if let Some(maximum) = before.maximum {
            assert_eq!(make_room(maximum.saturating_add(1)), maximum);
        }
        setrlimit(Resource::Nofile, before).unwrap();
    }
}

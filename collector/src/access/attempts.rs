//! How often somebody may try to sign in: a lock per (account, address) and a budget per address.
//!
//! ```text
//! failure 1 2 3 4 | 5th locks 30 s | each further one doubles it, up to 15 min | right password: forgotten
//! ```
//!
//! The account alone never locks: otherwise anybody could lock the person on duty out. Memory is bounded
//! ([`KEPT`]); the entry longest unused goes first.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Failures of one account from one address before a lock.
pub const FREE: u32 = 5;
/// Failures of one address over all accounts before a lock.
pub const FREE_PER_ADDRESS: u32 = 30;
/// First lock; each further failure doubles it.
pub const LOCK_MS: i64 = 30_000;
/// Longest lock; after as long without a failure all is forgotten.
pub const LOCK_MAX_MS: i64 = 15 * 60_000;
/// Entries kept.
pub const KEPT: usize = 4096;

/// Failed sign-ins of late.
#[derive(Default)]
pub struct Attempts(Mutex<BTreeMap<(IpAddr, Option<String>), Tally>>);

#[derive(Clone, Copy, Default)]
struct Tally {
    failures: u32,
    last: i64,
    until: i64,
}

impl Attempts {
    /// Whether a try may be made now; if not, in how many seconds. `now` in ms of any clock that does not step.
    pub fn allowed(&self, account: &str, from: IpAddr, now: i64) -> Result<(), u64> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let locks = keys(account, from).into_iter().filter_map(|key| kept.get(&key));
        let until = locks.map(|tally| tally.until).max().unwrap_or(i64::MIN);
        if until > now { Err(((until - now) as u64).div_ceil(1000)) } else { Ok(()) }
    }

    /// Counts a failure.
    pub fn failed(&self, account: &str, from: IpAddr, now: i64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, free) in keys(account, from).into_iter().zip([FREE, FREE_PER_ADDRESS]) {
            let tally = kept.entry(key).or_default();
            if tally.last + LOCK_MAX_MS < now.max(tally.until) {
                *tally = Tally::default();
            }
            tally.failures += 1;
            tally.last = now;
            if let Some(beyond) = tally.failures.checked_sub(free) {
                tally.until = now + (LOCK_MS << beyond.min(8)).min(LOCK_MAX_MS);
            }
        }
        while kept.len() > KEPT {
            let Some(oldest) = kept.iter().min_by_key(|(_, tally)| tally.last).map(|(key, _)| key.clone())
            else {
                return;
            };
            kept.remove(&oldest);
        }
    }

    /// Forgets the account's failures from that address: the password was right.
    pub fn succeeded(&self, account: &str, from: IpAddr) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(&(from, Some(account.to_owned())));
    }
}

/// The lock of the account from that address, then the address's own.
fn keys(account: &str, from: IpAddr) -> [(IpAddr, Option<String>); 2] {
    // A name longer than any person's must not fill the memory.
    let account = account.chars().take(super::people::NAME_MAX + 1).collect();
    [(from, Some(account)), (from, None)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn at(octet: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, octet).into()
    }

    #[test]
    fn the_fifth_failure_locks_and_the_next_lock_is_longer() {
        let attempts = Attempts::default();
        for n in 0..i64::from(FREE) {
            assert_eq!(attempts.allowed("an", at(1), n), Ok(()));
            attempts.failed("an", at(1), n);
        }
        assert_eq!(attempts.allowed("an", at(1), 4), Err(30));
        assert_eq!(attempts.allowed("an", at(1), 4 + LOCK_MS), Ok(()));
        attempts.failed("an", at(1), 4 + LOCK_MS);
        assert_eq!(attempts.allowed("an", at(1), 4 + LOCK_MS), Err(60));
    }

    #[test]
    fn nobody_locks_an_account_from_elsewhere() {
        let attempts = Attempts::default();
        (0..20).for_each(|n| attempts.failed("an", at(1), n));
        assert!(attempts.allowed("an", at(1), 20).is_err());
        assert_eq!(attempts.allowed("an", at(2), 20), Ok(()));
    }

    #[test]
    fn one_address_cannot_walk_through_the_names() {
        let attempts = Attempts::default();
        (0..i64::from(FREE_PER_ADDRESS)).for_each(|n| attempts.failed(&format!("name{n}"), at(1), n));
        assert!(attempts.allowed("another", at(1), 30).is_err());
    }

    #[test]
    fn the_right_password_and_time_forgive() {
        let attempts = Attempts::default();
        (0..4).for_each(|n| attempts.failed("an", at(1), n));
        attempts.succeeded("an", at(1));
        attempts.failed("an", at(1), 5);
        assert_eq!(attempts.allowed("an", at(1), 5), Ok(()));
        (0..20).for_each(|n| attempts.failed("binh", at(2), n));
        let later = 20 + 2 * LOCK_MAX_MS;
        attempts.failed("binh", at(2), later);
        assert_eq!(attempts.allowed("binh", at(2), later), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        for n in 0..5_000_u32 {
            attempts.failed("an", IpAddr::V4(Ipv4Addr::from(n)), i64::from(n));
        }
        assert_eq!(attempts.0.lock().unwrap().len(), KEPT);
    }
}

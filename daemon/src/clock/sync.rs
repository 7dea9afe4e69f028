//! What the kernel says about how well its wall clock is kept (`adjtimex(2)`, RFC 5905).
//!
//! It is the kernel that is asked, not the program that disciplines it: chrony, systemd-timesyncd, ntpd and busybox's
//! ntpd all tell it their error, and the kernel lets that grow while none of them speaks.

use std::time::Duration;

/// How well the wall clock is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Something disciplines it. While nothing does, the errors mean nothing.
    pub synchronised: bool,
    /// Most it may be wrong by: root distance, grown since the last word.
    pub max_error: Duration,
    /// What it is likely wrong by.
    pub estimated_error: Duration,
}

/// What the kernel says; `None` when it does not answer.
pub(super) fn kept() -> Option<Kept> {
    let (state, timex) = adjtimex()?;
    let span = |micros: libc::c_long| Duration::from_micros(u64::try_from(micros).unwrap_or_default());
    Some(Kept {
        synchronised: state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0,
        max_error: span(timex.maxerror.max(timex.esterror)),
        estimated_error: span(timex.esterror),
    })
}

/// The kernel's maximum error of the wall clock, nanoseconds; `None` when the clock is not synchronised or
/// the kernel does not answer (a sandbox may refuse the call, which is then the honest reply).
pub(super) fn max_error_ns() -> Option<u64> {
    let kept = kept().filter(|kept| kept.synchronised)?;
    u64::try_from(kept.max_error.as_nanos()).ok()
}

/// Reads the kernel's clock discipline and changes nothing: `modes` is zero.
#[allow(unsafe_code)] // No safe wrapper of adjtimex exists in rustix or nix.
fn adjtimex() -> Option<(libc::c_int, libc::timex)> {
    // SAFETY: `timex` is plain integers, for which all zeroes is a valid value, and the call writes only
    // into the struct it is given, which outlives it.
    let (state, timex) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex)
    };
    (state >= 0).then_some((state, timex))
}

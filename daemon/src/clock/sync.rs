//! What the kernel says about how well its wall clock is kept (`adjtimex(2)`, RFC 5905).

/// The kernel's maximum error of the wall clock, nanoseconds; `None` when the clock is not synchronised or
/// the kernel does not answer (a sandbox may refuse the call, which is then the honest reply).
pub(super) fn max_error_ns() -> Option<u64> {
    let (state, timex) = adjtimex()?;
    let unsynchronised = state == libc::TIME_ERROR || timex.status & libc::STA_UNSYNC != 0;
    if unsynchronised {
        return None;
    }
    let micros = timex.maxerror.max(timex.esterror);
    u64::try_from(micros).ok().map(|micros| micros.saturating_mul(1_000))
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

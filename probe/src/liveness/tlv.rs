//! TLVs after the base packet (RFC 8972 §4).
//!
//! ```text
//!   │ U M I 0 0 0 0 0 │ type (1) │ length (2) │ value (length) │
//! ```
//!
//! A sender sets U in each TLV; the reflector clears it in those it understood. M marks a TLV that does not
//! fit its packet: it and all after it come back untouched. We never send I: a packet whose TLVs fail their
//! HMAC is dropped, not reflected, which is stricter than the RFC and answers no forger.

use super::{
    Dropped, Key, MAX_PACKET,
    mac::TAG,
    packet::{field, put},
};

/// Type: octets that only make the packet longer.
pub(super) const EXTRA_PADDING: u8 = 1;
/// Type: HMAC over the sequence number and the TLVs before it.
pub(super) const HMAC: u8 = 8;
/// Flag: not understood.
pub(super) const UNRECOGNISED: u8 = 0x80;
/// Flag: does not fit.
const MALFORMED: u8 = 0x40;
/// Octets of flags, type and length.
pub(super) const HEADER: usize = 4;

/// One TLV, as a place in the octets after the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tlv {
    pub kind: u8,
    /// Where its flags are.
    pub at: usize,
    /// Octets of its value.
    pub length: usize,
}

impl Tlv {
    fn value(self) -> usize {
        self.at + HEADER
    }

    fn end(self) -> usize {
        self.value() + self.length
    }
}

/// The TLVs of `tail`, in order; `Err` is where one does not fit, and ends the walk.
pub(super) fn walk(tail: &[u8]) -> impl Iterator<Item = Result<Tlv, usize>> + '_ {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let at = next.filter(|&at| at < tail.len())?;
        next = None;
        if tail.len() - at < HEADER {
            return Some(Err(at));
        }
        let length = usize::from(u16::from_be_bytes(field(tail, at + 2)));
        let tlv = Tlv { kind: tail[at + 1], at, length };
        if tlv.end() > tail.len() {
            return Some(Err(at));
        }
        next = Some(tlv.end());
        Some(Ok(tlv))
    })
}

/// Appends a TLV with U set, as senders must.
pub(super) fn push(packet: &mut Vec<u8>, kind: u8, value: &[u8]) {
    packet.extend([UNRECOGNISED, kind]);
    packet.extend((value.len() as u16).to_be_bytes());
    packet.extend(value);
}

/// Makes the packet `size` octets long by Extra Padding of zeros, where that many and the TLV's head are missing.
pub(super) fn pad(packet: &mut Vec<u8>, size: usize) {
    let missing = size.min(MAX_PACKET).saturating_sub(packet.len());
    if let Some(padding) = missing.checked_sub(HEADER) {
        push(packet, EXTRA_PADDING, &vec![0; padding]);
    }
}

/// Turns a copy of a request's TLVs into those of its answer: U cleared where `understood`, set elsewhere, M set
/// where one does not fit. Type 0 is reserved: zeros after the base are padding of an older sender.
pub(super) fn reflect(tail: &mut [u8], understood: impl Fn(u8) -> bool) {
    let found: Vec<_> = walk(tail).take_while(|tlv| !matches!(tlv, Ok(Tlv { kind: 0, .. }))).collect();
    for tlv in found {
        match tlv {
            Ok(tlv) => tail[tlv.at] = if understood(tlv.kind) { 0 } else { UNRECOGNISED },
            Err(at) if tail.len() - at >= HEADER && tail[at + 1] != 0 => tail[at] |= MALFORMED,
            Err(_) => {}
        }
    }
}

/// Finds the HMAC TLV: exactly one, and after it Extra Padding only (RFC 8972 §4.8).
pub(super) fn find_hmac(tail: &[u8]) -> Result<Tlv, Dropped> {
    let mut found: Option<Tlv> = None;
    for tlv in walk(tail) {
        let tlv = tlv.map_err(|_| Dropped::Garbage)?;
        match found {
            None if tlv.kind == HMAC => found = Some(tlv),
            Some(_) if tlv.kind != EXTRA_PADDING => return Err(Dropped::BadHmac),
            _ => {}
        }
    }
    found.filter(|tlv| tlv.length == TAG).ok_or(Dropped::BadHmac)
}

/// Writes the HMAC TLV's value. `seq` is the sequence number of the base packet.
pub(super) fn sign(tail: &mut [u8], hmac: Tlv, seq: u32, key: &Key) {
    let tag = key.tag(&[&seq.to_be_bytes(), &tail[..hmac.at]]);
    put(tail, hmac.value(), tag);
}

/// Whether the HMAC TLV has the value it should.
pub(super) fn verify(tail: &[u8], hmac: Tlv, seq: u32, key: &Key) -> Result<(), Dropped> {
    let authentic = key.matches(&[&seq.to_be_bytes(), &tail[..hmac.at]], &tail[hmac.value()..hmac.end()]);
    if authentic { Ok(()) } else { Err(Dropped::BadHmac) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(tlvs: &[(u8, &[u8])]) -> Vec<u8> {
        let mut tail = Vec::new();
        for (kind, value) in tlvs {
            push(&mut tail, *kind, value);
        }
        tail
    }

    #[test]
    fn understood_tlvs_come_back_without_u() {
        let mut octets = tail(&[(EXTRA_PADDING, &[7; 5]), (3, &[]), (250, &[1, 2])]);
        reflect(&mut octets, |kind| kind == EXTRA_PADDING);
        assert_eq!(octets, [0, 1, 0, 5, 7, 7, 7, 7, 7, 0x80, 3, 0, 0, 0x80, 250, 0, 2, 1, 2]);
    }

    #[test]
    fn a_tlv_that_does_not_fit_comes_back_marked_and_whole() {
        let mut octets = tail(&[(EXTRA_PADDING, &[7])]);
        octets.extend([0x80, 3, 0, 9, 1, 2]);
        reflect(&mut octets, |_| true);
        assert_eq!(octets, [0, 1, 0, 1, 7, 0xc0, 3, 0, 9, 1, 2]);
    }

    #[test]
    fn zeros_come_back_as_zeros() {
        for length in 0..20 {
            let mut octets = vec![0; length];
            reflect(&mut octets, |_| false);
            assert_eq!(octets, vec![0; length]);
        }
    }

    #[test]
    fn only_padding_may_follow_the_hmac() {
        let mac: &[u8] = &[0; TAG];
        assert!(find_hmac(&tail(&[(244, &[1]), (HMAC, mac)])).is_ok());
        assert!(find_hmac(&tail(&[(244, &[1]), (HMAC, mac), (EXTRA_PADDING, &[0; 9])])).is_ok());
        for wrong in [&[(HMAC, mac), (244, &[1])][..], &[(HMAC, mac), (HMAC, mac)], &[(HMAC, &mac[1..])], &[]]
        {
            assert_eq!(find_hmac(&tail(wrong)), Err(Dropped::BadHmac));
        }
        assert_eq!(find_hmac(&[0x80, 8, 0, 16]), Err(Dropped::Garbage));
    }
}

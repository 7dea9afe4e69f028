//! The collector's answer to an envelope it keeps.

use super::{Ranges, Refusal, ranges::MAX_RANGES, refusal::within, wire};
use crate::plan::PlanDigest;
use bytes::Bytes;
use prost::Message;

/// Octets of an encoded acknowledgement: 64 ranges of two 10-octet varints, and change.
const MAX_ACK_BYTES: usize = 2_048;

/// What the collector has of a spool, and which plan it wants run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// The spool spoken of.
    pub spool_id: u64,
    /// Number of the envelope answered; it, and all of `received`, may be forgotten by the agent.
    pub seq: u64,
    /// Every number received of this spool.
    pub received: Ranges,
    /// Digest of the plan the agent should run.
    pub plan_digest: PlanDigest,
}

impl Ack {
    /// The octets that travel.
    pub fn encode(&self) -> Vec<u8> {
        let ranges = self.received.as_slice();
        wire::Ack {
            spool_id: self.spool_id,
            seq: self.seq,
            received: ranges.iter().flat_map(|&(first, last)| [first, last]).collect(),
            plan_digest: digest_octets(self.plan_digest),
        }
        .encode_to_vec()
    }

    /// Reads an acknowledgement.
    pub fn decode(encoded: &[u8]) -> Result<Ack, Refusal> {
        within(encoded.len(), "octets of acknowledgement", MAX_ACK_BYTES)?;
        let read =
            wire::Ack::decode(encoded).map_err(|_| Refusal::Garbled("not a protobuf acknowledgement"))?;
        if read.received.len() % 2 != 0 {
            return Err(Refusal::Garbled("a range without an end"));
        }
        let pairs: Vec<_> = read.received.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let received = Ranges::try_from(pairs).map_err(|_| Refusal::Oversized("ranges", MAX_RANGES))?;
        Ok(Ack {
            spool_id: read.spool_id,
            seq: read.seq,
            received,
            plan_digest: digest_of_octets(&read.plan_digest)?,
        })
    }
}

/// A digest as octets; none at all when there is no plan.
pub(super) fn digest_octets(digest: PlanDigest) -> Bytes {
    if digest == PlanDigest::default() { Bytes::new() } else { Bytes::copy_from_slice(&digest.0) }
}

/// The digest these octets stand for.
pub(super) fn digest_of_octets(octets: &[u8]) -> Result<PlanDigest, Refusal> {
    if octets.is_empty() {
        return Ok(PlanDigest::default());
    }
    octets.try_into().map(PlanDigest).map_err(|_| Refusal::Garbled("plan digest is not 8 octets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack() -> Ack {
        let received = Ranges::try_from(vec![(0, 41), (44, 44), (60, u64::MAX)]).unwrap();
        Ack { spool_id: 7, seq: 44, received, plan_digest: PlanDigest::of(b"checks: []") }
    }

    #[test]
    fn reads_back_as_written() {
        assert_eq!(Ack::decode(&ack().encode()), Ok(ack()));
        assert_eq!(Ack::decode(&[]), Ok(Ack::default()));
    }

    #[test]
    fn the_fullest_acknowledgement_is_within_its_limit() {
        let pairs = (0..64).map(|n| (u64::MAX - 300 + 4 * n, u64::MAX - 299 + 4 * n)).collect::<Vec<_>>();
        let full = Ack { received: Ranges::try_from(pairs).unwrap(), seq: u64::MAX, ..ack() };
        assert_eq!(Ack::decode(&full.encode()), Ok(full));
    }

    #[test]
    fn damage_never_panics() {
        let whole = ack().encode();
        for at in 0..whole.len() {
            let _ = Ack::decode(&whole[..at]);
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                let _ = Ack::decode(&flipped);
            }
        }
        assert_eq!(Ack::decode(&[0; 4096]).map_err(|refusal| refusal.name()), Err("oversized"));
    }
}

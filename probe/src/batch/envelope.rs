//! The numbered, immutable carrier of one batch.

use super::{Batch, Refusal, limit, pack, refusal::within, unpack, wire};
use bytes::Bytes;
use prost::{
    Message,
    encoding::{WireType, decode_varint},
};
use sha2::{Digest, Sha256};
use std::io::Read;

/// The version of the format this program writes and reads.
pub const VERSION: u32 = 1;

/// Compression level: the knee of size against time for the small CPU of a gateway.
const ZSTD_LEVEL: i32 = 3;

/// One numbered batch of one spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The agent: the id of the site it stands at.
    pub agent: String,
    /// Random per spool.
    pub spool_id: u64,
    /// Number within the spool, from 0, without holes.
    pub seq: u64,
    /// [`sha256`] of the encoded envelope `seq − 1`; zero in the first.
    pub prev_sha256: [u8; 32],
    /// The compressed columns.
    pub payload: Bytes,
    /// Empty until evidence is signed.
    pub signature: Bytes,
}

/// SHA-256 of an envelope's octets as sent. Take it of what came over the wire, not of a re-encoding.
pub fn sha256(encoded: &[u8]) -> [u8; 32] {
    Sha256::digest(encoded).into()
}

impl Envelope {
    /// Packs and compresses `batch`. Refused when it is over a limit: cut it in two and seal again.
    pub fn seal(
        agent: &str,
        spool_id: u64,
        seq: u64,
        prev_sha256: [u8; 32],
        batch: &Batch,
    ) -> Result<Envelope, Refusal> {
        within(agent.len(), "octets of agent", limit::MAX_AGENT_BYTES)?;
        let columns = pack::pack(batch)?.encode_to_vec();
        within(columns.len(), "octets of payload", limit::MAX_PAYLOAD_BYTES)?;
        let payload = zstd::bulk::compress(&columns, ZSTD_LEVEL)
            .map_err(|_| Refusal::Garbled("payload did not compress"))?;
        let envelope = Envelope {
            agent: agent.to_owned(),
            spool_id,
            seq,
            prev_sha256,
            payload: payload.into(),
            signature: Bytes::new(),
        };
        within(envelope.wire().encoded_len(), "octets", limit::MAX_ENVELOPE_BYTES)?;
        Ok(envelope)
    }

    /// The octets that travel. The same envelope always gives the same octets.
    pub fn encode(&self) -> Vec<u8> {
        self.wire().encode_to_vec()
    }

    /// [`sha256`] of [`Self::encode`], what the next envelope's `prev_sha256` says.
    pub fn sha256(&self) -> [u8; 32] {
        sha256(&self.encode())
    }

    /// Reads an envelope without looking into its payload.
    pub fn decode(encoded: &[u8]) -> Result<Envelope, Refusal> {
        within(encoded.len(), "octets", limit::MAX_ENVELOPE_BYTES)?;
        all_there(encoded)?;
        let read =
            wire::Envelope::decode(encoded).map_err(|_| Refusal::Garbled("not a protobuf envelope"))?;
        if read.version != VERSION {
            return Err(if read.version == 0 {
                Refusal::Truncated
            } else {
                Refusal::UnknownVersion(read.version)
            });
        }
        if read.payload.is_empty() {
            // No zstd frame is empty: the envelope was cut between two fields.
            return Err(Refusal::Truncated);
        }
        if read.agent.is_empty() {
            return Err(Refusal::Garbled("no agent"));
        }
        within(read.agent.len(), "octets of agent", limit::MAX_AGENT_BYTES)?;
        within(read.signature.len(), "octets of signature", limit::MAX_SIGNATURE_BYTES)?;
        Ok(Envelope {
            agent: read.agent,
            spool_id: read.spool_id,
            seq: read.seq,
            prev_sha256: read.prev_sha256[..]
                .try_into()
                .map_err(|_| Refusal::Garbled("prev_sha256 is not 32 octets"))?,
            payload: read.payload,
            signature: read.signature,
        })
    }

    /// Decompresses and unpacks the batch.
    pub fn open(&self) -> Result<Batch, Refusal> {
        let columns = decompress(&self.payload)?;
        let columns =
            wire::Payload::decode(columns).map_err(|_| Refusal::Garbled("not a protobuf payload"))?;
        unpack::unpack(columns)
    }

    fn wire(&self) -> wire::Envelope {
        wire::Envelope {
            version: VERSION,
            agent: self.agent.clone(),
            spool_id: self.spool_id,
            seq: self.seq,
            prev_sha256: Bytes::copy_from_slice(&self.prev_sha256),
            payload: self.payload.clone(),
            signature: self.signature.clone(),
        }
    }
}

/// Tells truncated octets from garbled ones, which prost's error does not.
fn all_there(mut rest: &[u8]) -> Result<(), Refusal> {
    if rest.is_empty() {
        return Err(Refusal::Truncated);
    }
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let wire_type = WireType::try_from(key & 7).map_err(|_| Refusal::Garbled("no such wire type"))?;
        let length = match wire_type {
            WireType::Varint => {
                varint(&mut rest)?;
                0
            }
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => varint(&mut rest)?,
            WireType::StartGroup | WireType::EndGroup => return Err(Refusal::Garbled("a group")),
        };
        let length = usize::try_from(length).ok().filter(|&length| length <= rest.len());
        rest = &rest[length.ok_or(Refusal::Truncated)?..];
    }
    Ok(())
}

fn varint(rest: &mut &[u8]) -> Result<u64, Refusal> {
    let ended = rest.len() < 10 && rest.iter().all(|octet| octet & 0x80 != 0);
    decode_varint(rest).map_err(|_| if ended { Refusal::Truncated } else { Refusal::Garbled("a varint") })
}

/// Decompresses one zstd frame, never believing the size it announces.
fn decompress(frame: &[u8]) -> Result<Bytes, Refusal> {
    let garbled = |_| Refusal::Garbled("payload is not a zstd frame");
    let mut decoder = zstd::stream::read::Decoder::with_buffer(frame).map_err(garbled)?.single_frame();
    decoder.window_log_max(limit::MAX_WINDOW_LOG).map_err(garbled)?;
    let mut columns = Vec::new();
    let mut capped = decoder.by_ref().take(limit::MAX_PAYLOAD_BYTES as u64 + 1);
    capped.read_to_end(&mut columns).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Refusal::Truncated,
        _ => Refusal::Garbled("payload is not a zstd frame"),
    })?;
    if columns.len() > limit::MAX_PAYLOAD_BYTES {
        return Err(Refusal::ZipBomb(limit::MAX_PAYLOAD_BYTES));
    }
    if !decoder.finish().is_empty() {
        return Err(Refusal::Garbled("octets after the zstd frame"));
    }
    Ok(columns.into())
}

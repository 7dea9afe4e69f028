//! The numbered, immutable carrier of one batch.

use super::{Batch, Refusal, fields, limit, pack, refusal::within, unpack, wire};
use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use std::io::{self, Read};

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
        fields::all_there(encoded)?;
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
        fields::check_lengths(&columns).map_err(|refusal| match refusal {
            Refusal::Truncated => Refusal::Garbled("not a protobuf payload"),
            refusal => refusal,
        })?;
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

/// Decompresses one zstd frame, never believing the size it announces.
fn decompress(frame: &[u8]) -> Result<Bytes, Refusal> {
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(frame).map_err(|error| not_a_frame(&error))?.single_frame();
    decoder.window_log_max(limit::MAX_WINDOW_LOG).map_err(|error| not_a_frame(&error))?;
    let mut columns = Vec::new();
    let mut capped = decoder.by_ref().take(limit::MAX_PAYLOAD_BYTES as u64 + 1);
    capped.read_to_end(&mut columns).map_err(|error| not_a_frame(&error))?;
    if columns.len() > limit::MAX_PAYLOAD_BYTES {
        return Err(Refusal::ZipBomb(limit::MAX_PAYLOAD_BYTES));
    }
    if !decoder.finish().is_empty() {
        return Err(Refusal::Garbled("octets after the zstd frame"));
    }
    Ok(columns.into())
}

fn not_a_frame(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Refusal::Truncated,
        // zstd has a number for a window beyond the limit, but the crate passes on its text only.
        _ if error.to_string().contains("too much memory") => Refusal::ZipBomb(limit::MAX_PAYLOAD_BYTES),
        _ => Refusal::Garbled("payload is not a zstd frame"),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{any_batch, batch},
        *,
    };
    use proptest::prelude::*;

    fn sealed(batch: &Batch) -> Envelope {
        Envelope::seal("tan-ho-co", 0x1122_3344_5566_7788, 7, [9; 32], batch).unwrap()
    }

    /// An envelope whose columns were tampered with before compression.
    fn tampered(tamper: impl FnOnce(&mut wire::Payload)) -> Result<Batch, Refusal> {
        let mut columns = pack::pack(&batch()).unwrap();
        tamper(&mut columns);
        with_payload(&columns.encode_to_vec()).open()
    }

    fn with_payload(columns: &[u8]) -> Envelope {
        let payload = zstd::bulk::compress(columns, ZSTD_LEVEL).unwrap().into();
        Envelope { payload, ..sealed(&batch()) }
    }

    fn name<T>(result: Result<T, Refusal>) -> &'static str {
        result.err().map_or("taken", |refusal| refusal.name())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn batches_read_back_as_written(batch in any_batch()) {
            let envelope = sealed(&batch);
            let encoded = envelope.encode();
            let read = Envelope::decode(&encoded).unwrap();
            prop_assert_eq!(read.open().unwrap(), batch);
            prop_assert_eq!(read.encode(), encoded, "numbered octets are immutable");
            prop_assert_eq!(read, envelope);
        }

        #[test]
        fn damaged_envelopes_never_panic(
            batch in any_batch(),
            flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8), 1..4),
            cut in any::<prop::sample::Index>(),
            more in prop::collection::vec(any::<u8>(), 1..20),
        ) {
            let whole = sealed(&batch).encode();
            let mut flipped = whole.clone();
            for (at, bit) in &flips {
                flipped[at.index(whole.len())] ^= 1u8 << bit;
            }
            let extended = [&whole[..], &more].concat();
            for damaged in [&flipped[..], &whole[..cut.index(whole.len())], &extended] {
                let _ = Envelope::decode(damaged).and_then(|envelope| envelope.open());
            }
        }

        #[test]
        fn damaged_columns_never_panic(
            batch in any_batch(),
            flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let whole = pack::pack(&batch).unwrap().encode_to_vec();
            prop_assume!(!whole.is_empty());
            let mut flipped = whole.clone();
            for (at, bit) in &flips {
                flipped[at.index(whole.len())] ^= 1u8 << bit;
            }
            for damaged in [&flipped[..], &whole[..cut.index(whole.len())]] {
                let _ = with_payload(damaged).open();
            }
        }

        #[test]
        fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Envelope::decode(&noise);
            let _ = with_payload(&noise).open();
            let _ = Envelope { payload: noise.into(), ..sealed(&batch()) }.open();
        }
    }

    #[test]
    fn every_cut_is_refused() {
        let whole = sealed(&batch()).encode();
        for cut in 0..whole.len() {
            assert_eq!(name(Envelope::decode(&whole[..cut])), "truncated", "cut at {cut}");
        }
    }

    #[test]
    fn a_cut_payload_is_truncated_and_a_long_one_garbled() {
        let mut envelope = sealed(&batch());
        let whole = envelope.payload.clone();
        envelope.payload = whole.slice(..whole.len() - 1);
        assert_eq!(name(envelope.open()), "truncated");
        envelope.payload = [&whole[..], b"x"].concat().into();
        assert_eq!(name(envelope.open()), "garbled");
        envelope.payload = [&whole[..], &whole[..]].concat().into();
        assert_eq!(name(envelope.open()), "garbled");
        envelope.payload = "no frame at all".into();
        assert_eq!(name(envelope.open()), "garbled");
    }

    #[test]
    fn a_zip_bomb_is_refused_whatever_it_announces() {
        let bomb = vec![0; 16 << 20];
        let announced = zstd::bulk::compress(&bomb, 3).unwrap();
        let wide_window = zstd::bulk::compress(&bomb, 19).unwrap();
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        std::io::Write::write_all(&mut encoder, &bomb).unwrap();
        let unannounced = encoder.finish().unwrap();
        for payload in [announced, wide_window, unannounced] {
            assert!(payload.len() < 10_000, "{} octets become {}", payload.len(), bomb.len());
            let envelope = Envelope { payload: payload.into(), ..sealed(&batch()) };
            let envelope = Envelope::decode(&envelope.encode()).unwrap();
            assert_eq!(envelope.open(), Err(Refusal::ZipBomb(limit::MAX_PAYLOAD_BYTES)));
        }
    }

    #[test]
    fn other_versions_and_too_much_are_refused() {
        let newer = wire::Envelope { version: 2, ..sealed(&batch()).wire() };
        assert_eq!(Envelope::decode(&newer.encode_to_vec()), Err(Refusal::UnknownVersion(2)));
        assert_eq!(name(Envelope::decode(&vec![0; limit::MAX_ENVELOPE_BYTES + 1])), "oversized");
        let long_name = wire::Envelope { agent: "x".repeat(129), ..sealed(&batch()).wire() };
        assert_eq!(name(Envelope::decode(&long_name.encode_to_vec())), "oversized");
        let short_chain = wire::Envelope { prev_sha256: Bytes::new(), ..sealed(&batch()).wire() };
        assert_eq!(name(Envelope::decode(&short_chain.encode_to_vec())), "garbled");
        let outcomes = vec![batch().outcomes[0].clone(); limit::MAX_OUTCOMES + 1];
        let too_many = Envelope::seal("a", 1, 0, [0; 32], &Batch { outcomes, ..batch() });
        assert_eq!(name(too_many), "oversized");
    }

    #[test]
    fn a_newer_agent_is_understood_as_far_as_possible() {
        let read = tampered(|columns| {
            columns.samples.as_mut().unwrap().metric[0] = 60_000;
            columns.samples.as_mut().unwrap().metric[1] = 1 << 20;
            columns.events.as_mut().unwrap().kind[0] = 999;
            columns.outcomes.as_mut().unwrap().result[0] = -30;
            columns.outcomes.as_mut().unwrap().result[1] = -1_000;
        });
        let mut expected = batch();
        expected.outcomes[0].samples.drain(..2);
        expected.outcomes[0].result = Err(crate::outcome::Failure::Other);
        expected.outcomes[1].result = Err(crate::outcome::Failure::Local);
        expected.events.remove(0);
        expected.unknown = 3;
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn columns_that_do_not_agree_are_garbled() {
        let wrongs: [fn(&mut wire::Payload); 9] = [
            |columns| columns.boots[0] = Bytes::from_static(b"short"),
            |columns| columns.boots.clear(),
            |columns| columns.parts.clear(),
            |columns| columns.plan_digest = Bytes::from_static(b"short"),
            |columns| columns.outcomes.as_mut().unwrap().check[0] = u32::MAX,
            |columns| columns.outcomes.as_mut().unwrap().sent_us[0] = -1,
            |columns| columns.outcomes.as_mut().unwrap().samples[0] += 1,
            |columns| columns.samples.as_mut().unwrap().real[0] ^= true,
            |columns| columns.events.as_mut().unwrap().at_us.push(1),
        ];
        for (number, wrong) in wrongs.into_iter().enumerate() {
            assert_eq!(name(tampered(wrong)), "garbled", "wrong {number}");
        }
    }

    #[test]
    fn the_chain_is_over_the_octets_sent() {
        let first = sealed(&batch());
        assert_eq!(first.sha256(), sha256(&first.encode()));
        let second = Envelope::seal("tan-ho-co", 1, 8, first.sha256(), &batch()).unwrap();
        assert_eq!(Envelope::decode(&second.encode()).unwrap().prev_sha256, sha256(&first.encode()));
    }

    #[test]
    fn values_keep_every_bit() {
        for value in [-0.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE / 2.0, 9_007_199_254_740_993.0, 1e300]
        {
            let mut batch = batch();
            batch.outcomes[0].samples[0].value = value;
            let read = sealed(&batch).open().unwrap();
            assert_eq!(read.outcomes[0].samples[0].value.to_bits(), value.to_bits());
        }
    }

    #[test]
    fn the_fullest_batch_fits_if_it_compresses() {
        let mut one = batch().outcomes[0].clone();
        one.samples = vec![one.samples[2].clone(); limit::MAX_SAMPLES / limit::MAX_OUTCOMES];
        let full = Batch { outcomes: vec![one; limit::MAX_OUTCOMES], ..batch() };
        assert_eq!(sealed(&full).open(), Ok(full));
    }

    #[test]
    fn what_a_gateway_sends_in_a_minute_is_small() {
        let one = batch();
        let outcomes = (0..300u64).map(|run| {
            let mut outcome = one.outcomes[0].clone();
            outcome.check = crate::check::CheckId(run as u32 % 50);
            outcome.sent.mono_ns += run * 200_000_000;
            outcome.samples.clear();
            outcome
        });
        let encoded = sealed(&Batch { outcomes: outcomes.collect(), ..one }).encode();
        assert!(encoded.len() < 1_500, "{} octets for 300 outcomes", encoded.len());
    }
}

//! What travels between agent and collector.

use haidang_probe::batch::{Ack, Envelope};

/// An envelope as it came over the wire, and the batch in it.
pub fn envelope(octets: &[u8]) {
    let Ok(envelope) = Envelope::decode(octets) else { return };
    assert_eq!(Envelope::decode(&envelope.encode()).as_ref(), Ok(&envelope));
    let _ = envelope.open();
}

/// A payload's columns, compressed as an agent would: mutated octets never are a good zstd frame.
pub fn payload(columns: &[u8]) {
    let Ok(payload) = zstd::bulk::compress(columns, 1) else { return };
    let envelope = Envelope {
        agent: "agent".into(),
        spool_id: 1,
        seq: 1,
        prev_sha256: [0; 32],
        payload: payload.into(),
        signature: Vec::new().into(),
    };
    let Ok(batch) = envelope.open() else { return };
    // What was read can be told again: a collector's store and an agent's spool both rely on it.
    let Ok(sealed) = Envelope::seal("agent", 1, 1, [0; 32], &batch) else { return };
    let again = sealed.open().expect("a batch that was sealed opens");
    assert_eq!(again.outcomes.len(), batch.outcomes.len());
    assert_eq!(again.events.len(), batch.events.len());
}

/// The collector's answer to a batch.
pub fn ack(octets: &[u8]) {
    let Ok(ack) = Ack::decode(octets) else { return };
    assert_eq!(Ack::decode(&ack.encode()).as_ref(), Ok(&ack));
}

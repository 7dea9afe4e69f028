//! Limits of a batch, the same on both sides: an agent cuts its batches to fit, the collector refuses more.

/// Octets of an encoded envelope.
pub const MAX_ENVELOPE_BYTES: usize = 1 << 20;
/// Octets of a payload once decompressed. Its elements are counted before they are decoded.
pub const MAX_PAYLOAD_BYTES: usize = 4 << 20;
/// Largest zstd window a payload may ask of its reader, as a power of two (4 MiB).
pub const MAX_WINDOW_LOG: u32 = 22;
/// Octets of an agent's identity.
pub const MAX_AGENT_BYTES: usize = 128;
/// Octets of the reserved signature.
pub const MAX_SIGNATURE_BYTES: usize = 256;
/// Clock maps in a batch, and boots it may speak of.
pub const MAX_BOOTS: usize = 64;
/// Runs of checks in a batch.
pub const MAX_OUTCOMES: usize = 32_768;
/// Samples in a batch, over all its outcomes.
pub const MAX_SAMPLES: usize = 131_072;
/// Events in a batch.
pub const MAX_EVENTS: usize = 8_192;
/// Fields of all events in a batch, and different values of them.
pub const MAX_FIELDS: usize = 32_768;
/// Digests of uplinks in a batch.
pub const MAX_LINES: usize = 32_768;
/// Digests of checks in a batch.
pub const MAX_CHECKS: usize = 32_768;
/// Different parts (interfaces, uplinks) in a batch.
pub const MAX_PARTS: usize = 4_096;
/// Octets of a part's name.
pub const MAX_PART_BYTES: usize = 256;

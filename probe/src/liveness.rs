//! Liveness packets: STAMP (RFC 8762, RFC 8972).

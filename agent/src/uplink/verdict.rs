//! What the collector's answer to a batch means.

use haidang_probe::batch::Ack;
use hyper::StatusCode;

/// Characters of a refusal's text that reach the log.
const MAX_REASON: usize = 200;

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The collector has it on disk.
    Kept(Ack),
    /// The collector will never take this batch.
    Refused(String),
    /// The collector does not take anything from this agent here.
    Unknown(String),
    /// The collector wants fewer at once, or older ones first.
    Later(String),
    /// No usable answer.
    Failed(String),
}

/// What an answer to a batch means.
pub(super) fn judge(status: StatusCode, body: &[u8]) -> Verdict {
    if status == StatusCode::OK {
        return Ack::decode(body).map_or_else(|wrong| Verdict::Failed(wrong.to_string()), Verdict::Kept);
    }
    let reason = reason(status, body);
    match status.as_u16() {
        401 | 403 | 404 | 405 | 415 => Verdict::Unknown(reason),
        429 => Verdict::Later(reason),
        408 => Verdict::Failed(reason),
        400..500 => Verdict::Refused(reason),
        _ => Verdict::Failed(reason),
    }
}

/// The answer's own words, cut short and on one line.
pub(super) fn reason(status: StatusCode, body: &[u8]) -> String {
    let words = String::from_utf8_lossy(body);
    let words: String = words.chars().filter(|c| !c.is_control()).take(MAX_REASON).collect();
    format!("{status}: {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_batchs_own_fault_refuses_it() {
        for (status, expected) in [
            (400, "refused"),
            (413, "refused"),
            (422, "refused"),
            (401, "unknown"),
            (403, "unknown"),
            (404, "unknown"),
            (415, "unknown"),
            (408, "failed"),
            (429, "later"),
            (500, "failed"),
            (503, "failed"),
            (302, "failed"),
        ] {
            let verdict = match judge(StatusCode::from_u16(status).unwrap(), b"why\n") {
                Verdict::Kept(_) => "kept",
                Verdict::Refused(_) => "refused",
                Verdict::Unknown(_) => "unknown",
                Verdict::Later(_) => "later",
                Verdict::Failed(_) => "failed",
            };
            assert_eq!(verdict, expected, "{status}");
        }
    }

    #[test]
    fn an_answer_that_is_no_acknowledgement_keeps_the_batch_here() {
        assert!(matches!(judge(StatusCode::OK, b"<html>login</html>"), Verdict::Failed(_)));
        let ack = Ack { spool_id: 7, seq: 3, ..Ack::default() };
        assert_eq!(judge(StatusCode::OK, &ack.encode()), Verdict::Kept(ack));
    }

    #[test]
    fn a_long_answer_does_not_fill_the_log() {
        let long = reason(StatusCode::BAD_REQUEST, &[b'x'; 4096]);
        assert!(long.len() < 300);
        assert_eq!(reason(StatusCode::BAD_REQUEST, b"a\nb\x1b[0m"), "400 Bad Request: ab[0m");
    }
}

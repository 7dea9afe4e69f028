//! The base packets of RFC 8762 §4.2 and §4.3, with the session id of RFC 8972 §3.
//!
//! ```text
//!                       plain  authenticated
//!   sequence number         0      0    4 octets
//!   timestamp               4     16    8
//!   error estimate         12     24    2
//!   session id             14     26    2
//!   receive timestamp      16     32    8   ┐
//!   sender's sequence      24     48    4   │ in answers;
//!   sender's timestamp     28     64    8   │ zero in requests
//!   sender's error         36     72    2   │
//!   sender's TTL           40     80    1   ┘
//!   HMAC                    -     96   16
//!   end                    44    112
//! ```

use super::{Dropped, ErrorEstimate, Key, MAX_PACKET, Ntp, mac::TAG};

/// Which of the two forms a session uses; packets do not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Unauthenticated: 44 octets and TLVs.
    Plain,
    /// Authenticated: 112 octets and TLVs.
    Authenticated,
}

/// Where the fields are.
struct Layout {
    timestamp: usize,
    error: usize,
    ssid: usize,
    received: usize,
    sender_seq: usize,
    sender_timestamp: usize,
    sender_error: usize,
    ttl: usize,
}

const PLAIN: Layout = Layout {
    timestamp: 4,
    error: 12,
    ssid: 14,
    received: 16,
    sender_seq: 24,
    sender_timestamp: 28,
    sender_error: 36,
    ttl: 40,
};

const AUTHENTICATED: Layout = Layout {
    timestamp: 16,
    error: 24,
    ssid: 26,
    received: 32,
    sender_seq: 48,
    sender_timestamp: 64,
    sender_error: 72,
    ttl: 80,
};

/// Octets the HMAC of the base covers, and where it stands.
const COVERED: usize = 96;

impl Mode {
    /// Octets of the base packet.
    pub const fn base_len(self) -> usize {
        match self {
            Mode::Plain => 44,
            Mode::Authenticated => COVERED + TAG,
        }
    }

    fn layout(self) -> &'static Layout {
        match self {
            Mode::Plain => &PLAIN,
            Mode::Authenticated => &AUTHENTICATED,
        }
    }
}

/// The session a datagram belongs to; `None` if it is too short or too long to be of this mode.
pub fn ssid_of(datagram: &[u8], mode: Mode) -> Option<u16> {
    check_length(datagram, mode.base_len()).ok()?;
    Some(u16::from_be_bytes(field(datagram, mode.layout().ssid)))
}

/// What a sender says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Number of the packet within its session, from 0.
    pub seq: u32,
    /// When it was sent.
    pub sent: Ntp,
    /// How wrong `sent` may be.
    pub error: ErrorEstimate,
    /// The session.
    pub ssid: u16,
}

/// What a reflector says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Number of the answer: the reflector's own count from 0, or the request's when it keeps none.
    pub seq: u32,
    /// When the answer was sent.
    pub sent: Ntp,
    /// How wrong `sent` and `received` may be.
    pub error: ErrorEstimate,
    /// When the request arrived.
    pub received: Ntp,
    /// The request answered; its session is the answer's.
    pub request: Request,
    /// Time-to-live the request arrived with; 255 when not known.
    pub ttl: u8,
}

impl Request {
    /// The base packet, its HMAC still zero.
    pub fn write(&self, mode: Mode) -> Vec<u8> {
        let layout = mode.layout();
        let mut packet = vec![0; mode.base_len()];
        put(&mut packet, 0, self.seq.to_be_bytes());
        put(&mut packet, layout.timestamp, self.sent.0.to_be_bytes());
        put(&mut packet, layout.error, self.error.0.to_be_bytes());
        put(&mut packet, layout.ssid, self.ssid.to_be_bytes());
        packet
    }

    /// Reads a request. Whether it is authentic is not asked here.
    pub fn read(packet: &[u8], mode: Mode) -> Result<Request, Dropped> {
        check_length(packet, mode.base_len())?;
        let layout = mode.layout();
        Ok(Request {
            seq: u32::from_be_bytes(field(packet, 0)),
            sent: Ntp(u64::from_be_bytes(field(packet, layout.timestamp))),
            error: ErrorEstimate(u16::from_be_bytes(field(packet, layout.error))),
            ssid: u16::from_be_bytes(field(packet, layout.ssid)),
        })
    }
}

impl Answer {
    /// The base packet, its HMAC still zero.
    pub fn write(&self, mode: Mode) -> Vec<u8> {
        let layout = mode.layout();
        let own = Request { seq: self.seq, sent: self.sent, error: self.error, ssid: self.request.ssid };
        let mut packet = own.write(mode);
        put(&mut packet, layout.received, self.received.0.to_be_bytes());
        put(&mut packet, layout.sender_seq, self.request.seq.to_be_bytes());
        put(&mut packet, layout.sender_timestamp, self.request.sent.0.to_be_bytes());
        put(&mut packet, layout.sender_error, self.request.error.0.to_be_bytes());
        packet[layout.ttl] = self.ttl;
        packet
    }

    /// Reads an answer. Whether it is authentic is not asked here.
    pub fn read(packet: &[u8], mode: Mode) -> Result<Answer, Dropped> {
        let own = Request::read(packet, mode)?;
        let layout = mode.layout();
        Ok(Answer {
            seq: own.seq,
            sent: own.sent,
            error: own.error,
            received: Ntp(u64::from_be_bytes(field(packet, layout.received))),
            request: Request {
                seq: u32::from_be_bytes(field(packet, layout.sender_seq)),
                sent: Ntp(u64::from_be_bytes(field(packet, layout.sender_timestamp))),
                error: ErrorEstimate(u16::from_be_bytes(field(packet, layout.sender_error))),
                ssid: own.ssid,
            },
            ttl: packet[layout.ttl],
        })
    }
}

/// Writes the base's HMAC into an authenticated packet.
pub(super) fn sign(packet: &mut [u8], key: &Key) {
    let tag = key.tag(&[&packet[..COVERED]]);
    put(packet, COVERED, tag);
}

/// Whether an authenticated packet's base has the HMAC it should.
pub(super) fn verify(packet: &[u8], key: &Key) -> Result<(), Dropped> {
    check_length(packet, Mode::Authenticated.base_len())?;
    let (covered, rest) = packet.split_at(COVERED);
    if key.matches(&[covered], &rest[..TAG]) { Ok(()) } else { Err(Dropped::BadHmac) }
}

fn check_length(packet: &[u8], least: usize) -> Result<(), Dropped> {
    match packet.len() {
        length if length < least => Err(Dropped::Garbage),
        length if length > MAX_PACKET => Err(Dropped::Oversized),
        _ => Ok(()),
    }
}

/// `N` octets at `from`; the caller has checked the length.
pub(super) fn field<const N: usize>(octets: &[u8], from: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&octets[from..from + N]);
    field
}

/// Writes `octets` at `from`; the caller has made room.
pub(super) fn put<const N: usize>(packet: &mut [u8], from: usize, octets: [u8; N]) {
    packet[from..from + N].copy_from_slice(&octets);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        let request = Request {
            seq: 0x0102_0304,
            sent: Ntp(0x1112_1314_1516_1718),
            error: ErrorEstimate(0x2122),
            ssid: 0x3132,
        };
        Answer {
            seq: 0x4142_4344,
            sent: Ntp(0x5152_5354_5556_5758),
            error: ErrorEstimate(0x6162),
            received: Ntp(0x7172_7374_7576_7778),
            request,
            ttl: 0x81,
        }
    }

    /// The packet's octets as text: zero octets as dots, so that the layout can be compared by eye with the RFC.
    fn map(packet: &[u8]) -> String {
        let octets =
            packet.iter().map(|octet| if *octet == 0 { "..".into() } else { format!("{octet:02x}") });
        octets.collect::<Vec<String>>().chunks(4).map(<[String]>::concat).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn plain_packets_are_laid_out_as_in_rfc_8762_figures_2_and_4() {
        assert_eq!(
            map(&answer().request.write(Mode::Plain)),
            "01020304 11121314 15161718 21223132 ........ ........ ........ ........ ........ ........ ........"
        );
        assert_eq!(
            map(&answer().write(Mode::Plain)),
            "41424344 51525354 55565758 61623132 71727374 75767778 01020304 11121314 15161718 2122.... 81......"
        );
    }

    #[test]
    fn authenticated_packets_are_laid_out_as_in_rfc_8762_figures_3_and_5() {
        let blank = "........ ........ ........";
        let mac = "........ ........ ........ ........";
        assert_eq!(
            map(&answer().request.write(Mode::Authenticated)),
            format!(
                "01020304 {blank} 11121314 15161718 21223132 {blank} {blank} {blank} {blank} {blank} ........ ........ {mac}"
            )
        );
        assert_eq!(
            map(&answer().write(Mode::Authenticated)),
            format!(
                "41424344 {blank} 51525354 55565758 61623132 ........ 71727374 75767778 ........ ........ \
                 01020304 {blank} 11121314 15161718 2122.... ........ 81...... {blank} {mac}"
            )
        );
    }

    #[test]
    fn packets_read_back_as_written() {
        for mode in [Mode::Plain, Mode::Authenticated] {
            let packet = answer().write(mode);
            assert_eq!(Answer::read(&packet, mode), Ok(answer()));
            assert_eq!(ssid_of(&packet, mode), Some(0x3132));
            let packet = answer().request.write(mode);
            assert_eq!(Request::read(&packet, mode), Ok(answer().request));
            assert_eq!(Request::read(&packet[1..], mode), Err(Dropped::Garbage));
            assert_eq!(ssid_of(&packet[1..], mode), None);
            assert_eq!(Request::read(&[0; MAX_PACKET + 1], mode), Err(Dropped::Oversized));
        }
    }
}

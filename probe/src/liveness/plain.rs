//! The unauthenticated form: one sender, and a reflector that remembers nothing.

use super::{
    Answer, Dropped, Mode, Now, Reply, Request,
    outstanding::Outstanding,
    tlv::{self, EXTRA_PADDING},
};

/// The sending side of one unauthenticated session, against any reflector of RFC 8762.
#[derive(Clone, Debug)]
pub struct PlainSender {
    ssid: u16,
    outstanding: Outstanding,
}

impl PlainSender {
    /// A sender of session `ssid`; 0 for reflectors that know no session ids.
    pub fn new(ssid: u16) -> PlainSender {
        PlainSender { ssid, outstanding: Outstanding::default() }
    }

    /// The next request: its number and its 44 octets, to be sent at `now`.
    pub fn next(&mut self, now: &Now) -> (u32, Vec<u8>) {
        let seq = self.outstanding.ask(now);
        let request = Request { seq, sent: now.ntp(), error: now.error(), ssid: self.ssid };
        (seq, request.write(Mode::Plain))
    }

    /// Takes a datagram that arrived at `now`. A reflector older than RFC 8972 leaves the session id zero.
    pub fn receive(&mut self, datagram: &[u8], now: &Now) -> Result<Reply, Dropped> {
        let answer = Answer::read(datagram, Mode::Plain)?;
        if answer.request.ssid != self.ssid && answer.request.ssid != 0 {
            return Err(Dropped::UnknownSession);
        }
        self.outstanding.answer(&answer, now)
    }
}

/// The answer to an unauthenticated request, as long as the request: a stateless reflector, which gives the
/// request's own number back (RFC 8762 §4.3). Requests below 44 octets (TWAMP Light) are dropped, as their answer
/// would be longer.
pub fn reflect_plain(datagram: &[u8], ttl: u8, arrived: &Now, now: &Now) -> Result<Vec<u8>, Dropped> {
    let request = Request::read(datagram, Mode::Plain)?;
    let answer = Answer {
        seq: request.seq,
        sent: now.ntp(),
        error: now.error(),
        received: arrived.ntp(),
        request,
        ttl,
    };
    let mut reply = answer.write(Mode::Plain);
    let base = reply.len();
    reply.extend(&datagram[base..]);
    tlv::reflect(&mut reply[base..], |kind| kind == EXTRA_PADDING);
    Ok(reply)
}

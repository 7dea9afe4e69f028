//! The sending side of an authenticated session.

use super::{
    Answer, Dropped, Key, Mode, Now, Reply, Request,
    life::{self, Life, Role},
    outstanding::Outstanding,
    tlv,
};

/// The sending side of one authenticated session.
#[derive(Clone, Debug)]
pub struct Sender {
    ssid: u16,
    key: Key,
    start: u64,
    cookie: u64,
    /// The latest request whose answer brought a cookie.
    cookie_seq: Option<u32>,
    outstanding: Outstanding,
    /// Measuring packets have numbers of their own: one that is too long for the way is no loss of life's.
    measures: Outstanding,
}

impl Sender {
    /// A sender that has just started; `start` is drawn at random by the caller, anew each time.
    pub fn new(ssid: u16, key: Key, start: u64) -> Sender {
        let (outstanding, measures) = (Outstanding::default(), Outstanding::default());
        Sender { ssid, key, start, cookie: 0, cookie_seq: None, outstanding, measures }
    }

    /// The session.
    pub fn ssid(&self) -> u16 {
        self.ssid
    }

    /// Asks under another key from now on; answers under the one before no longer count.
    pub fn rotate(&mut self, key: Key) {
        self.key = key;
    }

    /// Number of the next request: how many were sent since the start.
    pub fn next_seq(&self) -> u32 {
        self.outstanding.next_seq()
    }

    /// The next request: its number and its octets, to be sent at `now`.
    pub fn next(&mut self, now: &Now) -> (u32, Vec<u8>) {
        let seq = self.outstanding.ask(now);
        let request = Request { seq, sent: now.ntp(), error: now.error(), ssid: self.ssid };
        let life = Life { role: Role::Request, start: self.start, cookie: self.cookie };
        (seq, life::seal_request(request.write(Mode::Authenticated), seq, life, &self.key))
    }

    /// The next measuring packet, `size` octets long by Extra Padding where it is not longer anyway, to be sent at `now`:
    /// its number and its octets. It is answered while the start is admitted, and counts as nothing.
    pub fn measure(&mut self, now: &Now, size: usize) -> (u32, Vec<u8>) {
        let seq = self.measures.ask(now);
        let request = Request { seq, sent: now.ntp(), error: now.error(), ssid: self.ssid };
        let life = Life { role: Role::Measure, start: self.start, cookie: 0 };
        let mut packet = life::seal_request(request.write(Mode::Authenticated), seq, life, &self.key);
        // Extra Padding stands after the HMAC TLV, and outside it (RFC 8972 §4.8).
        tlv::pad(&mut packet, size);
        (seq, packet)
    }

    /// Takes a datagram that arrived at `now`.
    pub fn receive(&mut self, datagram: &[u8], now: &Now) -> Result<Reply, Dropped> {
        let answer = Answer::read(datagram, Mode::Authenticated)?;
        if answer.request.ssid != self.ssid {
            return Err(Dropped::UnknownSession);
        }
        let life = life::open(datagram, &self.key)?.life;
        if matches!(life.role, Role::Request | Role::Measure) {
            return Err(Dropped::WrongRole);
        }
        if life.start != self.start {
            return Err(Dropped::Unasked);
        }
        if life.role == Role::Measured {
            let reply = self.measures.answer(&answer, now)?;
            return Ok(Reply { peer_count: Some(answer.seq.wrapping_add(1)), measured: true, ..reply });
        }
        let reply = self.outstanding.answer(&answer, now)?;
        if self.cookie_seq.is_none_or(|latest| reply.seq > latest) {
            self.cookie = life.cookie;
            self.cookie_seq = Some(reply.seq);
        }
        let counted = life.role == Role::Heard;
        Ok(Reply { peer_count: counted.then(|| answer.seq.wrapping_add(1)), ..reply })
    }
}

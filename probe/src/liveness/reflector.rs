//! The reflecting side of authenticated sessions.

use super::{
    Answer, Dropped, Key, Mode, Now, Request, Window,
    life::{self, Life, Opened, Role},
    packet::field,
    ssid_of,
};
use std::collections::BTreeMap;

/// How long a cookie is the current one.
const COOKIE_NS: u64 = 60_000_000_000;
/// Measuring packets of one session that are answered within a minute: a search for the path's MTU and a train, twice.
pub const MEASURES: u32 = 128;
/// Cookies that are fresh: the current one and those before it.
const FRESH_COOKIES: u64 = 3;

/// The reflecting side of any number of authenticated sessions, as many as are [allowed](Self::allow).
#[derive(Clone, Debug)]
pub struct Reflector {
    cookie_key: Key,
    sessions: BTreeMap<u16, Session>,
    /// Generations given out, over all sessions: none comes back when a session is forbidden and allowed again.
    generations: u64,
}

#[derive(Clone, Debug)]
struct Session {
    key: Key,
    /// The key before, while both count.
    previous: Option<Key>,
    /// Part of each cookie and new with each admitted start, so that a cookie admits one start only.
    generation: u64,
    admitted: Option<Admitted>,
}

#[derive(Clone, Copy, Debug)]
struct Admitted {
    start: u64,
    window: Window,
    count: u32,
    measured: Measured,
}

/// Measuring packets of a start: numbered and counted for themselves.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    window: Option<Window>,
    count: u32,
    /// Which minute it is, and how many came in it.
    minute: (u64, u32),
}

/// What an authentic request is answered with.
#[derive(Clone, Copy, Debug)]
enum Answered {
    Heard { admitted: Admitted, new_start: bool },
    Challenged,
    Measured { count: u32 },
}

/// What became of an authentic request. Either way the reply goes back to where the request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reflected {
    /// It counts as life.
    Heard {
        /// The answer to send.
        reply: Vec<u8>,
        /// What was heard.
        heard: Heard,
    },
    /// It may be a recording and proves nothing ([`Dropped::StaleCookie`]); the answer offers a cookie.
    Challenged {
        /// The answer to send.
        reply: Vec<u8>,
        /// The session.
        ssid: u16,
    },
    /// It measured the way, and counts as nothing.
    Measured {
        /// The answer to send.
        reply: Vec<u8>,
    },
}

impl Reflected {
    /// The answer to send.
    pub fn into_reply(self) -> Vec<u8> {
        match self {
            Reflected::Heard { reply, .. }
            | Reflected::Challenged { reply, .. }
            | Reflected::Measured { reply } => reply,
        }
    }
}

/// A sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The session.
    pub ssid: u16,
    /// Number of the request within its start.
    pub seq: u32,
    /// The sender's start id.
    pub start: u64,
    /// Whether this request admitted its start: the sender, or this reflector, has restarted. Two senders
    /// with one identity show as a new start every other second.
    pub new_start: bool,
    /// Requests counted in this start, this one included.
    pub count: u32,
    /// It was under the key before: its sender has yet to learn of the new one.
    pub previous: bool,
}

impl Reflector {
    /// A reflector without sessions. `cookie_secret` is drawn at random by the caller, anew at each start.
    pub fn new(cookie_secret: &[u8; 32]) -> Reflector {
        Reflector { cookie_key: Key::new(cookie_secret), sessions: BTreeMap::new(), generations: 0 }
    }

    /// Answers session `ssid` from now on, forgetting what it knew of it: call it for new sessions and new keys.
    pub fn allow(&mut self, ssid: u16, key: Key) {
        self.generations += 1;
        let (previous, admitted) = (None, None);
        self.sessions.insert(ssid, Session { key, previous, generation: self.generations, admitted });
    }

    /// Gives a session that is answered other keys: `previous` counts beside `key`. What is known of it stays.
    pub fn rotate(&mut self, ssid: u16, key: Key, previous: Option<Key>) {
        if let Some(session) = self.sessions.get_mut(&ssid) {
            (session.key, session.previous) = (key, previous);
        }
    }

    /// No longer answers session `ssid`.
    pub fn forbid(&mut self, ssid: u16) {
        self.sessions.remove(&ssid);
    }

    /// Takes a datagram that arrived at `arrived` with time-to-live `ttl` and is answered at `now`.
    pub fn receive(
        &mut self,
        datagram: &[u8],
        ttl: u8,
        arrived: &Now,
        now: &Now,
    ) -> Result<Reflected, Dropped> {
        let request = Request::read(datagram, Mode::Authenticated)?;
        let session = self.sessions.get_mut(&request.ssid).ok_or(Dropped::UnknownSession)?;
        let (opened, key, previous) = session.open(datagram)?;
        let minute = now.mono_ns / COOKIE_NS;
        let cookie_key = &self.cookie_key;
        let cookie_of = |generation, minute| cookie(cookie_key, request.ssid, generation, minute);
        let answered = match opened.life.role {
            Role::Measure => session.measure(request.seq, opened.life.start, minute)?,
            Role::Request => {
                session.count(request.seq, opened.life, &mut self.generations, |generation, ago| {
                    Some(cookie_of(generation, minute.checked_sub(ago)?))
                })?
            }
            _ => return Err(Dropped::WrongRole),
        };
        let (role, count) = match answered {
            Answered::Heard { admitted, .. } => (Role::Heard, admitted.count),
            Answered::Challenged => (Role::Challenge, 1),
            Answered::Measured { count } => (Role::Measured, count),
        };
        let answer = Answer {
            seq: count.wrapping_sub(1),
            sent: now.ntp(),
            error: now.error(),
            received: arrived.ntp(),
            request,
            ttl,
        };
        let life = Life { role, start: opened.life.start, cookie: cookie_of(session.generation, minute) };
        let reply = life::seal_answer(answer.write(Mode::Authenticated), answer.seq, life, &opened, &key);
        Ok(match answered {
            Answered::Challenged => Reflected::Challenged { reply, ssid: request.ssid },
            Answered::Measured { .. } => Reflected::Measured { reply },
            Answered::Heard { admitted: Admitted { start, count, .. }, new_start } => Reflected::Heard {
                reply,
                heard: Heard { ssid: request.ssid, seq: request.seq, start, new_start, count, previous },
            },
        })
    }

    /// Whether a datagram is for one of these sessions; the other role's owner takes the rest.
    pub fn serves(&self, datagram: &[u8]) -> bool {
        ssid_of(datagram, Mode::Authenticated).is_some_and(|ssid| self.sessions.contains_key(&ssid))
    }
}

impl Session {
    /// The request, the key it is under, and whether that is the one before.
    fn open<'a>(&self, datagram: &'a [u8]) -> Result<(Opened<'a>, Key, bool), Dropped> {
        match (life::open(datagram, &self.key), &self.previous) {
            (Err(Dropped::BadHmac), Some(previous)) => {
                Ok((life::open(datagram, previous)?, previous.clone(), true))
            }
            (opened, _) => Ok((opened?, self.key.clone(), false)),
        }
    }

    /// Counts measuring packet `seq` of `start`. Only an admitted start measures: a recording is not answered.
    fn measure(&mut self, seq: u32, start: u64, minute: u64) -> Result<Answered, Dropped> {
        let admitted = self.admitted.as_mut().filter(|admitted| admitted.start == start);
        let measured = &mut admitted.ok_or(Dropped::Unmeasured)?.measured;
        if measured.minute.0 != minute {
            measured.minute = (minute, 0);
        }
        if measured.minute.1 >= MEASURES {
            return Err(Dropped::Unmeasured);
        }
        match &mut measured.window {
            Some(window) => window.count(seq)?,
            None => measured.window = Some(Window::open(seq)),
        }
        measured.minute.1 += 1;
        measured.count = measured.count.wrapping_add(1);
        Ok(Answered::Measured { count: measured.count })
    }

    /// Counts request `seq`, or asks for a challenge.
    fn count(
        &mut self,
        seq: u32,
        life: Life,
        generations: &mut u64,
        cookie: impl Fn(u64, u64) -> Option<u64>,
    ) -> Result<Answered, Dropped> {
        if let Some(admitted) = self.admitted.as_mut().filter(|admitted| admitted.start == life.start) {
            admitted.window.count(seq)?;
            admitted.count = admitted.count.wrapping_add(1);
            return Ok(Answered::Heard { admitted: *admitted, new_start: false });
        }
        let fresh = (0..FRESH_COOKIES).any(|ago| cookie(self.generation, ago) == Some(life.cookie));
        if !fresh {
            return Ok(Answered::Challenged);
        }
        *generations += 1;
        self.generation = *generations;
        let (window, measured) = (Window::open(seq), Measured::default());
        let admitted = Admitted { start: life.start, window, count: 1, measured };
        self.admitted = Some(admitted);
        Ok(Answered::Heard { admitted, new_start: true })
    }
}

fn cookie(key: &Key, ssid: u16, generation: u64, minute: u64) -> u64 {
    let tag = key.tag(&[&ssid.to_be_bytes(), &generation.to_be_bytes(), &minute.to_be_bytes()]);
    u64::from_be_bytes(field(&tag, 0))
}

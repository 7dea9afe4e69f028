//! Devices that answer SNMP of versions 1 and 2c octet by octet (RFC 3416, BER): as a switch should, and fast enough for
//! a bench, or as none should.
//!
//! ```text
//! message   30 version community pdu
//! pdu       a0 GET, a1 GETNEXT, a5 GETBULK, a2 response: id, status | non-repeaters, index | repetitions, bindings
//! ```

use std::collections::BTreeMap;
use std::ops::Bound;

/// Tags of values (RFC 2578 §7).
pub mod tag {
    /// INTEGER.
    pub const INTEGER: u8 = 0x02;
    /// OCTET STRING.
    pub const OCTETS: u8 = 0x04;
    /// OBJECT IDENTIFIER.
    pub const OID: u8 = 0x06;
    /// Counter32.
    pub const COUNTER32: u8 = 0x41;
    /// Gauge32.
    pub const GAUGE: u8 = 0x42;
    /// TimeTicks.
    pub const TICKS: u8 = 0x43;
    /// Counter64.
    pub const COUNTER64: u8 = 0x46;
    /// noSuchInstance, in the place of a value.
    pub const ABSENT: u8 = 0x81;
    /// endOfMibView, in the place of a value.
    pub const END: u8 = 0x82;
}

/// Kinds of requests.
pub mod kind {
    /// GET.
    pub const GET: u8 = 0xa0;
    /// GETNEXT.
    pub const NEXT: u8 = 0xa1;
    /// GETBULK.
    pub const BULK: u8 = 0xa5;
}

/// `sysObjectID`.
pub const SYS_OBJECT_ID: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 2, 0];
/// `sysUpTime`.
pub const SYS_UP_TIME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 3, 0];
/// `ifEntry`.
pub const IF_TABLE: [u32; 9] = [1, 3, 6, 1, 2, 1, 2, 2, 1];
/// `ifXEntry`.
pub const IF_X_TABLE: [u32; 10] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1];

/// Status of a response that would not fit a message.
pub const TOO_BIG: u8 = 1;
/// Octets of a message that fits a datagram of Ethernet.
pub const ROOM: usize = 1472;
/// Octets of a message besides its bindings, at most.
const AROUND: usize = 64;

/// Tag, length, content.
pub fn ber(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..128 => out.push(short as u8),
        long => out.extend([0x82, (long >> 8) as u8, long as u8]),
    }
    out.extend_from_slice(content);
    out
}

/// An OID, whole.
pub fn oid(arcs: &[u32]) -> Vec<u8> {
    let mut out = vec![(arcs[0] * 40 + arcs[1]) as u8];
    for &arc in &arcs[2..] {
        let groups = (1..5).rev().filter(|n| arc >> (7 * n) != 0).map(|n| (arc >> (7 * n)) as u8 | 0x80);
        out.extend(groups.chain([arc as u8 & 0x7f]));
    }
    ber(tag::OID, &out)
}

/// Content of a number that is not negative.
pub fn number(value: u64) -> Vec<u8> {
    let octets = value.to_be_bytes();
    let from = octets.iter().position(|octet| *octet != 0).unwrap_or(7);
    let sign = octets[from] >= 0x80;
    std::iter::repeat_n(0, usize::from(sign)).chain(octets[from..].iter().copied()).collect()
}

/// An OID and its value.
pub fn binding(name: &[u32], tag: u8, content: &[u8]) -> Vec<u8> {
    ber(0x30, &[oid(name), ber(tag, content)].concat())
}

/// A request, as far as it is read.
#[derive(Clone, Debug)]
pub struct Request {
    head: Vec<u8>,
    id: Vec<u8>,
    /// One of [`kind`].
    pub kind: u8,
    /// Of a GETBULK: how often each object after the first [`Request::once`] is asked for.
    pub repetitions: u32,
    /// Of a GETBULK: how many objects are asked for once.
    pub once: usize,
    /// What is asked for.
    pub names: Vec<Vec<u32>>,
}

impl Request {
    /// None when it is no request of these versions.
    pub fn read(datagram: &[u8]) -> Option<Request> {
        let (_, message, _) = open(datagram)?;
        let (_, _, rest) = open(message)?;
        let (_, _, rest) = open(rest)?;
        let head = message[..message.len() - rest.len()].to_vec();
        let (kind, pdu, _) = open(rest)?;
        let (_, id, rest) = open(pdu)?;
        let (_, once, rest) = open(rest)?;
        let (_, repetitions, rest) = open(rest)?;
        let (_, mut bindings, _) = open(rest)?;
        let mut names = Vec::new();
        while !bindings.is_empty() {
            let (_, bound, rest) = open(bindings)?;
            names.push(arcs(open(bound)?.1)?);
            bindings = rest;
        }
        let count = |octets: &[u8]| octets.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet));
        let (once, repetitions) = (count(once) as usize, count(repetitions));
        Some(Request { head, id: id.to_vec(), kind, repetitions, once, names })
    }

    /// Whether something in the subtree `root` is asked for.
    pub fn asks(&self, root: &[u32]) -> bool {
        self.names.iter().any(|name| name.starts_with(root))
    }

    /// The answer with these bindings, one behind the other.
    pub fn answer(&self, bindings: &[u8]) -> Vec<u8> {
        self.reply(0, 0, bindings)
    }

    /// The answer that says there is none, and at which place of the request.
    pub fn refuse(&self, status: u8, place: u8) -> Vec<u8> {
        let names = self.names.iter().flat_map(|name| binding(name, 5, &[]));
        self.reply(status, place, &names.collect::<Vec<_>>())
    }

    /// The same request with another id.
    #[must_use]
    pub fn of_another(mut self) -> Request {
        self.id.iter_mut().for_each(|octet| *octet ^= 1);
        self
    }

    fn reply(&self, status: u8, place: u8, bindings: &[u8]) -> Vec<u8> {
        let pdu = [ber(2, &self.id), ber(2, &[status]), ber(2, &[place]), ber(0x30, bindings)].concat();
        ber(0x30, &[self.head.as_slice(), &ber(0xa2, &pdu)].concat())
    }
}

/// What stands first in `octets`: tag and content, and what is behind it.
fn open(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => ((usize::from(*rest.first()?) << 8) | usize::from(*rest.get(1)?), rest.get(2..)?),
        short => (usize::from(short), rest),
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

fn arcs(content: &[u8]) -> Option<Vec<u32>> {
    let (&first, rest) = content.split_first()?;
    let mut arcs = vec![u32::from(first) / 40, u32::from(first) % 40];
    let mut arc = 0;
    for octet in rest {
        arc = arc << 7 | u32::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            arcs.push(std::mem::take(&mut arc));
        }
    }
    Some(arcs)
}

/// What a device holds: the bindings by name, ready to send.
#[derive(Clone, Debug, Default)]
pub struct Table(BTreeMap<Vec<u32>, Vec<u8>>);

impl Table {
    /// A device of a maker nobody knows, up for so many hundredths of a second.
    pub fn new(up_ticks: u32) -> Table {
        let mut table = Table::default();
        let object = oid(&[1, 3, 6, 1, 4, 1, 99]);
        table.set(&SYS_OBJECT_ID, tag::OID, &object[2..]);
        table.set(&SYS_UP_TIME, tag::TICKS, &number(up_ticks.into()));
        table
    }

    /// The object `name` is this.
    pub fn set(&mut self, name: &[u32], tag: u8, content: &[u8]) {
        self.0.insert(name.to_vec(), binding(name, tag, content));
    }

    /// Interface `index` is called `name`, and has carried so much.
    pub fn interface(&mut self, index: u32, name: &str, octets: u64) {
        let mut set = |table: &[u32], column, tag, content: &[u8]| {
            self.set(&[table, &[column, index]].concat(), tag, content);
        };
        set(&IF_X_TABLE, 1, tag::OCTETS, name.as_bytes());
        set(&IF_X_TABLE, 6, tag::COUNTER64, &number(octets));
        set(&IF_X_TABLE, 10, tag::COUNTER64, &number(octets / 3));
        set(&IF_X_TABLE, 15, tag::GAUGE, &number(1_000));
        set(&IF_X_TABLE, 19, tag::TICKS, &number(0));
        for status in [7, 8] {
            set(&IF_TABLE, status, tag::INTEGER, &[1]);
        }
        for count in [13, 14, 19, 20] {
            set(&IF_TABLE, count, tag::COUNTER32, &number(u64::from(index) * 7));
        }
    }

    /// The answer to `request`: of a GETBULK as many repetitions as fit [`ROOM`].
    pub fn answer(&self, request: &Request) -> Vec<u8> {
        let mut bound = Vec::with_capacity(ROOM);
        if request.kind != kind::BULK {
            for name in &request.names {
                if request.kind == kind::GET {
                    self.exactly(name, &mut bound);
                } else {
                    self.after(name, 1).for_each(|binding| bound.extend_from_slice(&binding));
                }
            }
            return request.answer(&bound);
        }
        let (once, more) = request.names.split_at(request.once.min(request.names.len()));
        for name in once {
            self.after(name, 1).for_each(|binding| bound.extend_from_slice(&binding));
        }
        let mut columns: Vec<_> =
            more.iter().map(|name| self.after(name, request.repetitions as usize)).collect();
        for _ in 0..request.repetitions {
            for column in &mut columns {
                let Some(binding) = column.next() else { continue };
                if bound.len() + binding.len() + AROUND > ROOM {
                    return request.answer(&bound);
                }
                bound.extend_from_slice(&binding);
            }
        }
        request.answer(&bound)
    }

    fn exactly(&self, name: &[u32], bound: &mut Vec<u8>) {
        match self.0.get(name) {
            Some(binding) => bound.extend_from_slice(binding),
            None => bound.extend(binding(name, tag::ABSENT, &[])),
        }
    }

    /// The `count` bindings that follow `name`, the last again and again as the end.
    fn after<'a>(
        &'a self,
        name: &'a [u32],
        count: usize,
    ) -> impl Iterator<Item = std::borrow::Cow<'a, [u8]>> {
        let mut rows = self.0.range::<[u32], _>((Bound::Excluded(name), Bound::Unbounded));
        let mut last = name;
        (0..count).map(move |_| match rows.next() {
            Some((name, binding)) => {
                last = name;
                binding.as_slice().into()
            }
            None => binding(last, tag::END, &[]).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(names: &[&[u32]], repetitions: u8) -> Request {
        let bindings: Vec<u8> = names.iter().flat_map(|name| binding(name, 5, &[])).collect();
        let pdu = [ber(2, &[1, 2]), ber(2, &[0]), ber(2, &[repetitions]), ber(0x30, &bindings)].concat();
        let message = ber(0x30, &[ber(2, &[1]), ber(4, b"public"), ber(kind::BULK, &pdu)].concat());
        Request::read(&message).unwrap()
    }

    #[test]
    fn a_bulk_request_is_answered_row_by_row_and_beyond_the_end_so() {
        let mut table = Table::default();
        table.set(&[1, 3, 7, 300], tag::INTEGER, &[5]);
        table.set(&[1, 3, 9, 1], tag::INTEGER, &[6]);
        let request = bulk(&[&[1, 3, 7], &[1, 3, 9]], 2);
        assert_eq!((request.repetitions, request.names[1].as_slice()), (2, [1, 3, 9].as_slice()));
        let rows = [
            binding(&[1, 3, 7, 300], tag::INTEGER, &[5]),
            binding(&[1, 3, 9, 1], tag::INTEGER, &[6]),
            binding(&[1, 3, 9, 1], tag::INTEGER, &[6]),
            binding(&[1, 3, 9, 1], tag::END, &[]),
        ];
        assert_eq!(table.answer(&request), request.answer(&rows.concat()));
    }

    #[test]
    fn numbers_keep_their_sign_off_the_first_octet() {
        assert_eq!((number(0), number(127), number(128)), (vec![0], vec![127], vec![0, 128]));
        assert_eq!(number(u64::MAX).len(), 9);
    }
}

//! A DNS query to one server, past every cache but its own (RFC 1035).
//!
//! ```text
//! SERVER[:PORT]                     does it answer at all: the name servers of the root are asked for
//! SERVER[:PORT]/NAME[?type=TYPE]    does it know NAME: records of TYPE (A where not said) are expected
//! ```
//!
//! Asked over UDP, and over TCP where the answer is truncated. Datagrams that are no answer to the question (another
//! id, another question, no DNS) are passed over, at most [`MAX_STRAY`]; if nothing else comes it is a failure of
//! the protocol. Any response code but those expected ("no error" where nothing is said) is [`Failure::Status`] and told
//! as a sample, so that a server that fails and a name that is gone are told apart. An answer without a record of the
//! type, or without one of the values expected, is [`Failure::Body`]; aliases that lead in a circle, or on and on, are
//! [`Failure::Loop`].

mod answers;

use super::{Answer, Budget, Tools};
use crate::dial;
use crate::place::Finder;
use haidang_probe::ask::dns::{Question, Record};
use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Failure, Sample};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UdpSocket;

/// Most datagrams passed over that are no answer to the question.
pub const MAX_STRAY: u32 = 32;
/// Longest answer over UDP: a query without EDNS allows 512 octets, and some servers send more.
const DATAGRAM: usize = 4096;
/// Every run has its own socket, and so its own port.
pub struct Probe {
    finder: Finder,
}

impl Probe {
    /// A probe that finds addresses with the tools' finder.
    pub fn new(tools: &Tools) -> Probe {
        Probe { finder: tools.finder.clone() }
    }

    /// The duration is that of the query, over UDP and TCP together; finding the server is not part of it.
    pub async fn ask(&self, question: &Question, budget: Budget) -> Answer {
        let mut samples = Vec::new();
        let result = self.query(question, &budget, &mut samples).await;
        Answer { result, samples }
    }

    async fn query(
        &self,
        question: &Question,
        budget: &Budget,
        samples: &mut Vec<Sample>,
    ) -> Result<Duration, Failure> {
        let server = self.finder.socket_address(&question.server);
        let server = budget.spend(Failure::Resolve, server).await?;
        let found = budget.spent();
        let mut id = [0; 2];
        getrandom::fill(&mut id).map_err(|_| Failure::Local)?;
        let talk = Talk { id: u16::from_be_bytes(id), query: &query(question)? };
        let mut answer = talk.udp(server, budget).await?;
        if answer.metadata.truncation {
            answer = budget.spend(Failure::Timeout, talk.tcp(server)).await?;
        }
        let took = budget.spent().saturating_sub(found);
        let record = question.wanted.as_ref().map_or(Record::Ns, |(_, record)| *record);
        let found = answers::of(&answer, talk.query, record);
        samples.extend(told(&answer));
        let count = found.as_ref().map_or(0, Vec::len);
        samples.push(Sample { metric: Metric::DnsAnswers, part: String::new(), value: count as f64 });
        judge(question, answer.metadata.response_code, &found?).map(|()| took)
    }
}

/// What an answer says of itself.
fn told(answer: &Message) -> Vec<Sample> {
    let head = &answer.metadata;
    let sample = |metric, part: &str, value| Sample { metric, part: part.to_owned(), value };
    let flags = [
        ("aa", head.authoritative),
        ("tc", head.truncation),
        ("rd", head.recursion_desired),
        ("ra", head.recursion_available),
        ("ad", head.authentic_data),
        ("cd", head.checking_disabled),
    ];
    let mut samples = vec![
        sample(Metric::DnsRcode, "", f64::from(u16::from(head.response_code))),
        sample(Metric::DnsAuthority, "", answer.authorities.len() as f64),
        sample(Metric::DnsAdditional, "", answer.additionals.len() as f64),
    ];
    samples.extend(flags.map(|(flag, set)| sample(Metric::DnsFlag, flag, f64::from(u8::from(set)))));
    samples
}

/// What an answer with these values is worth.
fn judge(question: &Question, code: ResponseCode, found: &[String]) -> Result<(), Failure> {
    let good = match (&question.rcode[..], &question.wanted) {
        ([], Some(_)) => code == ResponseCode::NoError,
        // Whoever holds no root still answers for itself.
        ([], None) => matches!(code, ResponseCode::NoError | ResponseCode::NXDomain),
        (expected, _) => expected.iter().any(|expected| u16::from(*expected) == u16::from(code)),
    };
    if !good {
        return Err(Failure::Status);
    }
    let expected = |value: &String| question.answer.is_empty() || question.answer.contains(value);
    let answers = question.wanted.is_some() && code == ResponseCode::NoError;
    if answers && !found.iter().any(expected) { Err(Failure::Body) } else { Ok(()) }
}

/// The name servers of the root, where nothing in particular is asked for.
fn query(question: &Question) -> Result<Query, Failure> {
    let Some((name, record)) = &question.wanted else {
        return Ok(Query::query(Name::root(), RecordType::NS));
    };
    let mut name = Name::from_ascii(name).map_err(|_| Failure::Local)?;
    name.set_fqdn(true);
    Ok(Query::query(name, record_type(*record)))
}

fn record_type(record: Record) -> RecordType {
    match record {
        Record::A => RecordType::A,
        Record::Aaaa => RecordType::AAAA,
        Record::Cname => RecordType::CNAME,
        Record::Mx => RecordType::MX,
        Record::Ns => RecordType::NS,
        Record::Ptr => RecordType::PTR,
        Record::Soa => RecordType::SOA,
        Record::Srv => RecordType::SRV,
        Record::Txt => RecordType::TXT,
    }
}

/// One query and how its answer is known.
struct Talk<'a> {
    id: u16,
    query: &'a Query,
}

impl Talk<'_> {
    fn packet(&self) -> Result<Vec<u8>, Failure> {
        let mut message = Message::new(self.id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(self.query.clone());
        message.to_vec().map_err(|_| Failure::Local)
    }

    async fn udp(&self, server: SocketAddr, budget: &Budget) -> Result<Message, Failure> {
        let any: IpAddr =
            if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let failed = |error: std::io::Error| dial::failure(&error);
        let socket = UdpSocket::bind((any, 0)).await.map_err(failed)?;
        // Connected: the kernel passes over what comes from elsewhere, and tells of a closed port.
        socket.connect(server).await.map_err(failed)?;
        socket.send(&self.packet()?).await.map_err(failed)?;
        let mut stray = 0;
        let mut buffer = vec![0; DATAGRAM];
        while stray < MAX_STRAY {
            let late = if stray == 0 { Failure::Timeout } else { Failure::Protocol };
            let received = async { socket.recv(&mut buffer).await.map_err(failed) };
            let length = budget.spend(late, received).await?;
            if let Some(answer) = self.answer(&buffer[..length]) {
                return Ok(answer);
            }
            stray += 1;
        }
        Err(Failure::Protocol)
    }

    async fn tcp(&self, server: SocketAddr) -> Result<Message, Failure> {
        let failed = |error: std::io::Error| dial::failure(&error);
        let mut stream = dial::tcp(server, None).await.map_err(failed)?;
        let packet = self.packet()?;
        let length = u16::try_from(packet.len()).map_err(|_| Failure::Local)?;
        let framed = [&length.to_be_bytes()[..], &packet].concat();
        stream.write_all(&framed).await.map_err(failed)?;
        let length = stream.read_u16().await.map_err(failed)?;
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.map_err(failed)?;
        self.answer(&answer).ok_or(Failure::Protocol)
    }

    /// The answer to this query, if the octets are that.
    fn answer(&self, octets: &[u8]) -> Option<Message> {
        let message = Message::from_vec(octets).ok()?;
        let head = &message.metadata;
        let kind = head.id == self.id && head.message_type == MessageType::Response;
        // A server that cannot or will not read the question need not repeat it.
        let refused = message.queries.is_empty() && head.response_code != ResponseCode::NoError;
        let same = |query: &Query| {
            query.query_type == self.query.query_type
                && query.query_class == self.query.query_class
                && query.name.eq_ignore_root(&self.query.name)
        };
        let asked = message.queries.len() == 1 && message.queries.iter().all(same);
        (kind && (asked || refused)).then_some(message)
    }
}

#[cfg(test)]
mod tests;

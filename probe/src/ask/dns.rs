//! A DNS query to one server (RFC 1035).
//!
//! ```text
//! SERVER[:PORT]                     does it answer at all
//! SERVER[:PORT]/NAME[?type=TYPE]    does it know NAME: records of TYPE (A where not said) are expected
//!
//! with: {rcode: nxdomain}           the response code that is good; several between commas, `noerror` where not said
//!       {answer: 192.0.2.80}        a record's value, at least one of several between commas must be answered
//! ```

use super::place::{Endpoint, Place, is_name};
use super::{Words, Wrong, short};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The settings it takes.
pub const SETTINGS: &[&str] = &["rcode", "answer"];

/// Port of DNS.
const PORT: u16 = 53;

/// Most values of `answer`.
const MAX_ANSWERS: usize = 16;

/// Response codes by name (RFC 1035 §4.1.1, RFC 2136 §2.2).
const CODES: &[(&str, u8)] = &[
    ("noerror", 0),
    ("formerr", 1),
    ("servfail", 2),
    ("nxdomain", 3),
    ("notimp", 4),
    ("refused", 5),
    ("yxdomain", 6),
    ("yxrrset", 7),
    ("nxrrset", 8),
    ("notauth", 9),
    ("notzone", 10),
];

/// The greatest code that a header holds.
const MAX_CODE: u8 = 15;

macro_rules! records {
    ($($variant:ident $name:literal;)*) => {
        /// A type of record that may be asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Record { $($variant,)* }

        const RECORDS: &[(&str, Record)] = &[$(($name, Record::$variant),)*];
    };
}

records! {
    A "A";
    Aaaa "AAAA";
    Cname "CNAME";
    Mx "MX";
    Ns "NS";
    Ptr "PTR";
    Soa "SOA";
    Srv "SRV";
    Txt "TXT";
}

/// Whom to ask for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who is asked.
    pub server: Endpoint,
    /// For which name and type; for nothing in particular when absent.
    pub wanted: Option<(String, Record)>,
    /// Response codes that are good; where none is said, those that show a server at work.
    pub rcode: Vec<u8>,
    /// Values of which one must be answered, as they are compared: addresses in their shortest form, names in lower
    /// case without the last dot. Any where none is said.
    pub answer: Vec<String>,
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        let (server, asked) = match words.target.split_once('/') {
            Some((server, asked)) => (server, Some(asked)),
            None => (words.target, None),
        };
        let (server, wanted) = (endpoint(server)?, asked.map(wanted).transpose()?);
        let mut rcode = words.list("rcode");
        if words.text("rcode").is_some() && rcode.is_empty() {
            rcode.push("");
        }
        let rcode = rcode.into_iter().map(code).collect::<Result<Vec<u8>, Wrong>>()?;
        let answer = answer(words, wanted.as_ref().map(|(_, record)| *record))?;
        if !answer.is_empty() && !rcode.is_empty() && !rcode.contains(&0) {
            return Err(Wrong::setting("answer", "only `noerror` comes with an answer; leave out `answer` or `rcode`"));
        }
        Ok(Question { server, wanted, rcode, answer })
    }
}

fn code(word: &str) -> Result<u8, Wrong> {
    let named = CODES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, code)| *code);
    let code = named.or_else(|| word.parse().ok().filter(|code| *code <= MAX_CODE));
    code.ok_or_else(|| {
        let names: Vec<&str> = CODES.iter().map(|(name, _)| *name).collect();
        let (word, names) = (short(word), names.join(", "));
        Wrong::setting("rcode", format!("unknown response code `{word}`; there are {names} and numbers to {MAX_CODE}"))
    })
}

/// The values of `answer`, as [`canonical`] writes them.
fn answer(words: &Words<'_>, record: Option<Record>) -> Result<Vec<String>, Wrong> {
    let wrong = |message: String| Err(Wrong::setting("answer", message));
    let values = words.list("answer");
    let Some(record) = record else {
        if words.text("answer").is_none() {
            return Ok(Vec::new());
        }
        return wrong("it is of a name; write one behind the server, as in 10.82.0.53/portal.example".into());
    };
    if words.text("answer").is_some() && !(1..=MAX_ANSWERS).contains(&values.len()) {
        return wrong(format!("1 to {MAX_ANSWERS} values are looked for"));
    }
    let read = values.into_iter().map(|value| canonical(record, value).ok_or(value));
    match read.collect::<Result<Vec<String>, &str>>() {
        Ok(values) => Ok(values),
        Err(value) => wrong(format!("`{}` is not what a record of this type says", short(value))),
    }
}

/// A record's value as it is compared; none when no record of the type says so.
pub fn canonical(record: Record, value: &str) -> Option<String> {
    match record {
        Record::A => Some(value.parse::<Ipv4Addr>().ok()?.to_string()),
        Record::Aaaa => Some(value.parse::<Ipv6Addr>().ok()?.to_string()),
        Record::Txt => Some(value.to_owned()),
        _ => Some(value.trim_end_matches('.').to_ascii_lowercase()).filter(|value| !value.is_empty()),
    }
}

fn endpoint(text: &str) -> Result<Endpoint, Wrong> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if text.parse::<IpAddr>().is_ok() || bare.parse::<Ipv6Addr>().is_ok() || !text.contains(':') {
        return Ok(Endpoint { place: bare.parse::<Place>()?, port: PORT });
    }
    Ok(text.parse()?)
}

fn wanted(asked: &str) -> Result<(String, Record), Wrong> {
    let (name, kind) = asked.split_once("?type=").unwrap_or((asked, "A"));
    let record = RECORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(kind)).map(|(_, record)| *record);
    let record = record.ok_or_else(|| {
        let words: Vec<&str> = RECORDS.iter().map(|(word, _)| *word).collect();
        Wrong::target(format!("unknown type of record `{}`; there are {}", short(kind), words.join(", ")))
    })?;
    // Names of services begin their labels with `_` (RFC 2782).
    let plain: Vec<&str> = name.split('.').map(|label| label.strip_prefix('_').unwrap_or(label)).collect();
    if is_name(plain.join(".").trim_end_matches('.')) {
        return Ok((name.into(), record));
    }
    Err(Wrong::target(format!("`{}` is not a name; write one, as in 10.82.0.53/portal.example", short(name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(target: &str, with: &[(&str, &str)]) -> Result<Question, Wrong> {
        let with = with.iter().copied().collect();
        Question::of(&Words { target, with: &with })
    }

    #[test]
    fn what_is_expected_is_written_as_servers_say_it() {
        let a = "192.0.2.53/a.example";
        assert_eq!(asked(a, &[("rcode", "NXDOMAIN, 5")]).unwrap().rcode, [3, 5]);
        assert_eq!(asked(a, &[("answer", "192.0.2.1,192.0.2.2")]).unwrap().answer, ["192.0.2.1", "192.0.2.2"]);
        let six = asked("192.0.2.53/a.example?type=AAAA", &[("answer", "2001:DB8:0::1")]).unwrap();
        assert_eq!(six.answer, ["2001:db8::1"]);
        let mail = asked("192.0.2.53/a.example?type=MX", &[("answer", "10 Mail.Example.")]).unwrap();
        assert_eq!(mail.answer, ["10 mail.example"]);
        for (target, key, value) in [
            (a, "rcode", "nodomain"),
            (a, "rcode", "16"),
            (a, "rcode", ","),
            (a, "answer", "portal"),
            (a, "answer", ""),
            ("192.0.2.53", "answer", "192.0.2.1"),
        ] {
            assert_eq!(asked(target, &[(key, value)]).unwrap_err().setting.as_deref(), Some(key), "{value}");
        }
        assert!(asked(a, &[("rcode", "nxdomain"), ("answer", "192.0.2.1")]).is_err());
    }

    #[test]
    fn targets_read_as_people_write_them() {
        for (target, place, port) in [
            ("192.0.2.53", "192.0.2.53", 53),
            ("192.0.2.53:5353/a.example", "192.0.2.53", 5353),
            ("2001:db8::53/a.example", "2001:db8::53", 53),
            ("[2001:db8::53]/a.example", "2001:db8::53", 53),
            ("[2001:db8::53]:54", "2001:db8::53", 54),
            ("dns.example/a.example?type=mx", "dns.example", 53),
            ("@resolver/_ldap._tcp.a.example?type=SRV", "@resolver", 53),
        ] {
            let question: Question = target.parse().unwrap();
            assert_eq!(
                (question.server.place.to_string().as_str(), question.server.port),
                (place, port),
                "{target}"
            );
        }
        for wrong in [
            "",
            "/a.example",
            "192.0.2.53/",
            "192.0.2.53/a..b",
            "192.0.2.53/a?type=ANY",
            "192.0.2.53:0/a",
            "@dns/a",
        ] {
            assert!(wrong.parse::<Question>().is_err(), "{wrong}");
        }
    }
}

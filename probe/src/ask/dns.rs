//! A DNS query to one server (RFC 1035).
//!
//! ```text
//! SERVER[:PORT]                     does it answer at all
//! SERVER[:PORT]/NAME[?type=TYPE]    does it know NAME: records of TYPE (A where not said) are expected
//! ```

use super::place::{Endpoint, Place, is_name};
use super::{Words, Wrong, short};
use std::net::{IpAddr, Ipv6Addr};

/// It takes none.
pub const SETTINGS: &[&str] = &[];

/// Port of DNS.
const PORT: u16 = 53;

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
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        let (server, asked) = match words.target.split_once('/') {
            Some((server, asked)) => (server, Some(asked)),
            None => (words.target, None),
        };
        Ok(Question { server: endpoint(server)?, wanted: asked.map(wanted).transpose()? })
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

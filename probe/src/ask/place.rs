//! Who is meant by a target's text: an address, a name, or the agent's own gateway or resolver.
//!
//! ```text
//! 192.0.2.1   portal.example   @default-gateway   @resolver            a place
//! 192.0.2.1:53   [2001:db8::1]:53   portal.example:443   @resolver:53  an endpoint: a place and a port
//! ```

use super::short;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Port of DNS, meant by `@resolver` where a port is needed.
const DNS: u16 = 53;

/// Somebody who can be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// An address.
    Address(IpAddr),
    /// A name the system's resolver knows.
    Name(String),
    /// The machine's default gateway.
    DefaultGateway,
    /// The machine's first resolver.
    Resolver,
}

/// A place and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Who.
    pub place: Place,
    /// TCP or UDP port.
    pub port: u16,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok(Place::Address(address));
        }
        match text {
            "@default-gateway" => Ok(Place::DefaultGateway),
            "@resolver" => Ok(Place::Resolver),
            "" => {
                Err("target is missing; write an address, a name, `@default-gateway` or `@resolver`".into())
            }
            _ if text.starts_with('@') => {
                Err(format!("unknown place `{}`; there are `@default-gateway` and `@resolver`", short(text)))
            }
            _ if is_name(text) => Ok(Place::Name(text.into())),
            _ => {
                Err(format!("`{}` is neither an address nor a name; write one, as in 10.82.1.1", short(text)))
            }
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Endpoint, String> {
        if text == "@resolver" {
            return Ok(Endpoint { place: Place::Resolver, port: DNS });
        }
        if let Ok(address) = text.parse::<SocketAddr>()
            && address.port() != 0
        {
            return Ok(Endpoint { place: Place::Address(address.ip()), port: address.port() });
        }
        let wrong = || {
            let text = short(text);
            format!("`{text}` needs a port, as in 192.0.2.1:443, [2001:db8::1]:443, portal.example:443")
        };
        let (place, port) = text.rsplit_once(':').filter(|(_, port)| is_port(port)).ok_or_else(wrong)?;
        if place.contains(':') && !place.starts_with('[') {
            return Err(wrong());
        }
        Ok(Endpoint { place: place.parse()?, port: port.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Address(address) => address.fmt(f),
            Place::Name(name) => f.write_str(name),
            Place::DefaultGateway => f.write_str("@default-gateway"),
            Place::Resolver => f.write_str("@resolver"),
        }
    }
}

/// Whether a text is a port that can be asked.
pub fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port != 0)
}

/// A DNS name, or an IPv4 address in numbers (RFC 1123 §2.1). Four numbers that are no address are a mistyped
/// address, not a name.
pub fn is_name(text: &str) -> bool {
    if text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return text.parse::<IpAddr>().is_ok();
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_as_people_write_them() {
        let address = |text: &str| Place::Address(text.parse().unwrap());
        for (text, place, port) in [
            ("192.0.2.1:53", address("192.0.2.1"), 53),
            ("[2001:db8::1]:443", address("2001:db8::1"), 443),
            ("portal.example:8080", Place::Name("portal.example".into()), 8080),
            ("@resolver", Place::Resolver, 53),
            ("@resolver:5353", Place::Resolver, 5353),
            ("@default-gateway:80", Place::DefaultGateway, 80),
        ] {
            assert_eq!(text.parse(), Ok(Endpoint { place, port }), "{text}");
        }
        for wrong in ["192.0.2.1", "192.0.2.1:0", "a:0", "a:b", ":53", "@gateway:1", "2001:db8::1", "a b:1"] {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
    }
}

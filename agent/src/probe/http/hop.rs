//! Whom a run asks next: at first whom the check names, then where redirects lead.

use crate::dial;
use haidang_probe::ask::http::Question;
use haidang_probe::ask::place::Endpoint;
use haidang_probe::ask::url::Url;
use haidang_probe::outcome::Failure;
use hyper::{Response, header};
use rustls::pki_types::ServerName;
use std::net::IpAddr;

/// One place that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// What is got.
    pub url: Url,
    /// Who is connected to.
    pub endpoint: Endpoint,
    /// Nobody needs to know who signed its certificate.
    pub any_issuer: bool,
    /// Whom its certificate must be for, where it is not the URL's name.
    name: Option<String>,
}

impl Hop {
    /// What the check names.
    pub fn first(question: &Question) -> Hop {
        Hop {
            url: question.url.clone(),
            endpoint: question.url.endpoint.clone(),
            any_issuer: question.any_issuer,
            name: question.name.clone(),
        }
    }

    /// Where an answer of 301, 302, 303, 307 or 308 leads; nowhere where it does not say.
    pub fn next<T>(&self, question: &Question, response: &Response<T>) -> Result<Option<Hop>, Failure> {
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let Some(location) = response.headers().get(header::LOCATION) else { return Ok(None) };
        // Some say it in letters that should have been encoded.
        let location = std::str::from_utf8(location.as_bytes()).map_err(|_| Failure::Protocol)?;
        let url = self.url.redirect(location).map_err(|_| Failure::Protocol)?;
        Ok(Some(Hop::at(question, url)))
    }

    /// The check's `name` and `any_issuer` hold of the place it names, by its address or by that name, on any port; by its
    /// name it is still asked at the address.
    fn at(question: &Question, url: Url) -> Hop {
        let place = &question.url.endpoint.place;
        let named = |name: &String| url.endpoint.place.to_string().eq_ignore_ascii_case(name);
        if url.endpoint.place != *place && !question.name.as_ref().is_some_and(named) {
            return Hop { endpoint: url.endpoint.clone(), url, any_issuer: false, name: None };
        }
        let endpoint = Endpoint { place: place.clone(), port: url.endpoint.port };
        Hop { url, endpoint, any_issuer: question.any_issuer, name: question.name.clone() }
    }

    /// The name the certificate must be for.
    pub fn server_name(&self) -> Result<ServerName<'static>, Failure> {
        let name = match &self.name {
            Some(name) => ServerName::try_from(name.clone()).map_err(std::io::Error::other),
            None => dial::server_name(&self.url),
        };
        name.map_err(|_| Failure::Local)
    }

    /// What `Host` says: the name, with the port where the URL says one (RFC 9110 §7.2).
    pub fn host(&self) -> String {
        let (authority, port) = (&self.url.authority, self.url.endpoint.port);
        match &self.name {
            None => authority.clone(),
            Some(name) if authority.ends_with(&format!(":{port}")) => format!("{name}:{port}"),
            Some(name) => name.clone(),
        }
    }
}

/// What an address means to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The same to all.
    Everybodys,
    /// This machine, or what hangs on the same wire.
    Near,
    /// Of a provider's own (RFC 6598), by the first octet of RFC 1918's, or unique local (RFC 4193).
    Private(u8),
}

/// The network an address lies in. A page that was tampered with must not send all agents' requests into one that is not
/// everybody's.
pub fn network(ip: IpAddr) -> Network {
    match ip.to_canonical() {
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() => Network::Near,
        IpAddr::V4(ip) if ip.is_private() || ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64 => {
            Network::Private(ip.octets()[0])
        }
        IpAddr::V6(ip) if ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified() => {
            Network::Near
        }
        IpAddr::V6(ip) if ip.is_unique_local() => Network::Private(ip.octets()[0]),
        _ => Network::Everybodys,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::ask::place::Place;

    fn asked(name: Option<&str>) -> Question {
        let mut question: Question = "http://192.0.2.80/".parse().unwrap();
        (question.name, question.any_issuer) = (name.map(str::to_owned), true);
        question
    }

    fn to(question: &Question, location: &str) -> Hop {
        let answer = Response::builder().status(302).header("location", location).body(()).unwrap();
        Hop::first(question).next(question, &answer).unwrap().unwrap()
    }

    #[test]
    fn the_place_that_is_asked_is_judged_as_the_check_says_by_whatever_name() {
        let question = asked(Some("portal.example"));
        let hop = to(&question, "https://Portal.Example/home");
        let address = Place::Address("192.0.2.80".parse().unwrap());
        assert_eq!(hop.endpoint, Endpoint { place: address, port: 443 });
        assert!(hop.any_issuer && hop.server_name() == Ok("portal.example".try_into().unwrap()));
        assert_eq!((hop.host(), hop.url.path.as_str()), ("portal.example".into(), "/home"));
        assert_eq!(to(&question, "https://192.0.2.80:444/").host(), "portal.example:444");
    }

    #[test]
    fn another_place_is_judged_by_its_own_name() {
        let hop = to(&asked(Some("portal.example")), "https://other.example/");
        assert_eq!(hop.endpoint.place, Place::Name("other.example".into()));
        assert!(!hop.any_issuer && hop.server_name() == Ok("other.example".try_into().unwrap()));
    }

    #[test]
    fn only_a_redirect_that_says_where_leads_on() {
        let question = asked(None);
        for (status, location, leads) in [
            (302, Some("/a"), Ok(true)),
            (302, None, Ok(false)),
            (300, Some("/a"), Ok(false)),
            (301, Some("ftp://a"), Err(Failure::Protocol)),
        ] {
            let mut answer = Response::builder().status(status);
            if let Some(location) = location {
                answer = answer.header("location", location);
            }
            let next = Hop::first(&question).next(&question, &answer.body(()).unwrap());
            assert_eq!(next.map(|hop| hop.is_some()), leads, "{status} {location:?}");
        }
    }

    #[test]
    fn what_is_not_everybodys_is_told_apart() {
        let of = |ip: &str| network(ip.parse().unwrap());
        for near in ["127.0.0.1", "169.254.1.1", "0.0.0.0", "::1", "fe80::1", "::ffff:127.0.0.1"] {
            assert_eq!(of(near), Network::Near, "{near}");
        }
        assert_eq!((of("10.1.2.3"), of("10.255.0.80")), (Network::Private(10), Network::Private(10)));
        for other in ["192.168.1.1", "172.16.0.1", "100.64.0.1", "fd00::1"] {
            assert!(of(other) != Network::Everybodys && of(other) != of("10.1.2.3"), "{other}");
        }
        for open in ["203.0.113.80", "100.128.0.1", "2001:db8::1", "172.32.0.1"] {
            assert_eq!(of(open), Network::Everybodys, "{open}");
        }
    }
}

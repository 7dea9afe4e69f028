//! An `http://` or `https://` URL, taken apart.

use super::place::{Endpoint, Place};
use super::short;
use http::Uri;

/// What is got, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Who is connected to.
    pub endpoint: Endpoint,
    /// What the `Host` header says.
    pub authority: String,
    /// Path and query, at least `/`.
    pub path: String,
}

impl Url {
    /// Takes `text` apart; the error says what is wrong with it, and never repeats a password.
    pub fn parse(text: &str) -> Result<Url, String> {
        // It would be shown wherever the target is, and here too.
        if text.contains('@') {
            return Err(
                "a URL with a user, a password or an `@` place in it is shown to everyone; write it without"
                    .into(),
            );
        }
        let wrong = |why: &str| format!("`{}` {why}; write one, as in https://portal.example/", short(text));
        let uri: Uri = text.parse().map_err(|_| wrong("is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("is neither http:// nor https://")),
        };
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| wrong("names nobody"))?;
        let place: Place = authority.host().parse()?;
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let (authority, path) = (authority.as_str().into(), path.into());
        Ok(Url { tls, endpoint: Endpoint { place, port }, authority, path })
    }

    /// The path that `end` names below this URL.
    pub fn below(&self, end: &str) -> String {
        format!("{}/{end}", self.path.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = Url::parse("https://portal.example/a?b=c").unwrap();
        assert_eq!((url.tls, url.endpoint.port, url.path.as_str()), (true, 443, "/a?b=c"));
        let url = Url::parse("http://[::1]:8443").unwrap();
        assert_eq!(url.endpoint, "[::1]:8443".parse().unwrap());
        assert_eq!((url.authority.as_str(), url.path.as_str()), ("[::1]:8443", "/"));
        assert_eq!(url.below("agent/v1/batch"), "/agent/v1/batch");
    }

    #[test]
    fn what_is_no_url_is_said_so() {
        for wrong in ["", "portal.example", "ftp://a/", "http://", "http://:80/", "http://@resolver/"] {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        for secret in ["http://me:hunter2@portal.example/", "http://me:hunter 2@portal.example/"] {
            assert!(!Url::parse(secret).unwrap_err().contains("hunter"));
        }
    }
}

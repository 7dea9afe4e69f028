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
        Url::plain(text)
    }

    /// Takes a URL without a user apart.
    fn plain(text: &str) -> Result<Url, String> {
        let wrong = |why: &str| format!("`{}` {why}; write one, as in https://portal.example/", short(text));
        let uri: Uri = text.parse().map_err(|_| wrong("is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("is neither http:// nor https://")),
        };
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| wrong("names nobody"))?;
        if authority.as_str().contains('@') {
            return Err("a URL with a user or a password in it".into());
        }
        let place: Place = authority.host().parse()?;
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // A query may follow the authority at once (RFC 3986 §3.3); what is asked for begins with `/` all the same.
        let path = if path.starts_with('/') { path.into() } else { format!("/{path}") };
        let authority = authority.as_str().into();
        Ok(Url { tls, endpoint: Endpoint { place, port }, authority, path })
    }

    /// Where a redirect to `location` leads from here (RFC 3986 §5.2); what stands after `#` is the reader's own.
    pub fn redirect(&self, location: &str) -> Result<Url, String> {
        let location = location.split('#').next().unwrap_or_default();
        let scheme = if self.tls { "https" } else { "http" };
        let (path, _) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let site = format!("{scheme}://{}", self.authority);
        let colon = location.find(':').unwrap_or(usize::MAX);
        if colon < location.find(['/', '?']).unwrap_or(usize::MAX) {
            return Url::plain(location);
        }
        if location.starts_with("//") {
            return Url::plain(&format!("{scheme}:{location}"));
        }
        let (below, _) = path.rsplit_once('/').unwrap_or_default();
        let path = match location.chars().next() {
            None => self.path.clone(),
            Some('/') => location.into(),
            Some('?') => format!("{path}{location}"),
            Some(_) => format!("{below}/{location}"),
        };
        Url::plain(&format!("{site}{}", without_dots(&path)))
    }

    /// The path that `end` names below this URL.
    pub fn below(&self, end: &str) -> String {
        format!("{}/{end}", self.path.trim_end_matches('/'))
    }
}

/// A path without its steps `.` and `..` (RFC 3986 §5.2.4); a query is left as it is.
fn without_dots(path: &str) -> String {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/').skip(1) {
        match step {
            "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    let folder = if path.ends_with("/.") || path.ends_with("/..") { "/" } else { "" };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("/{}{folder}{query}", steps.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_a_browser_would_go() {
        let from = Url::parse("https://portal.example:8443/a/b?c=d").unwrap();
        for (location, authority, path) in [
            ("http://other.example", "other.example", "/"),
            ("http://other.example?q=r", "other.example", "/?q=r"),
            ("//other.example/x", "other.example", "/x"),
            ("/x/../y?z=../w", "portal.example:8443", "/y?z=../w"),
            ("x", "portal.example:8443", "/a/x"),
            ("../x/./y#part", "portal.example:8443", "/x/y"),
            ("?e=f", "portal.example:8443", "/a/b?e=f"),
            ("", "portal.example:8443", "/a/b?c=d"),
            ("/user/@me", "portal.example:8443", "/user/@me"),
            ("/at/12:30", "portal.example:8443", "/at/12:30"),
        ] {
            let to = from.redirect(location).unwrap();
            assert_eq!((to.authority.as_str(), to.path.as_str()), (authority, path), "{location}");
        }
        for wrong in ["javascript:alert(1)", "ftp://a/", "http://me:pw@a/", "http://", "https:///x"] {
            assert!(from.redirect(wrong).is_err(), "{wrong}");
        }
    }

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

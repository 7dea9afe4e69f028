//! Whom a probe may ask: each probe has its own form of target.
//!
//! ```text
//! icmp       ADDRESS              10.82.1.1, gw.example, @default-gateway, @resolver
//! tcp stamp  ADDRESS:PORT         10.82.1.1:8620, [fd00::1]:862, @resolver:53
//! dns        SERVER[/NAME]        10.82.0.53, 10.82.0.53:5353/portal.example?type=AAAA, @resolver/portal.example
//! http       URL[#JUDGED]         https://portal.example/healthz, https://192.168.1.80/#name=portal.example
//! interface  NAME or *            eth0
//! uptime     nothing
//! ```
//!
//! `@default-gateway` and `@resolver` are words the agent resolves on its own machine when it starts: one
//! configuration serves machines whose gateway differs. They mean nothing to the core agent's questions about
//! lines and ports, which always name whom they ask.

use super::tree::shorten;
use haidang_daemon::yaml;
use haidang_probe::check::ProbeKind;
use std::net::{IpAddr, Ipv6Addr};

/// Words an agent resolves on its machine.
pub(super) const WORDS: [&str; 2] = ["@default-gateway", "@resolver"];
/// Types of record that the dns probe asks for.
const RECORDS: [&str; 9] = ["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"];
/// Longest interface name Linux has (`IFNAMSIZ` less its NUL).
const MAX_INTERFACE: usize = 15;

/// Whether `target` is one that `probe` can ask; what to write instead when not.
pub(super) fn check(probe: ProbeKind, target: &str) -> Result<(), String> {
    match probe {
        ProbeKind::Uptime if target.is_empty() => Ok(()),
        ProbeKind::Uptime => Err("uptime asks this machine itself; leave `target` out".into()),
        _ if target.is_empty() => Err(format!("{} needs to know whom it asks; write `target`", probe.name())),
        ProbeKind::Icmp => asked(target),
        ProbeKind::Stamp if target.starts_with('@') => {
            Err(format!("{} is not asked by stamp; write the reflector's address and port", shorten(target)))
        }
        ProbeKind::Tcp | ProbeKind::Stamp => asked_at_port(probe, target),
        ProbeKind::Dns => dns(target),
        ProbeKind::Http => url(target),
        ProbeKind::Interface => interface(target),
    }
}

fn asked(target: &str) -> Result<(), String> {
    if target.starts_with('@') {
        return word(target);
    }
    if target.parse::<IpAddr>().is_ok() || is_name(target) {
        return Ok(());
    }
    if let Some((before, port)) = target.rsplit_once(':')
        && port.parse::<u16>().is_ok()
    {
        return Err(format!("icmp has no ports; write `{}`", shorten(before)));
    }
    Err(format!("`{}` is not an address or name; write one, as in 10.82.1.1", shorten(target)))
}

fn asked_at_port(probe: ProbeKind, target: &str) -> Result<(), String> {
    let wrong = || {
        format!(
            "`{}` is not an address and port; {} asks one, as in 10.82.1.1:{}",
            shorten(target),
            probe.name(),
            if probe == ProbeKind::Stamp { 862 } else { 53 }
        )
    };
    let (before, port) = target.rsplit_once(':').ok_or_else(wrong)?;
    if port.parse::<u16>().unwrap_or(0) == 0 {
        return Err(wrong());
    }
    if before.starts_with('@') {
        return word(before);
    }
    let bracketed = before.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let legal = match bracketed {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => is_name(before),
    };
    if legal { Ok(()) } else { Err(wrong()) }
}

fn word(target: &str) -> Result<(), String> {
    if WORDS.contains(&target) { Ok(()) } else { Err(yaml::unknown("word", target, WORDS)) }
}

/// A server, and what it is asked for.
fn dns(target: &str) -> Result<(), String> {
    let (server, asked) =
        target.split_once('/').map_or((target, None), |(server, asked)| (server, Some(asked)));
    let bare = server.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(server);
    if !server.contains(':') || bare.parse::<Ipv6Addr>().is_ok() {
        asked_of(bare, server)?;
    } else {
        asked_at_port(ProbeKind::Dns, server)?;
    }
    let Some(asked) = asked else { return Ok(()) };
    let (name, record) = asked.split_once("?type=").unwrap_or((asked, RECORDS[0]));
    if !RECORDS.iter().any(|known| known.eq_ignore_ascii_case(record)) {
        return Err(yaml::unknown("type", record, RECORDS));
    }
    // Names of services begin their labels with `_` (RFC 2782).
    let plain: Vec<&str> = name.split('.').map(|label| label.strip_prefix('_').unwrap_or(label)).collect();
    if is_name(plain.join(".").trim_end_matches('.')) {
        return Ok(());
    }
    Err(format!("`{}` is not a name; write one, as in 10.82.0.53/portal.example", shorten(name)))
}

fn asked_of(server: &str, written: &str) -> Result<(), String> {
    if server.starts_with('@') {
        return word(server);
    }
    if server.parse::<IpAddr>().is_ok() || is_name(server) {
        return Ok(());
    }
    Err(format!("`{}` is not a server; write its address, as in 10.82.0.53/portal.example", shorten(written)))
}

fn url(target: &str) -> Result<(), String> {
    // A password in a URL would be shown wherever the target is, and here too.
    if target.contains('@') {
        return Err("a URL with a user or password in it is shown to everyone; write it without".into());
    }
    let (address, judged) = target.split_once('#').unwrap_or((target, ""));
    for word in judged.split('&').filter(|word| !word.is_empty()) {
        let named = word.strip_prefix("name=").is_some_and(is_name);
        if !named && word != "any-issuer" {
            let told = "after `#` stand `name=NAME` and `any-issuer`";
            return Err(format!("`{}` says nothing about a certificate; {told}", shorten(word)));
        }
    }
    let known = address.parse::<hyper::Uri>().is_ok_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|name| !name.is_empty())
    });
    if known {
        return Ok(());
    }
    Err(format!("`{}` is not a URL; write http:// or https://, a name and a path", shorten(target)))
}

fn interface(target: &str) -> Result<(), String> {
    let legal = |c: char| !c.is_whitespace() && c != '/';
    if target.len() <= MAX_INTERFACE && target.chars().all(legal) {
        return Ok(());
    }
    Err(format!(
        "`{}` is not the name of an interface; write one, as in eth0, or `*` for all but loopback",
        shorten(target)
    ))
}

/// A DNS name or an IPv4 address in numbers (RFC 1123 §2.1). Four numbers that are no address are a mistyped
/// address, not a name.
fn is_name(text: &str) -> bool {
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
    fn each_probe_has_its_own_form_of_target() {
        for (probe, target) in [
            (ProbeKind::Icmp, "10.0.0.1"),
            (ProbeKind::Icmp, "fd00::1"),
            (ProbeKind::Icmp, "@default-gateway"),
            (ProbeKind::Tcp, "@resolver:53"),
            (ProbeKind::Tcp, "dns.dongthap.example:53"),
            (ProbeKind::Stamp, "[fd00::1]:862"),
            (ProbeKind::Http, "https://portal.example/healthz?x=1"),
            (ProbeKind::Http, "https://192.168.1.80/#name=portal.example&any-issuer"),
            (ProbeKind::Dns, "10.0.0.53"),
            (ProbeKind::Dns, "10.0.0.53:5353/portal.example"),
            (ProbeKind::Dns, "fd00::53/portal.example?type=aaaa"),
            (ProbeKind::Dns, "[fd00::53]:53/_ldap._tcp.example?type=SRV"),
            (ProbeKind::Dns, "@resolver/portal.example"),
            (ProbeKind::Interface, "*"),
            (ProbeKind::Uptime, ""),
        ] {
            assert_eq!(check(probe, target), Ok(()), "{} {target}", probe.name());
        }
    }

    #[test]
    fn another_probes_form_is_refused() {
        for (probe, target) in [
            (ProbeKind::Icmp, "10.0.0.1:53"),
            (ProbeKind::Icmp, "10.0.0.300"),
            (ProbeKind::Icmp, ""),
            (ProbeKind::Icmp, "@gateway"),
            (ProbeKind::Tcp, "10.0.0.1"),
            (ProbeKind::Tcp, "10.0.0.1:0"),
            (ProbeKind::Tcp, "10.0.0.1:65536"),
            (ProbeKind::Tcp, "fd00::1:53"),
            (ProbeKind::Stamp, "@resolver:862"),
            (ProbeKind::Http, "portal.example"),
            (ProbeKind::Http, "ftp://portal.example/"),
            (ProbeKind::Http, "http://:80/"),
            (ProbeKind::Http, "https://portal.example/#insecure"),
            (ProbeKind::Http, "https://portal.example/#name="),
            (ProbeKind::Dns, ""),
            (ProbeKind::Dns, "10.0.0.300/portal.example"),
            (ProbeKind::Dns, "10.0.0.53:0"),
            (ProbeKind::Dns, "10.0.0.53/"),
            (ProbeKind::Dns, "10.0.0.53/portal..example"),
            (ProbeKind::Dns, "10.0.0.53/portal.example?type=ANY"),
            (ProbeKind::Dns, "@dns/portal.example"),
            (ProbeKind::Interface, ""),
            (ProbeKind::Interface, "an-interface-too-long"),
            (ProbeKind::Uptime, "now"),
        ] {
            assert!(check(probe, target).is_err(), "{} {target}", probe.name());
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        for target in ["http://me:hunter2@portal.example/", "http://me:hunter 2@portal.example/"] {
            assert!(!check(ProbeKind::Http, target).unwrap_err().contains("hunter"));
        }
    }
}

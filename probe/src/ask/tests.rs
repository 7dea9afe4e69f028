use super::*;
use crate::check::Span;
use std::time::Duration;

fn check(probe: ProbeKind, target: &str, with: &[(&str, &str)]) -> Check {
    let second = Span(Duration::from_secs(1));
    let with = with.iter().copied().collect();
    Check { id: None, name: "a".into(), probe, target: target.into(), every: second, timeout: second, with }
}

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
        (ProbeKind::Dns, "10.0.0.53"),
        (ProbeKind::Dns, "10.0.0.53:5353/portal.example"),
        (ProbeKind::Dns, "fd00::53/portal.example?type=aaaa"),
        (ProbeKind::Dns, "[fd00::53]:53/_ldap._tcp.example?type=SRV"),
        (ProbeKind::Dns, "@resolver/portal.example"),
        (ProbeKind::Interface, "*"),
        (ProbeKind::Interface, ""),
        (ProbeKind::Uptime, ""),
        (ProbeKind::Path, "10.0.0.1"),
        (ProbeKind::Path, "@default-gateway"),
    ] {
        assert!(Question::of(&check(probe, target, &[])).is_ok(), "{} {target}", probe.name());
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
        (ProbeKind::Http, "https://portal.example/#insecure"),
        (ProbeKind::Dns, ""),
        (ProbeKind::Dns, "10.0.0.300/portal.example"),
        (ProbeKind::Dns, "10.0.0.53:0"),
        (ProbeKind::Dns, "10.0.0.53/"),
        (ProbeKind::Dns, "10.0.0.53/portal..example"),
        (ProbeKind::Dns, "10.0.0.53/portal.example?type=ANY"),
        (ProbeKind::Dns, "@dns/portal.example"),
        (ProbeKind::Interface, "an-interface-too-long"),
        (ProbeKind::Interface, "../x"),
        (ProbeKind::Uptime, "now"),
        (ProbeKind::Path, "10.0.0.1:80"),
    ] {
        let wrong = Question::of(&check(probe, target, &[])).unwrap_err();
        assert_eq!(wrong.setting, None, "{} {target}: {}", probe.name(), wrong.message);
    }
}

#[test]
fn settings_are_the_probes_own() {
    let with = [("name", "portal.example"), ("any_issuer", "true")];
    let Ok(Question::Http(asked)) = Question::of(&check(ProbeKind::Http, "https://192.168.1.80/", &with))
    else {
        panic!("good settings refused");
    };
    assert_eq!((asked.name.as_deref(), asked.any_issuer), (Some("portal.example"), true));
    for (key, value) in [("name", "a b"), ("any_issuer", "maybe"), ("issuer", "any")] {
        let wrong =
            Question::of(&check(ProbeKind::Http, "https://192.168.1.80/", &[(key, value)])).unwrap_err();
        assert_eq!(wrong.setting.as_deref(), Some(key), "{}", wrong.message);
    }
    assert!(Question::of(&check(ProbeKind::Uptime, "", &[("name", "a")])).is_err());
}

#[test]
fn a_burst_is_held_to_its_limits() {
    let with = [("packets", "10"), ("gap", "50ms"), ("size", "1472")];
    let Ok(Question::Icmp(asked)) = Question::of(&check(ProbeKind::Icmp, "10.0.0.1", &with)) else {
        panic!("good settings refused");
    };
    assert_eq!((asked.packets, asked.size), (10, 1472));
    assert_eq!(asked.length(), Duration::from_millis(450), "nine gaps between ten packets");
    let Ok(Question::Icmp(asked)) = Question::of(&check(ProbeKind::Icmp, "10.0.0.1", &[])) else {
        panic!("no settings refused");
    };
    assert_eq!((asked.packets, asked.length()), (1, Duration::ZERO));
    let wrong = [
        ("packets", "0"),
        ("packets", "101"),
        ("gap", "1ms"),
        ("gap", "2s"),
        ("gap", "20"),
        ("size", "15"),
        ("size", "8973"),
        ("size", "-1"),
        ("ttl", "1"),
    ];
    for (key, value) in wrong {
        let wrong = Question::of(&check(ProbeKind::Icmp, "10.0.0.1", &[(key, value)])).unwrap_err();
        assert_eq!(wrong.setting.as_deref(), Some(key), "{value}: {}", wrong.message);
    }
}

#[test]
fn a_path_is_looked_at_as_far_as_is_said() {
    let hops = |with: &[(&str, &str)]| match Question::of(&check(ProbeKind::Path, "10.0.0.1", with)) {
        Ok(Question::Path(asked)) => Some(asked.hops),
        _ => None,
    };
    assert_eq!((hops(&[]), hops(&[("hops", "32")])), (Some(16), Some(32)));
    for wrong in ["0", "33", "-1", "far"] {
        assert_eq!(hops(&[("hops", wrong)]), None, "{wrong}");
    }
}

#[test]
fn who_is_asked_over_a_network_is_known() {
    let asks =
        |probe, target| Question::of(&check(probe, target, &[])).unwrap().place().map(Place::to_string);
    for (probe, target, place) in [
        (ProbeKind::Icmp, "10.0.0.1", "10.0.0.1"),
        (ProbeKind::Tcp, "portal.example:443", "portal.example"),
        (ProbeKind::Http, "https://10.0.0.2/x", "10.0.0.2"),
        (ProbeKind::Dns, "@resolver/portal.example", "@resolver"),
        (ProbeKind::Stamp, "10.0.0.3:862", "10.0.0.3"),
    ] {
        assert_eq!(asks(probe, target).as_deref(), Some(place), "{}", probe.name());
    }
    assert_eq!(asks(ProbeKind::Uptime, ""), None);
}

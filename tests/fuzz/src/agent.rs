//! What an agent reads: its file, its orders, what it is to ask, and what DNS and web servers send.

use crate::text;
use haidang_agent::plan::{self, Loaded};
use haidang_agent::portal::Look;
use haidang_agent::probe::nut;
use haidang_daemon::pem as certificates;
use haidang_probe::ask::Question;
use haidang_probe::ask::http::Portal;
use haidang_probe::ask::url::Url;
use haidang_probe::check::Check;
use hickory_proto::op::Message;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::LazyLock;

const FILE: &str = include_str!("../corpus/agent-file/good.yml");

static OWN: LazyLock<Loaded> =
    LazyLock::new(|| plan::parse(Path::new("agent.yml"), FILE).expect("the seed is a good file"));

/// The agent's file.
pub fn file(octets: &[u8]) {
    if let Err(faults) = plan::parse(Path::new("agent.yml"), &text(octets)) {
        assert!(!faults.to_string().is_empty(), "refused without a word");
    }
}

/// Orders from the collector: whatever they are, they leave the agent who it was.
pub fn orders(octets: &[u8]) {
    let Ok(loaded) = OWN.with(octets) else { return };
    assert_eq!(loaded.plan.agent, OWN.plan.agent);
    assert!(!loaded.secrets.is_empty(), "orders left no key to be heard by");
    assert!(!loaded.plan.uplinks.is_empty(), "orders left no way to the collector");
}

/// A check's words: first the probe, then the target, then a setting a line, `key=value`.
pub fn ask(octets: &[u8]) {
    let words = text(octets);
    let mut lines = words.split('\n');
    let (probe, target) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let settings = lines.filter_map(|line| line.split_once('='));
    let with: Map<String, Value> = settings.map(|(key, value)| (key.into(), value.into())).collect();
    let check = json!({"name": "check", "probe": probe, "target": target, "with": with});
    let Ok(check) = serde_json::from_value::<Check>(check) else { return };
    match Question::of(&check) {
        Ok(question) => assert_eq!(Question::of(&check), Ok(question)),
        Err(wrong) => assert!(!wrong.message.is_empty(), "refused without a word"),
    }
}

/// A DNS message: what was read can be written.
pub fn dns(octets: &[u8]) {
    let Ok(message) = Message::from_vec(octets) else { return };
    let Ok(written) = message.to_vec() else { return };
    assert!(u16::try_from(written.len()).is_ok(), "longer than a message over TCP can be");
}

/// A portal's page: however it is cut, the same is seen.
pub fn portal(octets: &[u8]) {
    let look = |size: usize| {
        let mut look = Look::new(&Portal { ignore: vec!["slot".into()], suspect: 3 });
        octets.chunks(size).for_each(|chunk| look.take(chunk));
        look.samples()
    };
    let whole = look(octets.len().max(1));
    assert!(
        whole.iter().all(|sample| sample.value.is_finite() && sample.value >= 0.0),
        "a figure that is none"
    );
    assert_eq!(look(1), whole, "seen otherwise in pieces");
}

/// Where a redirect leads: to a place that can be asked, from which the same way leads to the same place.
pub fn redirect(octets: &[u8]) {
    let from = Url::parse("https://portal.example/a/b?c").expect("a good URL");
    let Ok(to) = from.redirect(&text(octets)) else { return };
    assert!(to.path.starts_with('/') && !to.authority.contains('@'), "{to:?}");
    assert!(to.path.bytes().all(|octet| octet > b' '), "{to:?} would end a line");
}

/// What an upsd answers of a UPS named `ups`.
pub fn nut(octets: &[u8]) {
    let Ok(samples) = nut::read("ups", octets) else { return };
    assert!(samples.iter().all(|sample| sample.value.is_finite()), "a value that is no number");
}

/// A file of certificates.
pub fn pem(octets: &[u8]) {
    let Ok(read) = certificates::certificates(&text(octets)) else { return };
    assert_eq!(
        certificates::certificates(&read).as_deref(),
        Ok(read.as_str()),
        "reads otherwise the second time"
    );
}

//! What would show a truth of the lab: for each fault, heal, boot and failover the records that tell of it. Pure.
//!
//! ```text
//! truth ─▶ Sign { name, shows } …        a record of the journal that `shows` takes is evidence
//! ```

use crate::naming::text;
use crate::targets::{Commune, Line, Targets};
use haidang_collector::seen::{Seen, What};
use serde_json::Value;

/// What an agent polls of its gateway's SNMP, by the record.
pub const GATEWAY_CHECK: &str = "gateway-snmp";
/// A certificate that ends within this is worth telling, seconds.
const CERTIFICATE_SOON: f64 = 20.0 * 86_400.0;
/// How far the start that a device tells may lie from the true one, seconds.
const START: f64 = 15.0;
/// Loss in one direction that is none, in ten packets.
const NO_LOSS: f64 = 0.15;
/// Share of packets lost that no way has by itself.
const MUCH_LOSS: f64 = 0.4;
/// What a short interval may show of a loss of some share.
const SHOWN: f64 = 0.4;

/// A kind of evidence.
pub struct Sign<'a> {
    /// In the table.
    pub name: &'static str,
    /// Whether a record is that.
    pub shows: Box<dyn Fn(&Seen) -> bool + 'a>,
}

fn sign<'a>(name: &'static str, shows: impl Fn(&Seen) -> bool + 'a) -> Sign<'a> {
    Sign { name, shows: Box::new(shows) }
}

/// The signs of an event of the truth; none of what is no event of the network.
pub fn signs<'a>(targets: &'a Targets, event: &Value) -> Option<Vec<Sign<'a>>> {
    let at = event["ts"].as_f64()?;
    match event["event"].as_str()? {
        "fault" => {
            let words: Vec<String> = event["args"].as_array().into_iter().flatten().map(text).collect();
            Some(fault(targets, &text(&event["kind"]), &words, at))
        }
        "heal" => {
            let key = text(&event["key"]);
            let mut words = key.split(' ').map(str::to_owned);
            let kind = words.next()?;
            Some(heal(targets, &kind, &words.next()?))
        }
        "boot" => Some(boot(targets, &text(&event["node"]), at)),
        "failover" => {
            let site = text(&event["commune"]);
            let commune = targets.communes.get(&site)?;
            Some(failover(site, commune, event["path"] == "backup"))
        }
        _ => None,
    }
}

fn fault<'a>(targets: &'a Targets, kind: &str, words: &[String], at: f64) -> Vec<Sign<'a>> {
    let Some(object) = words.first().cloned() else { return Vec::new() };
    let says = |word: &str| words.iter().any(|said| said == word);
    let line = line_of(targets, &object);
    match kind {
        "cut" if says("up") => {
            // Its ten seconds may begin before the cut, and soon nothing comes down either: who answers no ARP is sent nothing.
            vec![lost(line, |up, down| up > MUCH_LOSS && down < NO_LOSS, "lost upwards, heard downwards")]
        }
        "cut" if says("down") => vec![lost(line, |_, down| down > 0.9, "lost downwards")],
        "cut" | "flap" => silence(line),
        "brownout" => {
            let share = words.get(1).and_then(|share| share.parse::<f64>().ok()).unwrap_or_default() / 100.0;
            vec![unanswered(line, share * SHOWN)]
        }
        "portal" | "device" | "power" | "gw-off" | "power-cut" | "ups" => {
            of_equipment(targets, kind, object, words.get(1).map_or("", String::as_str), at)
        }
        "clock" => vec![unasked("clock-stepped", object)],
        "svc-kill" => vec![unasked("agent-started", object)],
        _ => Vec::new(),
    }
}

fn of_equipment<'a>(targets: &'a Targets, kind: &str, object: String, word: &str, at: f64) -> Vec<Sign<'a>> {
    match (kind, word) {
        ("portal", "cert-soon" | "cert-expired") => {
            let device = format!("{object}-web");
            vec![sign("certificate ends soon", move |seen| {
                let ends = sample(seen, "probe_ssl_earliest_cert_expiry", "");
                of(seen, &device) && ends.is_some_and(|ends| ends < at + CERTIFICATE_SOON)
            })]
        }
        ("portal", _) => vec![fails(format!("{object}-web"), "portal fails")],
        ("device", _) => vec![fails(object, "device fails")],
        ("ups", _) => vec![sign("UPS on battery", move |seen| {
            seen.site == object
                && sample(seen, "upsSecondsOnBattery_seconds", "").is_some_and(|told| told > 0.0)
        })],
        // The box outlives its gateway; where they fall together the boot says it.
        ("power", "gateway") => {
            let mut signs = vec![fails(format!("{object}-gw"), "gateway gone from the LAN")];
            signs.push(fails(GATEWAY_CHECK.into(), "gateway's SNMP silent").at(object.clone()));
            signs.extend(lines(targets, &object).flat_map(|line| silence(line.link.clone())));
            signs
        }
        _ => lines(targets, &object).flat_map(|line| silence(line.link.clone())).collect(),
    }
}

fn heal<'a>(targets: &'a Targets, kind: &str, object: &str) -> Vec<Sign<'a>> {
    let line = line_of(targets, object);
    match kind {
        "cut" | "flap" | "brownout" => vec![
            lost(line.clone(), |up, down| up < NO_LOSS && down < NO_LOSS, "both ways heard"),
            line_event("liveness-heard", line.clone()),
            sign("gateway answers the centre", move |seen| seen.site == "core" && ran(seen, &line, true)),
        ],
        "portal" => vec![works(format!("{object}-web"), "portal works")],
        "device" => vec![works(object.to_owned(), "device answers")],
        "power" | "gw-off" | "power-cut" => {
            let mut signs = vec![works(format!("{object}-gw"), "gateway on the LAN again")];
            signs.extend(lines(targets, object).map(|line| line_event("liveness-heard", line.link.clone())));
            signs
        }
        _ => Vec::new(),
    }
}

fn boot<'a>(targets: &'a Targets, node: &str, at: f64) -> Vec<Sign<'a>> {
    if let Some((site, _)) = targets.agents().find(|(_, agent)| *agent == node) {
        return vec![unasked("machine-booted", site.to_owned())];
    }
    let site = node.split('-').next().unwrap_or(node).to_owned();
    let device = node.to_owned();
    vec![
        sign("sysUpTime began anew", move |seen| {
            let started = sample(seen, "sysUpTime_seconds", "").map(|up| seen.at as f64 / 1000.0 - up);
            // The centre asks the gateway of a site without an agent; its check is called after the site.
            let asked = seen.site == site || of(seen, &site);
            asked && started.is_some_and(|started| (started - at).abs() < START)
        }),
        works(device, "answers again"),
    ]
}

/// The gateway moved to another line: its own route where the agent stands on it, else the lines' silence.
fn failover(site: String, commune: &Commune, to_backup: bool) -> Vec<Sign<'_>> {
    let [primary, backup] = &commune.lines[..] else { return Vec::new() };
    let now = if to_backup { backup } else { primary };
    let mut signs = vec![
        sign("default route", move |seen| {
            sample(seen, "default_route", &now.gw_if).is_some_and(|uses| uses > 0.5)
        })
        .at(site),
    ];
    if to_backup {
        signs.extend(silence(primary.link.clone()));
    } else {
        signs.push(line_event("liveness-heard", primary.link.clone()));
        signs.push(lost(primary.link.clone(), |up, down| up < NO_LOSS && down < NO_LOSS, "both ways heard"));
    }
    signs
}

impl Sign<'_> {
    /// The same of one site alone.
    fn at(self, site: String) -> Self {
        let Sign { name, shows } = self;
        Sign { name, shows: Box::new(move |seen| seen.site == site && shows(seen)) }
    }
}

/// Nothing more is heard on a line: by its agent, or by the centre that asks its gateway.
fn silence<'a>(line: String) -> Vec<Sign<'a>> {
    let asked = line.clone();
    vec![
        lost(line.clone(), |_, down| down > 0.9, "nothing heard"),
        line_event("liveness-silent", line),
        sign("gateway silent to the centre", move |seen| seen.site == "core" && ran(seen, &asked, false)),
    ]
}

/// A digest of a line whose losses, up and down, are like that. What nobody knows of is no loss.
fn lost<'a>(line: String, like: impl Fn(f64, f64) -> bool + 'a, name: &'static str) -> Sign<'a> {
    sign(name, move |seen| match &seen.what {
        What::Line { uplink, loss_up, loss_down: Some(down), .. } if is_of(uplink, &line) => {
            like(loss_up.unwrap_or_default(), *down)
        }
        _ => false,
    })
}

/// A digest of a line of which so large a share was not answered.
fn unanswered<'a>(line: String, share: f64) -> Sign<'a> {
    sign("packets lost", move |seen| match &seen.what {
        What::Line { uplink, packets: [sent, answered, ..], .. } if is_of(uplink, &line) => {
            *sent > 0 && 1.0 - f64::from(*answered) / f64::from(*sent) >= share
        }
        _ => false,
    })
}

fn line_event<'a>(wanted: &'static str, line: String) -> Sign<'a> {
    sign(
        wanted,
        move |seen| matches!(&seen.what, What::Event { kind, part, .. } if *kind == wanted && is_of(part, &line)),
    )
}

fn unasked<'a>(wanted: &'static str, site: String) -> Sign<'a> {
    sign(wanted, move |seen| {
        seen.site == site && matches!(&seen.what, What::Event { kind, .. } if *kind == wanted)
    })
}

fn fails<'a>(subject: String, name: &'static str) -> Sign<'a> {
    sign(name, move |seen| ran(seen, &subject, false))
}

fn works<'a>(subject: String, name: &'static str) -> Sign<'a> {
    sign(name, move |seen| ran(seen, &subject, true))
}

/// Whether a check of a subject ran and came out so.
fn ran(seen: &Seen, subject: &str, well: bool) -> bool {
    of(seen, subject) && matches!(&seen.what, What::Run { failed, .. } if failed.is_none() == well)
}

/// Whether it is a run of a check called after a subject.
fn of(seen: &Seen, subject: &str) -> bool {
    matches!(&seen.what, What::Run { check, .. } if check.split('/').any(|word| word == subject))
}

fn sample(seen: &Seen, metric: &str, part: &str) -> Option<f64> {
    let What::Run { samples, .. } = &seen.what else { return None };
    samples.iter().find(|(name, of, _)| *name == metric && of == part).map(|(.., value)| *value)
}

/// Whether an uplink, `line/session`, is one of a line.
fn is_of(uplink: &str, line: &str) -> bool {
    uplink.rsplit_once('/').is_some_and(|(of, _)| of == line)
}

/// A line by its link, or the primary or backup of a commune.
fn line_of(targets: &Targets, said: &str) -> String {
    let (commune, role) = said.split_once(':').unwrap_or((said, "primary"));
    let found = lines(targets, commune).find(|line| line.role == role);
    found.map_or_else(|| said.to_owned(), |line| line.link.clone())
}

fn lines<'a>(targets: &'a Targets, commune: &str) -> impl Iterator<Item = &'a Line> {
    targets.communes.get(commune).into_iter().flat_map(|commune| &commune.lines)
}

//! Old Tiền Giang, a site in each commune, before and after the reform of 2025-07-01: its record, and the evidence
//! that a real province of that record would give.

use haidang_collector::{
    config,
    entry::{DownHeard, DownSent, Entry, TICK_MS, Tick, UpHeard},
    history::kept::History,
    topology::Topology,
    watch::Watch,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The day the communes merged.
pub const DAY: &str = "2025-07-01";
const SECOND: i64 = 1_000;

const HEAD: &str = r#"
province: {code: "82", name: Tiền Giang}
carriers: [{id: vnpt, name: VNPT}]
hand_offs: [{id: vnpt-1, name: Cổng VNPT, carrier: vnpt}]
collector: {agents: {listen: "127.0.0.1:8443", plain: true}}
"#;

/// A commune of old Tiền Giang.
pub struct Row {
    pub code: String,
    pub name: String,
    kind: String,
    /// The commune that took it over, itself where it went on; none in eight rows.
    pub successor: Option<String>,
}

pub fn rows() -> Vec<Row> {
    let text = include_str!("legacy_tien_giang_172.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        Row {
            code: row[0].to_owned(),
            kind: row[1].to_lowercase(),
            name: row[2].to_owned(),
            successor: Some(row[6].to_owned()).filter(|code| !code.is_empty()),
        }
    });
    rows.collect()
}

/// Id of the commune's site before the reform.
pub fn old_site(row: &Row) -> String {
    format!("{}-tt", row.code)
}

/// Id of the same site after it; none where the commune ended without successor, and its site with it.
pub fn new_site(row: &Row) -> Option<String> {
    let successor = row.successor.as_ref()?;
    Some(if *successor == row.code { old_site(row) } else { format!("{successor}-co-so-{}", row.code) })
}

/// The record before the reform.
pub fn before(rows: &[Row]) -> Topology {
    let mut text = format!("{HEAD}communes:\n");
    for Row { code, kind, name, .. } in rows {
        let _ = writeln!(text, "  - {{code: \"{code}\", name: \"{name}\", kind: {kind}}}");
    }
    text.push_str("sites:\n  - {id: trung-tam, name: Trung tâm, kind: core, observe: gateway}\n");
    for row in rows {
        site(&mut text, &old_site(row), &row.code, row, "");
    }
    load(&text)
}

/// The record after it, as whoever enters the reform writes it.
pub fn after(rows: &[Row]) -> Topology {
    let mut text = format!("{HEAD}communes:\n");
    for Row { code, kind, name, successor } in rows {
        let ended = match successor {
            Some(successor) if successor == code => String::new(),
            Some(successor) => format!(", valid_to: {DAY}, successor: \"{successor}\""),
            None => format!(", valid_to: {DAY}"),
        };
        let _ = writeln!(text, "  - {{code: \"{code}\", name: \"{name}\", kind: {kind}{ended}}}");
    }
    text.push_str("sites:\n  - {id: trung-tam, name: Trung tâm, kind: core, observe: gateway}\n");
    for row in rows {
        let (Some(id), Some(commune)) = (new_site(row), &row.successor) else { continue };
        let (code, old) = (&row.code, old_site(row));
        let formerly = format!("\n    formerly: [{{until: {DAY}, id: {old}, commune: \"{code}\"}}]");
        site(&mut text, &id, commune, row, if id == old { "" } else { &formerly });
    }
    load(&text)
}

fn site(text: &mut String, id: &str, commune: &str, row: &Row, formerly: &str) {
    let (code, name) = (&row.code, &row.name);
    let number = code.parse::<u32>().unwrap() - 28_000;
    let (third, fourth) = (number / 250, number % 250 + 1);
    let _ = write!(
        text,
        "  - id: {id}\n    name: \"Trụ sở {name}\"\n    commune: \"{commune}\"\n    observe: gateway\n    \
         needs: {{any_of: [\"{code}-1\"]}}{formerly}\n    lines: [{{id: \"{code}-1\", carrier: vnpt, \
         hand_off: vnpt-1, circuit: TGG-VNPT-{code}, seen_from: [127.84.{third}.{fourth}]}}]\n"
    );
}

/// Reads it as the collector does; agents have sessions by the order of their lines.
fn load(text: &str) -> Topology {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("province.yml"), text).unwrap();
    let mut record = config::load(dir.path()).unwrap_or_else(|faults| panic!("{}", faults[0])).topology;
    let ssid = |code: &str| 2 * (code.parse::<u32>().unwrap() - 28_000) as u16;
    for (id, line) in &mut record.lines {
        line.ssid = Some(ssid(id.trim_end_matches("-1")));
    }
    record.sites.get_mut("trung-tam").unwrap().ssid = Some(2);
    record
}

/// The fold and the history of a province in virtual time.
pub struct Province {
    pub watch: Watch,
    pub now: i64,
    position: u64,
    /// Up sessions, by line.
    sessions: BTreeMap<String, u16>,
    cut: BTreeSet<u16>,
}

impl Province {
    /// Begins at `now` (UTC ms) with a record.
    pub fn begin(record: Topology, now: i64, history: &History) -> Province {
        let mut province = Province {
            watch: Watch::new(),
            now,
            position: 0,
            sessions: BTreeMap::new(),
            cut: BTreeSet::new(),
        };
        province.fold(&Entry::Start { at: now }, history);
        province.configure(record, history);
        let proofs: Vec<u16> = province.sessions.values().copied().collect();
        for ssid in proofs {
            province.fold(&Entry::Proof { at: now, ssid, proved: true, rides_on: None }, history);
        }
        province
    }

    /// Another record from now on.
    pub fn configure(&mut self, record: Topology, history: &History) {
        let lines = record.lines.iter().map(|(id, line)| (id.clone(), line.ssid.unwrap()));
        self.sessions = lines.chain([("any".to_owned(), 2)]).collect();
        self.fold(&Entry::Config { at: self.now, topology: Box::new(record) }, history);
    }

    /// The line of the commune's site is cut, or no longer.
    pub fn cut(&mut self, row: &Row, cut: bool) {
        let ssid = self.sessions[&format!("{}-1", row.code)];
        if cut {
            self.cut.insert(ssid)
        } else {
            self.cut.remove(&ssid)
        };
    }

    /// Runs until `to` (UTC ms): both sessions of each line say something once a second.
    pub fn run(&mut self, to: i64, history: &History) {
        while self.now < to {
            self.now += TICK_MS;
            let mut tick = Tick { at: self.now, ..Tick::default() };
            for &ssid in self.sessions.values() {
                let phase = i64::from(ssid) * TICK_MS % SECOND;
                let seq = (self.now / SECOND) as u8;
                let lives = !self.cut.contains(&ssid);
                if self.now % SECOND == phase && lives {
                    tick.up.push(UpHeard { ssid, seq, before_ms: 30 });
                }
                if (self.now + SECOND / 2) % SECOND == phase {
                    tick.sent.push(DownSent { ssid, seq, before_ms: 60 });
                    if lives {
                        tick.down.push(DownHeard { ssid, seq, before_ms: 30, rtt_tenths: 300, peer: seq });
                    }
                }
            }
            tick.up.sort_by_key(|heard| heard.ssid);
            tick.sent.sort_by_key(|sent| sent.ssid);
            tick.down.sort_by_key(|heard| heard.ssid);
            self.fold(&Entry::Tick(tick), history);
        }
    }

    /// Position of the last entry folded.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn fold(&mut self, entry: &Entry, history: &History) {
        self.position += 1;
        let effects = self.watch.apply(self.position, entry);
        history.see(self.position, entry, &effects, &self.watch);
    }
}

//! The reform of 2025-07-01 over old Tiền Giang: 172 communes become 57, most sites change id and commune at midnight,
//! and eight communes have no successor on record. What each was stays one continuous history under both codes.
#![allow(clippy::unwrap_used)]

mod province;

use haidang_collector::{
    history::availability::{Question, Share, Whose, total},
    history::kept::History,
    lineage::midnight,
    topology::Topology,
};
use province::{DAY, Province, Row, new_site, old_site, rows};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

const MINUTE: i64 = 60_000;
/// How long before and after midnight somebody looks.
const EACH_SIDE: i64 = 5 * MINUTE;
/// Until agents are heard first.
const FIRST: i64 = 10_000;
/// By how much an outage's two ends may be off, together.
const ENDS: i64 = 30_000;

/// Cut off, from and until, ms after midnight.
const OUTAGES: [(&str, i64, i64); 5] = [
    // Merged away: before the day, and again after it under its new name.
    ("28252", -4 * MINUTE, -3 * MINUTE),
    ("28252", 2 * MINUTE, 3 * MINUTE),
    // Merged into the same one, while its sister was well again.
    ("28282", -2 * MINUTE, -MINUTE),
    // Cut when the record changed, and renamed meanwhile.
    ("28264", -MINUTE, MINUTE),
    // Ended without successor.
    ("28255", -3 * MINUTE, -2 * MINUTE),
];

/// The reform lived through, and what was written of it, read again from disk.
struct Lived {
    rows: Vec<Row>,
    record: Topology,
    history: History,
    midnight: i64,
    findings: BTreeSet<(String, String)>,
    _dir: tempfile::TempDir,
}

/// Lived through once, for all rules.
static LIVED: LazyLock<Lived> = LazyLock::new(Lived::through);

impl Lived {
    fn through() -> Lived {
        let (rows, dir) = (rows(), tempfile::tempdir().unwrap());
        let history = History::open(dir.path()).unwrap();
        let midnight = midnight(DAY).unwrap();
        let mut province = Province::begin(province::before(&rows), midnight - EACH_SIDE, &history);
        let record = province::after(&rows);
        let mut moments: BTreeSet<i64> = OUTAGES.iter().flat_map(|(_, from, to)| [*from, *to]).collect();
        moments.extend([0, EACH_SIDE]);
        for moment in moments {
            province.run(midnight + moment, &history);
            if moment == 0 {
                province.configure(record.clone(), &history);
            }
            for row in &rows {
                let cut = |(code, from, to): &&(&str, i64, i64)| {
                    *code == row.code && (*from..*to).contains(&moment)
                };
                // A site without successor ended with its record: nobody asks it.
                if moment < 0 || new_site(row).is_some() {
                    province.cut(row, OUTAGES.iter().any(|outage| cut(&outage)));
                }
            }
        }
        let findings =
            province.watch.findings().into_iter().map(|found| (found.kind, found.subject)).collect();
        assert!(history.keep(province.position()).unwrap());
        drop(history);
        let history = History::open(dir.path()).unwrap();
        Lived { rows, record, history, midnight, findings, _dir: dir }
    }

    /// Share between two moments, ms after midnight.
    fn share(&self, whose: Whose, from: i64, to: i64) -> Share {
        let (from, to) = (self.midnight + from, self.midnight + to);
        let question = Question { whose, from, to, step: None };
        let share = total(&question, &self.history.availability(&self.record, &question).unwrap());
        let parts = share.up + share.degraded + share.down + share.unknown + share.off + share.maintenance;
        assert_eq!((parts, share.from, share.to), (to - from, from, to), "every moment counts once");
        share
    }

    fn commune(&self, code: &str, from: i64, to: i64) -> Share {
        self.share(Whose::Commune(code.into()), from, to)
    }

    fn site(&self, id: &str, from: i64, to: i64) -> Share {
        self.share(Whose::Site(id.into()), from, to)
    }
}

/// What it was, without when.
fn parts(share: Share) -> [i64; 6] {
    [share.up, share.degraded, share.down, share.unknown, share.off, share.maintenance]
}

fn sum(one: Share, other: Share) -> [i64; 6] {
    let (one, other) = (parts(one), parts(other));
    std::array::from_fn(|part| one[part] + other[part])
}

#[test]
fn availability_over_the_reform_is_continuous_under_both_codes() {
    let lived = &*LIVED;
    assert_eq!(lived.rows.len(), 172);
    let mut merged: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in &lived.rows {
        if let Some(successor) = &row.successor {
            merged.entry(successor).or_default().push(row);
        }
    }
    for (successor, rows) in &merged {
        let (new_before, new_after) =
            (lived.commune(successor, -EACH_SIDE, 0), lived.commune(successor, 0, EACH_SIDE));
        assert!(new_before.unknown <= FIRST && new_after.unknown == 0, "{successor} has no hole at midnight");
        for row in rows {
            let old_after = lived.commune(&row.code, 0, EACH_SIDE);
            assert_eq!(parts(old_after), parts(new_after), "{} is {successor} after the day", row.code);
            let whole = lived.commune(&row.code, -EACH_SIDE, EACH_SIDE);
            let halves = sum(lived.commune(&row.code, -EACH_SIDE, 0), old_after);
            assert_eq!(parts(whole), halves, "{} is one history", row.code);
        }
        // No two outages of one commune overlap: what it was is what its parts were.
        let downs: i64 = rows.iter().map(|row| lived.site(&old_site(row), -EACH_SIDE, 0).down).sum();
        assert_eq!(new_before.down, downs, "{successor} before the day is what became it");
    }
    near(lived.commune("28252", -EACH_SIDE, 0).down, MINUTE);
    near(lived.commune("28249", -EACH_SIDE, 0).down, 2 * MINUTE);
    near(lived.commune("28249", 0, EACH_SIDE).down, MINUTE);
    near(lived.commune("28264", -EACH_SIDE, EACH_SIDE).down, 2 * MINUTE);
}

#[test]
fn a_renamed_site_answers_by_both_ids_without_a_hole() {
    let lived = &*LIVED;
    for row in &lived.rows {
        let Some(new) = new_site(row) else { continue };
        let whole = lived.site(&new, -EACH_SIDE, EACH_SIDE);
        assert_eq!(whole, lived.site(&old_site(row), -EACH_SIDE, EACH_SIDE), "{new}");
        assert!(whole.unknown <= FIRST, "{new}: {whole:?}");
        let outages = OUTAGES.iter().filter(|(code, ..)| *code == row.code).map(|(_, from, to)| to - from);
        near(whole.down, outages.sum());
    }
}

#[test]
fn what_has_no_successor_ends_by_name_and_is_never_guessed() {
    let lived = &*LIVED;
    let ended: Vec<&Row> = lived.rows.iter().filter(|row| row.successor.is_none()).collect();
    assert_eq!(ended.len(), 8);
    let found: Vec<&str> = lived
        .findings
        .iter()
        .filter(|(kind, _)| kind == "no-successor")
        .map(|(_, subject)| subject.as_str())
        .collect();
    for row in &ended {
        let by_name = |subject: &&str| subject.starts_with(&row.code) && subject.ends_with(&row.name);
        assert!(found.iter().any(by_name), "{} {} in {found:?}", row.code, row.name);
        let (before, after) =
            (lived.commune(&row.code, -EACH_SIDE, 0), lived.commune(&row.code, 0, EACH_SIDE));
        assert!(before.unknown <= FIRST, "{}", row.code);
        assert_eq!(after.unknown, EACH_SIDE, "{} is nothing afterwards", row.code);
    }
    assert_eq!(found.len(), ended.len());
    near(lived.commune("28255", -EACH_SIDE, 0).down, MINUTE);
}

fn near(ms: i64, expected: i64) {
    assert!((ms - expected).abs() <= ENDS, "{ms} ms, {expected} expected");
    assert_eq!(ms == 0, expected == 0);
}

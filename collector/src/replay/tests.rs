use super::*;
use crate::entry::{Tick, UpHeard};
use crate::topology::{Needs, Observe, Site, SiteKind, Topology};
use haidang_journal::{Journal, OnFull, Settings};

const BEGAN: i64 = 1_795_000_000_000;

fn topology() -> Topology {
    let site = Site {
        name: "Trung tâm".into(),
        kind: SiteKind::Core,
        commune: None,
        observe: Observe::Gateway,
        rehearsal: false,
        needs: Needs::AnyOf(Vec::new()),
        contact: None,
        gate_s: 10,
        checks: Vec::new(),
        ssid: Some(2),
        ..Site::default()
    };
    Topology { sites: [("a".into(), site)].into(), ..Topology::default() }
}

/// What a collector would have seen: a minute of life, half a minute of silence.
fn entries() -> Vec<Entry> {
    let mut entries =
        vec![Entry::Start { at: BEGAN }, Entry::Config { at: BEGAN, topology: Box::new(topology()) }];
    for n in 1..=900_i64 {
        let heard = UpHeard { ssid: 2, seq: (n / 10) as u8, before_ms: 50 };
        let up = if n % 10 == 0 && n <= 600 { vec![heard] } else { Vec::new() };
        entries.push(Entry::Tick(Tick { at: BEGAN + n * 100, up, ..Tick::default() }));
    }
    entries
}

/// Lives through the entries into a journal, with a checkpoint each 300; the last one as `bend` makes it.
fn lived(dir: &Path, bend: impl Fn(&mut Checkpoint)) -> Watch {
    let settings =
        Settings { segment_bytes: 1 << 20, max_bytes: 4 << 20, on_full: OnFull::Refuse, max_record: 1 << 19 };
    let (mut journal, _) = Journal::open(Files::new(dir), settings).unwrap();
    let mut watch = Watch::new();
    let mut keep = |watch: &mut Watch, entry: &Entry| {
        let position = journal.append(&entry.encode()).unwrap().position.0;
        journal.sync().unwrap();
        watch.apply(position, entry);
    };
    for (number, entry) in entries().iter().enumerate() {
        keep(&mut watch, entry);
        if number % 300 == 299 {
            let mut checkpoint = watch.checkpoint();
            if let (Entry::Checkpoint(checkpoint), 899) = (&mut checkpoint, number) {
                bend(checkpoint);
            }
            keep(&mut watch, &checkpoint);
        }
    }
    watch
}

fn replayed(dir: &Path, from: Option<u64>) -> (Result<Replayed, ReplayError>, Vec<String>) {
    let mut out = Vec::new();
    let result = replay(dir, from, true, &mut out);
    (result, String::from_utf8(out).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn every_verdict_and_checkpoint_comes_out_as_lived() {
    let dir = tempfile::tempdir().unwrap();
    let watch = lived(dir.path(), |_| ());
    let (result, lines) = replayed(dir.path(), None);
    let result = result.unwrap();
    let (verdicts, digest) = watch.transcript();
    assert!(verdicts > 0, "silence gives verdicts");
    assert_eq!((result.verdicts, result.digest), (verdicts, key::hex(&digest)));
    assert_eq!((result.checkpoints, result.entries), (3, 905));
    assert_eq!(lines.len() as u64, verdicts + watch.incidents().len() as u64);
}

#[test]
fn from_a_position_it_begins_with_the_next_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let watch = lived(dir.path(), |_| ());
    let (result, _) = replayed(dir.path(), Some(400));
    let result = result.unwrap();
    assert_eq!((result.from, result.checkpoints), (601, 1));
    assert_eq!(result.digest, key::hex(&watch.transcript().1));
    assert!(matches!(replayed(dir.path(), Some(903)).0, Err(ReplayError::NoStart(903))));
}

#[test]
fn a_difference_is_told_with_the_position_of_its_checkpoint() {
    for bend in [|c: &mut Checkpoint| c.verdicts += 1, |c: &mut Checkpoint| c.digest[0] ^= 1] {
        let dir = tempfile::tempdir().unwrap();
        lived(dir.path(), bend);
        let (result, _) = replayed(dir.path(), None);
        assert!(matches!(result, Err(ReplayError::Differs { position: 902, .. })), "{result:?}");
    }
}

#[test]
fn a_directory_that_is_no_journal_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(replayed(&dir.path().join("nothing"), None).0.is_err());
}

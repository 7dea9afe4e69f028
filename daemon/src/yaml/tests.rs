//! One way to be wrong a line: what is written, and what the person is told.

use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Province {
    name: String,
    #[serde(default)]
    lines: Vec<Line>,
    #[serde(default)]
    ports: Vec<u16>,
    #[serde(default)]
    secrets: BTreeMap<String, u32>,
    check: Option<Check>,
    uplink: Option<Uplink>,
    every: Option<Every>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Line {
    circuit: Spanned<String>,
    #[serde(default)]
    mbps: u32,
    #[serde(default)]
    primary: bool,
    carrier: Option<Carrier>,
    address: Option<std::net::IpAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Carrier {
    Vnpt,
    Viettel,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(dead_code)]
enum Check {
    Icmp { count: u8 },
    Tcp { port: u16 },
}

/// Serde buffers this one, so places and keys inside it are lost.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[allow(dead_code)]
enum Uplink {
    Psk { key: u32 },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum Every {
    Seconds(u32),
    Range { from: u32, to: u32 },
}

fn fault(text: &str) -> String {
    match parse::<Province>(Path::new("p.yml"), text) {
        Ok(province) => panic!("{text:?} was taken: {province:?}"),
        Err(fault) => fault.to_string(),
    }
}

#[track_caller]
fn says(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        assert_eq!(fault(text), format!("p.yml:{wanted}"), "{text:?}");
    }
}

#[test]
fn a_misspelt_word_is_named_with_the_right_one() {
    says(&[
        ("name: x\nlinse: []", "2:1: unknown key `linse`; did you mean `lines`?"),
        (
            "name: Đồng Tháp\nlines:\n- {circuit: Mỹ Tho, mbsp: 4}",
            "3:21: unknown key `mbsp`; did you mean `mbps`?",
        ),
        (
            "name: x\nlines:\n- circuit: A\n  carrier: vpnt",
            "4:12: `carrier`: unknown value `vpnt`; did you mean `vnpt`?",
        ),
        ("name: x\ncheck:\n  imcp: {count: 4}", "3:3: `check`: unknown value `imcp`; did you mean `icmp`?"),
        ("name: x\ncheck:\n  icmp: {number: 4}", "3:10: unknown key `number`; expected `count`"),
    ]);
}

#[test]
fn a_wrong_value_is_shown_with_its_key_and_what_was_expected() {
    says(&[
        (
            "name: x\nlines:\n- circuit: A\n  mbps: fast",
            "4:9: `mbps`: expected a whole number from 0 to 4294967295, found `fast`",
        ),
        (
            "name: x\nlines:\n- {circuit: A, mbps: [1]}",
            "3:22: `mbps`: expected a whole number from 0 to 4294967295, found a list",
        ),
        (
            "name: x\nlines:\n- {circuit: A, primary: yes}",
            "3:25: `primary`: expected true or false, found `yes`",
        ),
        (
            "name: x\nlines:\n- {circuit: A, address: 10.0.0.300}",
            "3:25: `address`: invalid IP address syntax",
        ),
        (
            "name: x\nports:\n- 80\n- 70000",
            "4:3: `ports`: expected a whole number from 0 to 65535, found `70000`",
        ),
        ("name: x\nlines: 5", "2:8: `lines`: expected a list, found `5`"),
        ("name: x\nlines:\n  circuit: A", "3:3: `lines`: expected a list, found a mapping"),
        ("name: x\nlines:\n-", "3:2: `lines`: expected a mapping (`key: value`), found nothing"),
        ("name: x\ncheck: icmp\n", "2:8: `check`: expected a mapping (`key: value`), found `icmp`"),
        ("name: x\nevery: often", "2:8: `every`: has none of the shapes that can stand here"),
        ("name: [x]", "1:7: `name`: expected text, found a list"),
        ("name: null", "1:7: `name`: expected text, found nothing"),
        ("- name", "1:1: expected a mapping (`key: value`), found a list"),
    ]);
}

#[test]
fn what_is_missing_or_twice_is_named() {
    says(&[
        ("lines: []", "1:1: missing key `name`"),
        ("name: x\nlines:\n- mbps: 1", "3:3: missing key `circuit`"),
        ("name: x\nname: y", "2:1: duplicate key `name`"),
        ("name: x\nsecrets: {a: 1, a: 2}", "2:17: duplicate key `a`"),
        ("name: x\ncheck: {icmp: {count: 1}, tcp: {port: 1}}", "2:27: only one choice can stand here"),
        ("name: x\n---\nname: y", "2:1: a second document begins; one file holds one document"),
        ("", "1:1: the file is empty or ends too early"),
        ("name: x\nlines: *none", "2:8: alias of an anchor that does not exist"),
        ("name: 'x\n", "1:7: unclosed quote"),
    ]);
}

#[test]
fn a_secret_is_never_repeated() {
    for text in [
        "name: x\nsecrets: {a: hunter2}",
        "name: x\nsecrets: {a: [hunter2]}",
        "name: x\nsecrets:\n  a: |\n    hunter2",
        "name: x\nsecrets: hunter2",
        "name: x\nuplink: {kind: psk, key: hunter2}",
        "name: x\nsecrets: {a: &a hunter2, b: *a}",
    ] {
        let fault = fault(text);
        assert!(!fault.contains("hunter2"), "{fault}");
        assert!(fault.contains("expected "), "{fault}");
    }
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..8 {
        let before = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{before}]").unwrap();
    }
    let bomb = parse::<serde_json::Value>(Path::new("p.yml"), &text).map(drop).map_err(|fault| fault.message);
    assert!(
        bomb.as_ref().is_err_and(|m| m.starts_with("refused: aliases repeat more than 20000")),
        "{bomb:?}"
    );
    let deep = format!("name: {}{}", "[".repeat(1000), "]".repeat(1000));
    assert!(parse::<serde_json::Value>(Path::new("p.yml"), &deep).is_err());
}

#[test]
fn what_is_no_tree_of_ours_is_refused() {
    says(&[
        ("name: !ours x", "1:13: unknown tag; leave it out, or write a value that begins with `!` in quotes"),
        ("name: &a [*a]", "1:11: the alias stands inside what it repeats"),
        ("name: x\nlines:\n- &a {circuit: A}\n- {<<: [*a, 5]}", "4:13: only a mapping can be merged"),
        ("[a]: x", "1:1: a key must be a single value"),
        ("name: &a x\nlines: *a", "2:8: `name`: expected a list, found `x`; the alias repeats line 1"),
    ]);
    let chain: String = (1..20).fold("a0: &a0 [[[[x]]]]\n".into(), |text, level| {
        text + &format!("a{level}: &a{level} [[[[*a{}]]]]\n", level - 1)
    });
    let deep = parse::<serde_json::Value>(Path::new("p.yml"), &chain).unwrap_err();
    assert_eq!(deep.message, "refused: nested too deeply");
}

#[test]
fn a_secret_that_an_alias_repeats_is_not_told_either() {
    let fault = fault("name: &a hunter2\nsecrets: {a: *a}");
    assert!(
        !fault.contains("hunter2") && fault.starts_with("p.yml:2:14: `name`: expected a whole"),
        "{fault}"
    );
}

#[test]
fn a_text_without_anything_ends_where_it_ends() {
    let nothing = parse::<Spanned<Option<u8>>>(Path::new("p.yml"), "# nothing yet\n").unwrap();
    assert_eq!((nothing.value, nothing.referenced.line(), nothing.referenced.column()), (None, 2, 1));
    assert_eq!(fault("# nothing yet\n"), "p.yml:2:1: the file is empty or ends too early");
}

#[test]
fn any_value_is_what_yaml_says_it_is() {
    let text =
        "{n: ~, e: , t: true, w: no, q: '7', i: -7, x: 0x10, f: 1.5, s: !!str 7, b: !!int '7', h: 1e3}";
    let value = parse::<serde_json::Value>(Path::new("p.yml"), text).unwrap();
    let wanted = r#"{"n": null, "e": null, "t": true, "w": "no", "q": "7", "i": -7, "x": 16, "f": 1.5, "s": "7",
        "b": 7, "h": 1000.0}"#;
    assert_eq!(value, serde_json::from_str::<serde_json::Value>(wanted).unwrap());
}

#[test]
fn anchors_and_merges_work_within_the_limits() {
    let text = "name: x\nlines:\n- &first {circuit: A, mbps: 4}\n- {<<: *first, circuit: B}";
    let province: Province = parse(Path::new("p.yml"), text).unwrap();
    assert_eq!((province.lines[1].mbps, province.lines[1].circuit.value.as_str()), (4, "B"));
}

#[test]
fn a_code_of_digits_stays_text() {
    let province: Province = parse(Path::new("p.yml"), "name: 00123").unwrap();
    assert_eq!(province.name, "00123");
}

#[test]
fn a_check_of_meaning_points_at_its_value() {
    let province: Province =
        parse(Path::new("p.yml"), "name: x\nlines:\n- circuit: A\n- circuit: A").unwrap();
    let twice = &province.lines[1].circuit;
    let fault =
        Fault::at(Path::new("p.yml"), twice.referenced, format!("circuit `{}` is already used", twice.value));
    assert_eq!(fault.to_string(), "p.yml:4:12: circuit `A` is already used");
}

#[test]
fn faults_are_told_in_reading_order_and_once() {
    let place = |file: &str, line, column| Fault { file: file.into(), line, column, message: "m".into() };
    let mut faults = Faults::default();
    faults.extend([place("b.yml", 1, 1), place("a.yml", 10, 2), place("a.yml", 9, 3), place("b.yml", 1, 1)]);
    assert_eq!(faults.keep(Err::<(), _>(place("a.yml", 9, 1))), None);
    let told = faults.or(()).unwrap_err().to_string();
    assert_eq!(told, "a.yml:9:1: m\na.yml:9:3: m\na.yml:10:2: m\nb.yml:1:1: m");
    assert_eq!(Faults::default().or(7), Ok(7));
}

#[test]
fn a_file_that_is_no_configuration_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.yml");
    assert!(text(&path).unwrap_err().message.starts_with("cannot be read: "));
    std::fs::write(&path, b"name: x\nlines: \xff").unwrap();
    let fault = text(&path).unwrap_err();
    assert_eq!((fault.line, fault.message.as_str()), (2, "is not UTF-8 text"));
    std::fs::File::create(&path).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
    assert_eq!(text(&path).unwrap_err().message, "is larger than 4 MiB");
}

#[test]
fn places_tell_where_and_never_what() {
    let fault = |line| Fault { file: "a.yml".into(), line, column: 3, message: "found `10.0.0.1`".into() };
    let all: Vec<Fault> = (1..=7).map(fault).collect();
    assert_eq!(places(&all[..2]), "wrong at a.yml:1:3, a.yml:2:3");
    assert!(places(&all).ends_with("a.yml:5:3 and 2 more"), "{}", places(&all));
}

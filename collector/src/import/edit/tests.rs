use super::*;
use serde_json::json;

const FILE: &str = "\
# A person's opening.
communes:
  - {code: \"28249\", name: Đạo Thạnh, kind: phường}   # từ 2025

sites:
  # the centre of the commune
  - id: \"28249-tt\"
    name: Trung tâm   # as on the door
    tags: [one-stop]
    checks:
      - {name: a # b, probe: icmp, target: 192.168.1.1}
    needs: {any_of: [\"28249-tt-1\"]}
    lines:
      # the fibre
      - id: '28249-tt-1'
        circuit: DTP-1
        mbps: 100
        seen_from:
        - 10.0.0.1
        # below the line

  # the committee
  - name: Đảng ủy
    id: 28249-du
    lines:
    - {id: 28249-du-1, circuit: DTP-2}   # short

# closing
feeders: []
";

#[track_caller]
fn edited(edit: impl FnOnce(&mut Document) -> Result<(), Form>, wanted: &[(&str, &str)]) {
    let mut document = Document::new(FILE);
    assert_eq!(document.text(), FILE);
    edit(&mut document).unwrap();
    let expected = wanted.iter().fold(FILE.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replacen(old, new, 1)
    });
    assert_eq!(document.text(), expected);
}

fn table(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn a_key_changes_alone_and_keeps_its_comment() {
    edited(
        |document| document.set("sites", "28249-tt", "name", &json!("Trung tâm mới")),
        &[("name: Trung tâm   # as on the door", "name: Trung tâm mới   # as on the door")],
    );
    edited(
        |document| document.set_line("28249-tt", "28249-tt-1", "mbps", &json!(200)),
        &[("mbps: 100", "mbps: 200")],
    );
    edited(
        |document| document.set("sites", "28249-du", "name", &json!("Đảng ủy phường")),
        &[("  - name: Đảng ủy\n", "  - name: Đảng ủy phường\n")],
    );
}

#[test]
fn a_new_key_stands_in_its_place() {
    edited(
        |document| {
            document.set(
                "sites",
                "28249-tt",
                "hours",
                &json!({ "days": "mon-fri", "spans": ["07:00-11:30"] }),
            )
        },
        &[("# as on the door\n", "# as on the door\n    hours: {days: mon-fri, spans: [\"07:00-11:30\"]}\n")],
    );
    edited(
        |document| document.set_line("28249-tt", "28249-tt-1", "contract", &json!("HD 1")),
        &[("circuit: DTP-1\n", "circuit: DTP-1\n        contract: HD 1\n")],
    );
}

#[test]
fn entries_on_one_line_change_too() {
    edited(
        |document| document.set("communes", "28249", "area", &json!("my-tho")),
        &[("kind: phường}   # từ", "kind: phường, area: my-tho}   # từ")],
    );
    edited(
        |document| document.set_line("28249-du", "28249-du-1", "mbps", &json!(5)),
        &[(
            "{id: 28249-du-1, circuit: DTP-2}",
            "{id: \"28249-du-1\", circuit: \"DTP-2\", mbps: 5}".replace("\"DTP-2\"", "DTP-2").as_str(),
        )],
    );
}

#[test]
fn entries_are_added_behind_their_like() {
    edited(
        |document| document.add_line("28249-tt", &table(&json!({ "id": "28249-tt-2", "circuit": "DTP-9" }))),
        &[(
            "        - 10.0.0.1\n        # below the line\n",
            "        - 10.0.0.1\n        # below the line\n      - id: \"28249-tt-2\"\n        circuit: DTP-9\n",
        )],
    );
    edited(
        |document| document.add("sites", &table(&json!({ "id": "28249-mt", "name": "Mặt trận" }))),
        &[("DTP-2}   # short\n", "DTP-2}   # short\n  - id: \"28249-mt\"\n    name: Mặt trận\n")],
    );
    edited(
        |document| document.add("feeders", &table(&json!({ "id": "f" }))),
        &[("feeders: []\n", "feeders:\n  - {id: f}\n")],
    );
    edited(
        |document| document.add("areas", &table(&json!({ "id": "a" }))),
        &[("feeders: []\n", "feeders: []\nareas:\n  - {id: a}\n")],
    );
}

#[test]
fn what_is_taken_out_leaves_the_rest() {
    let from = FILE.find("  - name: Đảng ủy").unwrap();
    let to = FILE.find("\n# closing").unwrap();
    edited(|document| document.remove("sites", "28249-du"), &[(&FILE[from..to], "")]);
}

#[test]
fn another_style_is_refused() {
    let mut document = Document::new("sites: [{id: a,\n  name: b}]\n");
    assert_eq!(document.set("sites", "a", "name", &json!("c")), Err(Form("a".into())));
    assert!(document.add("sites", &table(&json!({ "id": "b" }))).is_err());
}

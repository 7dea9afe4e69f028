//! What each path answers, that the description says so, and that no address leaves.

use super::import::SHEET;
use super::rig::*;
use crate::access::Role;
use crate::api::story::Story;
use crate::import::init;
use crate::store::Row;
use crate::topology::{Former, Topology};
use axum::http::StatusCode;
use haidang_probe::{check::CheckId, metric::Metric};
use serde_json::{Value, json};

/// Why `value` is not what `schema` says, if so.
fn fault(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').unwrap();
        let target = document.pointer(pointer).unwrap_or_else(|| panic!("{name} is not described"));
        return fault(document, target, value, at);
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().find_map(|part| fault(document, part, value, at));
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(any) = schema[choice].as_array() {
            let fits = any.iter().any(|part| fault(document, part, value, at).is_none());
            return (!fits).then(|| format!("{at}: {value} is none of {any:?}"));
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let fits = kinds.iter().any(|kind| match *kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: unknown type {other}"),
    });
    if !fits {
        return Some(format!("{at}: {value} is not {kinds:?}"));
    }
    if let Value::Array(items) = value {
        let mut numbered = items.iter().enumerate();
        return numbered.find_map(|(n, item)| fault(document, &schema["items"], item, &format!("{at}[{n}]")));
    }
    let Value::Object(fields) = value else { return None };
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.into_iter().find(|name| !fields.contains_key(*name)) {
        return Some(format!("{at}: {missing} is missing"));
    }
    let described = schema["properties"].as_object()?;
    fields.iter().find_map(|(name, field)| {
        let place = format!("{at}.{name}");
        described.get(name).and_then(|schema| fault(document, schema, field, &place))
    })
}

/// Names in `value` that `schema` does not describe are told too.
fn described(document: &Value, path: &str, method: &str, answer: &Answer) {
    let responses = &document["paths"][path][method]["responses"];
    let response = &responses[answer.status.as_str()];
    assert!(response.is_object(), "{method} {path} answered {} which is not described", answer.status);
    let kinds = response["content"].as_object().unwrap();
    let schema = &kinds.values().next().unwrap()["schema"];
    assert_eq!(fault(document, schema, &answer.json(), path), None);
}

/// A good question to a path.
fn example(path: &str) -> String {
    let query = match path {
        "/api/v1/series" => "?site=28249-tt&metric=probe_success",
        "/api/v1/availability" => "?site=28249-tt",
        "/api/v1/incidents" => "?open=true&since=2026-01-01T00:00:00Z&limit=5",
        "/api/v1/import" => "?file=danh-muc.csv",
        _ => "",
    };
    let id = match path {
        "/api/v1/sites/{id}" => "28249-tt",
        // The first that is announced.
        "/api/v1/maintenance/{id}" => "BT-20260101-01",
        _ => "SC-20260101-01",
    };
    path.replace("{id}", id) + query
}

/// Something good to post to a path; `digest` is what was posted last to look at.
fn body(path: &str, digest: &Value) -> String {
    let body = match path.rsplit('/').next().unwrap() {
        "import" => return SHEET.into(),
        "accept" => json!({ "digest": digest }),
        "note" => json!({ "text": "đã gọi xã" }),
        "close" => json!({ "reason": "đã khôi phục" }),
        "maintenance" => json!({
            "items": [{ "kind": "site", "id": "28249-tt" }],
            "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "reason": "thay bộ lưu điện",
        }),
        _ => json!({}),
    };
    body.to_string()
}

/// A console asked by an administrator, which may ask everything.
fn administered(record: Topology) -> Rig {
    let mut rig = rig_of(record, false);
    rig.access.add("quan-tri", Role::Admin, 0).unwrap();
    rig.token = rig.access.add_token("admin", "quan-tri", 0).unwrap();
    rig
}

#[tokio::test]
async fn the_description_is_true_of_every_path_it_lists() {
    let rig = administered(province());
    init::init(&rig.configuration(), Some("82")).unwrap();
    let now = rig.clock.utc_ms();
    let values = [(Metric::ProbeSuccess, "", 1.0)];
    let row = Row { site: "28249-tt", check: CheckId(1), at: now - 60_000, values: &values };
    rig.store.take(None, &[row], now);
    let document = rig.get("/api/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 19);
    let mut digest = Value::Null;
    for (path, methods) in paths.iter().filter(|(path, _)| *path != "/api/v1/events") {
        for method in methods.as_object().unwrap().keys() {
            let answer = match method.as_str() {
                "get" => rig.get(&example(path)).await,
                "delete" => rig.delete(&example(path)).await,
                _ => rig.post(&example(path), &body(path, &digest)).await,
            };
            // There is no incident to be told of or acted on; the tests of `story` have one.
            let none = path.contains("/incidents/{id}") && answer.status == StatusCode::NOT_FOUND;
            assert!(none || answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text);
            described(&document, path, method, &answer);
            if path == "/api/v1/import" {
                digest = answer.json()["digest"].clone();
            }
        }
    }
}

#[tokio::test]
async fn an_incident_is_told_as_described() {
    let rig = rig();
    let document = rig.get("/api/openapi.json").await.json();
    let told = serde_json::to_value(Story::of(&incident(), &province())).unwrap();
    let schema = json!({ "$ref": "#/components/schemas/Story" });
    assert_eq!(fault(&document, &schema, &told, "story"), None);
    assert_eq!(
        told["root"],
        json!({ "kind": "hand_off", "id": "vnpt-1", "name": "Cổng VNPT tại trung tâm" })
    );
    assert_eq!(
        told["cause"],
        json!({ "final": false, "candidates": [{ "cause": "hand-off", "probability": 1.0 }] })
    );
    assert_eq!(told["sites"], json!([{ "id": "28249-tt", "state": "down" }]));
    assert_eq!((&told["state"], &told["severity"]), (&json!("open"), &json!("critical")));
    assert_eq!((&told["opened"], &told["closed"]), (&json!("2026-11-22T00:00:00.001Z"), &Value::Null));
    assert_eq!(told["evidence"][0]["text"], "DTP-VNPT-000123");
    assert_eq!(told["evidence"][1]["text"], "Cổng VNPT tại trung tâm");
}

#[tokio::test]
async fn the_record_is_shown_without_what_is_restricted() {
    let rig = rig();
    let record = rig.get("/api/v1/topology").await.json();
    assert_eq!(record["province"], json!({ "code": "82", "name": "Đồng Tháp" }));
    assert_eq!(record["communes"].as_array().unwrap().len(), 1, "a merged commune is not shown");
    assert_eq!(record["communes"][0]["type"], "phường");
    assert_eq!(record["lines"][0]["circuit"], "DTP-VNPT-000123");
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&record["sites"][0]), ["commune", "contact", "id", "name", "observe", "rehearsal"]);
    assert_eq!(keys(&record["lines"][0]), ["carrier", "circuit", "id", "mbps", "pop", "role", "site"]);
}

#[tokio::test]
async fn a_site_that_never_answered_is_unknown_and_says_so() {
    let rig = rig();
    let state = rig.get("/api/v1/state").await.json();
    let site = state["sites"].as_array().unwrap().iter().find(|site| site["id"] == "28249-tt").unwrap();
    assert_eq!((&site["state"], &site["established"]), (&json!("unknown"), &json!(false)));
    assert_eq!(
        (&site["commune"], &site["rehearsal"], &site["acked"]),
        (&json!("28249"), &json!(true), &json!(false))
    );
    assert_eq!(site["lines"][0]["circuit"], "DTP-VNPT-000123");
}

#[tokio::test]
async fn a_site_has_the_series_of_its_agent_and_those_asked_about_its_lines() {
    let rig = rig();
    let now = rig.clock.utc_ms();
    let push = |site: &str, check: &str, value: f64| {
        let check = CheckId::of_name(check);
        let at = now - 60_000;
        let values = [(Metric::ProbeDuration, "", value)];
        rig.store.take(None, &[Row { site, check, at, values: &values }], now);
    };
    push("28249-tt", "gateway", 0.25);
    push("trung-tam", "line/28249-1", 0.75);
    push("trung-tam", "line/another", 9.0);
    let all = rig.get("/api/v1/series?site=28249-tt&metric=probe_duration_seconds&step=60").await.json();
    let start = (now - 60_000).div_euclid(60_000) * 60_000;
    assert_eq!(all, json!([[start, 0.25, 0.5, 0.75, 2]]));
    for check in ["gateway", &CheckId::of_name("gateway").to_string()] {
        let path =
            format!("/api/v1/series?site=28249-tt&metric=probe_duration_seconds&step=60&check={check}");
        assert_eq!(rig.get(&path).await.json(), json!([[start, 0.25, 0.25, 0.25, 1]]));
    }
}

#[tokio::test]
async fn a_site_keeps_its_history_and_answers_to_both_its_ids() {
    let mut record = province();
    let until = "2025-07-01".to_owned();
    let former = Former { until, id: Some("28251-tt".into()), commune: None };
    record.sites.get_mut("28249-tt").unwrap().formerly = vec![former];
    let rig = rig_of(record, false);
    let now = rig.clock.utc_ms();
    for (site, at) in [("28251-tt", now - 120_000), ("28249-tt", now - 60_000)] {
        let row = Row { site, check: CheckId(1), at, values: &[(Metric::SiteAvailable, "", 1.0)] };
        rig.store.take(None, &[row], now);
    }
    let ask = |site: &str| format!("/api/v1/series?site={site}&metric=site_available&step=60");
    let both = rig.get(&ask("28249-tt")).await.json();
    assert_eq!(both.as_array().unwrap().len(), 2);
    assert_eq!(rig.get(&ask("28251-tt")).await.json(), both);
}

#[tokio::test]
async fn a_wrong_question_is_told_what_is_wrong() {
    let rig = rig();
    for (path, status, says) in [
        ("/api/v1/series?site=28249-tt&metric=probe_sucess", 422, "probe_success"),
        ("/api/v1/series?site=none&metric=probe_success", 404, "none"),
        ("/api/v1/series?site=28249-tt", 422, "metric"),
        ("/api/v1/series?site=28249-tt&metric=probe_success&from=yesterday", 422, "2026-"),
        ("/api/v1/series?site=28249-tt&metric=probe_success&from=2020-01-01T00:00:00Z&step=10", 422, "steps"),
        ("/api/v1/incidents?since=now", 422, "now"),
        ("/api/v1/incidents?next=SC-1", 422, "SC-1"),
        ("/api/v1/incidents/SC-1", 404, "SC-1"),
    ] {
        let answer = rig.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        assert!(answer.json()["detail"].as_str().unwrap().contains(says), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_act_needs_json_that_says_something() {
    let rig = rig();
    let path = "/api/v1/incidents/SC-20261122-01/note";
    for (body, status) in [
        (r#"{"text":" "}"#, 422),
        (r#"{"text":"a\u0007b"}"#, 422),
        (r#"{"words":"x"}"#, 422),
        ("{", 400),
        (r#"{"text":"có điện lại"}"#, 404),
    ] {
        assert_eq!(rig.post(path, body).await.status.as_u16(), status, "{body}");
    }
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(2001));
    assert_eq!(rig.post(path, &long).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let flood = format!(r#"{{"text":"{}"}}"#, "x".repeat(100_000));
    assert_eq!(rig.post(path, &flood).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let form = axum::http::Request::post(path)
        .header("authorization", format!("Bearer {}", rig.token))
        .header("content-type", "text/plain")
        .body(axum::body::Body::from(r#"{"text":"x"}"#));
    assert_eq!(rig.send(form.unwrap()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

/// Four numbers with dots between them: an address, whosever it is.
fn addresses(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    let quad =
        |word: &&str| word.split('.').count() == 4 && word.split('.').all(|part| part.parse::<u8>().is_ok());
    words.filter(quad).collect()
}

/// Everything the console port says to an administrator, and what it says about an incident.
async fn everything(rig: &Rig) -> String {
    let record = rig.fold.read(|watch| watch.topology().clone());
    let mut said = serde_json::to_string(&Story::of(&incident(), &record)).unwrap();
    let document = rig.get("/api/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap();
    let asked =
        paths.iter().filter(|(path, methods)| methods["get"].is_object() && *path != "/api/v1/events");
    for (path, _) in asked {
        let answer = rig.get(&example(path)).await;
        let none = path.contains("/incidents/{id}");
        assert!(none || answer.status.is_success(), "{path}: {} {}", answer.status, answer.text);
        said += &answer.text;
    }
    for path in [
        "/api/openapi.json",
        "/metrics",
        "/readyz",
        "/sign-in",
        "/",
        "/api/v1/nothing",
        "/api/v1/series?site=x&metric=y",
    ] {
        said += &rig.get(path).await.text;
    }
    said
}

/// A configuration that is wrong because of an address.
fn misconfigured(rig: &Rig) {
    std::fs::create_dir(rig.configuration()).unwrap();
    let wrong = "hand_offs: [{id: a, name: A, carrier: 10.82.3.9}]\n";
    std::fs::write(rig.configuration().join("a.yml"), wrong).unwrap();
    let faults = crate::config::load(&rig.configuration()).unwrap_err();
    assert!(faults.iter().any(|fault| addresses(&fault.message) == ["10.82.3.9"]), "{faults:?}");
}

#[tokio::test]
async fn no_address_leaves() {
    let record = format!("{:?}", province());
    assert!(ADDRESSES.iter().all(|address| addresses(&record).contains(address)), "{record}");
    let rig = administered(province());
    misconfigured(&rig);
    let said = everything(&rig).await;
    assert_eq!(addresses(&said), [""; 0]);
    assert!(said.contains("DTP-VNPT-000123"));
}

#[tokio::test]
async fn no_address_of_the_rehearsal_province_leaves() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/demo");
    let demo = crate::config::load(&directory).unwrap().topology;
    let sites = demo.sites.len();
    assert!(addresses(&format!("{demo:?}")).len() > sites, "the rehearsal province has no addresses to hide");
    let said = everything(&administered(demo)).await;
    assert_eq!(addresses(&said), [""; 0]);
    assert!(said.len() > 100 * sites, "the sites were told");
}

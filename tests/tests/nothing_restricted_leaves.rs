//! Data of class `restricted` stays in: with a carrier broken and everything to tell, no answer of the console's
//! port, no event and no log line of the collector holds an address of the configuration, or a secret.
#![allow(clippy::unwrap_used)]

use haidang_daemon::yaml;
use haidang_probe::key;
use haidang_probe::metric::Metric;
use haidang_probe::plan::Plan;
use haidang_tests::console::Console;
use haidang_tests::stage::{Stage, wait};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::path::Path;
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

/// How long the province stays broken.
const BROKEN: Duration = Duration::from_secs(20);

/// Every YAML text below a folder.
fn texts(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: std::path::PathBuf| {
        if path.is_dir() { texts(&path) } else { vec![std::fs::read_to_string(path).unwrap()] }
    };
    entries.flat_map(text).collect()
}

/// What is written like an IPv4 address.
fn addresses(text: &str) -> BTreeSet<Ipv4Addr> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .filter_map(|word| word.trim_matches('.').parse().ok())
        .collect()
}

/// What gives power over an agent or the console, as text.
fn secrets(stage: &Stage) -> Vec<String> {
    let files = std::fs::read_dir(stage.path("agents")).unwrap().map(|entry| entry.unwrap().path());
    let mut secrets: Vec<String> = files
        .flat_map(|path| {
            let secret = yaml::read::<Plan>(&path).unwrap().secret.unwrap();
            let bytes = key::unhex(&secret).unwrap();
            [key::bearer(&bytes), key::hex(&key::derive(&bytes, key::STAMP)), secret]
        })
        .collect();
    let kept: Value =
        serde_json::from_str(&std::fs::read_to_string(stage.path("console.json")).unwrap()).unwrap();
    secrets.extend(["password", "token"].map(|field| kept[field].as_str().unwrap().to_owned()));
    secrets
}

/// Reads the events until [`Events::end`].
struct Events {
    stream: TcpStream,
    reader: JoinHandle<String>,
}

impl Events {
    fn begin(console: &Console) -> Events {
        let mut stream = TcpStream::connect(&console.address).unwrap();
        let bearer = &console.token;
        write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {bearer}\r\n\r\n")
            .unwrap();
        let mut own = stream.try_clone().unwrap();
        let reader = spawn(move || {
            let mut read = Vec::new();
            let _ = own.read_to_end(&mut read);
            String::from_utf8_lossy(&read).into_owned()
        });
        Events { stream, reader }
    }

    fn end(self) -> String {
        self.stream.shutdown(Shutdown::Both).unwrap();
        self.reader.join().unwrap()
    }
}

/// Everything that can be asked, right and wrong.
fn questions(console: &Console) -> Vec<String> {
    let fixed = [
        "/",
        "/sign-in",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/openapi.json",
        "/api/v1/me",
        "/api/v1/topology",
        "/api/v1/state",
        "/api/v1/findings",
        "/api/v1/incidents",
        "/api/v1/incidents?open=true&limit=1",
        "/api/v1/incidents/SC-20000101-01",
        "/api/v1/incidents?since=never",
        "/api/v1/incidents?open=perhaps",
        "/api/v1/series",
        "/api/v1/series?site=nowhere&metric=probe_success",
        "/api/v1/nothing",
        "/no.js",
    ];
    let sites = console.get("/api/v1/state").unwrap()["sites"].as_array().unwrap().clone();
    let sites = sites.iter().filter_map(|site| site["id"].as_str()).take(8).chain(["trung-tam"]);
    let series = sites.flat_map(|site| {
        let of_metric = move |metric: &Metric| format!("/api/v1/series?site={site}&metric={}", metric.name());
        Metric::ALL.iter().map(of_metric).chain([
            format!("/api/v1/series?site={site}&metric=probe_sucess"),
            format!("/api/v1/series?site={site}&metric=probe_success&check=none"),
        ])
    });
    let series: Vec<String> = series.collect();
    let incidents = console.incidents().unwrap();
    let stories = incidents.iter().map(|one| format!("/api/v1/incidents/{}", one["id"].as_str().unwrap()));
    fixed.map(str::to_owned).into_iter().chain(series).chain(stories).collect()
}

/// Makes the configuration wrong by an address, and waits until the collector said so.
fn misconfigure(stage: &Stage, address: Ipv4Addr) {
    let wrong = format!("hand_offs: [{{id: zz, name: Z, carrier: {address}}}]\n");
    std::fs::write(format!("{}/zz.yml", stage.configuration()), wrong).unwrap();
    wait("the wrong configuration to be said", 30, || {
        let log = std::fs::read_to_string(stage.path("collector.log"))?;
        Ok(log.contains("is not taken over").then_some(()))
    })
    .unwrap();
}

#[test]
fn no_address_and_no_secret_leaves_while_a_carrier_is_down() {
    let mut stage = Stage::new(7).unwrap();
    let console = stage.start().unwrap();
    let restricted: BTreeSet<_> =
        texts(Path::new(&stage.path("configuration"))).iter().flat_map(|text| addresses(text)).collect();
    assert!(restricted.len() > 200, "{} addresses in the configuration", restricted.len());
    let secrets = secrets(&stage);
    assert!(secrets.len() > 200, "{} secrets", secrets.len());
    let clean = |what: &str, text: &str| {
        let told: Vec<_> = addresses(text).intersection(&restricted).copied().collect();
        assert!(told.is_empty(), "{what} tells {told:?}");
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{what} tells a secret");
    };

    let events = Events::begin(&console);
    stage.fault("carrier vnpt").unwrap();
    let id = wait("the carrier's incident", 30, || {
        let all = console.incidents()?;
        let open = all.iter().find(|incident| incident["state"] == "open");
        Ok(open.and_then(|incident| incident["id"].as_str().map(str::to_owned)))
    });
    let id = id.unwrap();
    sleep(BROKEN);
    let story = console.get(&format!("/api/v1/incidents/{id}")).unwrap();
    assert!(!story["evidence"].as_array().unwrap().is_empty(), "there is evidence to tell: {story}");
    let mut answered = 0;
    for path in questions(&console) {
        let (status, body) = console.request("GET", &path, "").unwrap();
        answered += usize::from(status == 200);
        clean(&path, &body);
    }
    assert!(answered > 100, "only {answered} questions were answered");
    let act = format!("/api/v1/incidents/{id}/ack");
    for body in ["{}", "{}", "{\"x\":1}", "no json"] {
        clean(&act, &console.request("POST", &act, body).unwrap().1);
    }
    let told = events.end();
    assert!(told.contains("event: incident"), "{told}");
    clean("the events", &told);

    misconfigure(&stage, *restricted.last().unwrap());
    let (status, body) = console.request("GET", "/api/v1/configuration", "").unwrap();
    assert!(status == 200 && body.contains("zz.yml"), "{body}");
    clean("the faults", &body);

    let log = std::fs::read_to_string(stage.path("collector.log")).unwrap();
    assert!(log.contains("zz.yml:1:"), "the log says where");
    let own = Ipv4Addr::LOCALHOST.to_string();
    clean("the log", &log.replace(&own, "us"));
}

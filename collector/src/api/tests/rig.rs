//! A console over a real fold in a directory of its own, with a small province full of addresses.

use super::super::{Parts, events::Relay, routes};
use crate::access::{Access, Role as PersonRole};
use crate::fold::{self, Ending, Fold, Hooks, Journal, Start};
use crate::history::kept::History;
use crate::incident::*;
use crate::store::Store;
use crate::topology::*;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use haidang_daemon::{clock::Clock, metrics::Metrics, serve::Health, stop};
use haidang_probe::check::{Check, ProbeKind, Span, With};
use http_body_util::BodyExt;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

/// Every address the record holds; none may ever be seen outside.
pub const ADDRESSES: [&str; 7] =
    ["127.82.1.1", "127.82.1.2", "127.82.2.1", "127.82.16.1", "127.82.116.1", "192.168.77.1", "203.0.113.9"];

pub struct Rig {
    pub router: Router,
    pub access: Arc<Access>,
    pub fold: Fold,
    pub store: Arc<Store>,
    pub clock: Clock,
    pub stopper: stop::Stopper,
    pub events: Arc<Relay>,
    pub token: String,
    pub password: String,
    _ending: Ending,
    dir: tempfile::TempDir,
}

/// What was answered.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub fn rig() -> Rig {
    rig_with(false)
}

pub fn rig_with(secure: bool) -> Rig {
    rig_of(province(), secure)
}

pub fn rig_of(topology: Topology, secure: bool) -> Rig {
    rig_at(Clock::manual(), topology, secure)
}

/// A rig whose time is that of `clock`.
pub fn rig_at(clock: Clock, topology: Topology, secure: bool) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let at = clock.utc_ms();
    let journal = Journal { dir: dir.path().join("evidence"), max_bytes: 1 << 30 };
    let history = Arc::new(History::open(dir.path()).unwrap());
    let start = Start {
        journal,
        at,
        topology,
        resume: None,
        hooks: Hooks { history: Some(history.clone()), ..Hooks::default() },
    };
    let (fold, ending) = fold::start(start).unwrap();
    let access = Arc::new(Access::open(dir.path()).unwrap());
    let password = access.add("an", PersonRole::Operator, at).unwrap();
    let token = access.add_token("script", "an", at).unwrap();
    let store = Arc::new(Store::default());
    let (stopper, stop) = stop::pair();
    let parts = Parts {
        fold: fold.clone(),
        config: dir.path().join("configuration"),
        store: store.clone(),
        history,
        access: access.clone(),
        roster: Arc::default(),
        clock: clock.clone(),
        health: Health::new(Metrics::new(), || Ok(())),
        stop,
        secure,
    };
    let events = Relay::start(fold.clone());
    let router = routes(parts, events.clone());
    Rig { router, events, access, fold, store, clock, stopper, token, password, _ending: ending, dir }
}

impl Rig {
    /// The configuration directory that imports write; it does not exist yet.
    pub fn configuration(&self) -> std::path::PathBuf {
        self.dir.path().join("configuration")
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// Asks as a script would.
    pub async fn get(&self, path: &str) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        self.send(Request::get(path).header("authorization", bearer).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        self.send(Request::delete(path).header("authorization", bearer).body(Body::empty()).unwrap()).await
    }

    /// Signs in through the form; gives the answer.
    pub async fn sign_in(&self, user: &str, password: &str) -> Answer {
        let form = format!("user={user}&password={password}&next=%2Fincidents");
        let request = Request::post("/sign-in")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        self.send(request.body(Body::from(form)).unwrap()).await
    }
}

fn check(name: &str, probe: ProbeKind, target: &str) -> Check {
    let every = Span(Duration::from_millis(500));
    Check {
        id: None,
        name: name.into(),
        probe,
        target: target.into(),
        every,
        timeout: every,
        with: With::default(),
    }
}

fn ask(name: &str, address: &str) -> Ask {
    Ask(check(name, ProbeKind::Stamp, &format!("{address}:8620")))
}

fn site(name: &str, kind: SiteKind, commune: Option<&str>, needs: &[&str], checks: Vec<Check>) -> Site {
    Site {
        name: name.into(),
        kind,
        commune: commune.map(str::to_owned),
        observe: Observe::Gateway,
        rehearsal: kind == SiteKind::Office,
        needs: Needs::AnyOf(needs.iter().map(ToString::to_string).collect()),
        contact: Some(Contact { name: "Chị Hạnh".into(), phone: "0900000001".into() }),
        gate_s: 10,
        checks,
        ssid: None,
        ..Site::default()
    }
}

pub fn province() -> Topology {
    let mut record = Topology {
        province: Province { code: "82".into(), name: "Đồng Tháp".into() },
        services: [("portal".to_owned(), portal())].into(),
        ..Topology::default()
    };
    record.areas.insert("my-tho".into(), Area { name: "Khu vực Mỹ Tho".into(), place: 0 });
    let commune = |name: &str, valid_to: Option<&str>| Commune {
        name: name.into(),
        kind: "phường".into(),
        area: Some("my-tho".into()),
        valid_from: None,
        valid_to: valid_to.map(str::to_owned),
        successor: valid_to.map(|_| "28249".into()),
    };
    record.communes.insert("28249".into(), commune("Đạo Thạnh", None));
    record.communes.insert("28250".into(), commune("Phường 4", Some("2025-07-01")));
    let core = Some(ask("carrier/vnpt/core", "127.82.2.1"));
    let carrier = Carrier { name: "VNPT".into(), hotline: Some("18001166".into()), core };
    record.carriers.insert("vnpt".into(), carrier);
    record.hand_offs.insert("vnpt-1".into(), hand_off());
    record.pops.insert(
        "vnpt-cai-be".into(),
        Pop { name: "Trạm Cái Bè".into(), carrier: "vnpt".into(), address: None },
    );
    let gateway = check("gateway", ProbeKind::Icmp, "192.168.77.1");
    let resolver = check("resolver", ProbeKind::Tcp, "203.0.113.9:53");
    let centre = site("Trung tâm tỉnh", SiteKind::Core, None, &[], vec![resolver]);
    record.sites.insert("trung-tam".into(), centre);
    let office = site("TTPVHCC Đạo Thạnh", SiteKind::Office, Some("28249"), &["28249-1"], vec![gateway]);
    record.sites.insert("28249-tt".into(), office);
    let line = Line {
        site: "28249-tt".into(),
        carrier: "vnpt".into(),
        hand_off: "vnpt-1".into(),
        pop: Some("vnpt-cai-be".into()),
        circuit: "DTP-VNPT-000123".into(),
        mbps: Some(200),
        role: Role::Primary,
        metered: false,
        gateway: Some(ask("line/28249-1", "127.82.16.1")),
        seen_from: vec!["127.82.116.1".parse().unwrap()],
        ssid: Some(2),
        ..Line::default()
    };
    // A second office on the same carrier, which lives while the first is cut.
    let lives = site("UBND Đạo Thạnh", SiteKind::Office, Some("28249"), &["28249-2"], vec![]);
    record.sites.insert("28249-ub".into(), lives);
    let second = Line {
        site: "28249-ub".into(),
        circuit: "DTP-VNPT-000124".into(),
        gateway: None,
        ssid: Some(4),
        ..line.clone()
    };
    record.lines.extend([("28249-1".into(), line), ("28249-2".into(), second)]);
    record
}

fn hand_off() -> HandOff {
    HandOff {
        name: "Cổng VNPT tại trung tâm".into(),
        carrier: "vnpt".into(),
        our_port: Some(ask("hand-off/vnpt-1/ours", "127.82.1.1")),
        carrier_port: Some(ask("hand-off/vnpt-1/carrier", "127.82.1.2")),
        ..HandOff::default()
    }
}

/// A service that all ask.
fn portal() -> Service {
    Service {
        name: "Cổng dịch vụ công tỉnh".into(),
        owner: "Trung tâm CNTT tỉnh".into(),
        outside: true,
        check: check("service/portal", ProbeKind::Http, "http://203.0.113.80/healthz"),
        asked_by: AskedBy { core: true, all: true, tags: [].into() },
    }
}

/// An incident with something in every field.
pub fn incident() -> Incident {
    let at = 1_795_305_600_000;
    let moment =
        |what: &str| Moment { at, what: what.into(), text: Some("ghi chú".into()), by: Some("an".into()) };
    let witness = |of: &str| Witness {
        at,
        stream: "core-agent".into(),
        line: Some("28249-1".into()),
        kind: "silence".into(),
        of: of.into(),
    };
    Incident {
        id: "SC-20261122-01".into(),
        revision: 3,
        root: Root {
            kind: RootKind::HandOff, id: "vnpt-1".into(), name: "Cổng VNPT tại trung tâm".into()
        },
        kind: Kind::HandOff,
        state: State::Open,
        severity: Severity::Critical,
        cause: Causes {
            settled: false,
            candidates: vec![Candidate { cause: Cause::HandOff, probability: 1.0 }],
        },
        sites: [("28249-tt".to_owned(), Impact::Down)].into(),
        began: at - 3_000,
        noticed: at,
        opened: Some(at + 1),
        closed: None,
        at_error_s: 0.5,
        notifications: 1,
        rehearsal: true,
        acked: Some(Acked { by: "an".into(), at }),
        adopted_by: None,
        maintenance: None,
        timeline: vec![moment("noticed"), moment("ack")],
        evidence: vec![witness("28249-1"), witness("hand-off/vnpt-1")],
    }
}

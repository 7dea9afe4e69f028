//! Who gets in, and by which headers an answer is sealed.

use super::rig::*;
use axum::body::Body;
use axum::http::{Request, StatusCode};

fn ask(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn without_a_sign_in_only_health_and_the_sign_in_page_answer() {
    let rig = rig();
    for path in ["/healthz", "/readyz", "/sign-in", "/sign-in/style.css"] {
        assert_eq!(rig.send(ask(path)).await.status, StatusCode::OK, "{path}");
    }
    let closed = [
        "/metrics",
        "/api/v1/me",
        "/api/v1/state",
        "/api/v1/events",
        "/api/openapi.json",
        "/",
        "/x.js",
        "/nothing",
    ];
    for path in closed {
        let answer = rig.send(ask(path)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.json()["status"], 401);
    }
}

#[tokio::test]
async fn a_page_leads_to_the_sign_in_and_back() {
    let rig = rig();
    let page = |path: &str| Request::get(path).header("accept", "text/html,*/*").body(Body::empty()).unwrap();
    let answer = rig.send(page("/incidents/SC-20261122-01")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), "/sign-in?next=/incidents/SC-20261122-01");
    let form = rig.send(ask(answer.header("location"))).await;
    assert!(form.text.contains("value=\"/incidents/SC-20261122-01\""));
    assert_eq!(rig.send(page("/api/v1/state")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_sign_in_lasts_until_the_sign_out() {
    let rig = rig();
    let answer = rig.sign_in("an", &rig.password).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/incidents"));
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(answer.header("set-cookie").contains("HttpOnly; SameSite=Lax"));
    let with = |request: axum::http::request::Builder| {
        request.header("cookie", &cookie).header("sec-fetch-site", "same-origin").body(Body::empty()).unwrap()
    };
    let me = rig.send(with(Request::get("/api/v1/me"))).await.json();
    assert_eq!(me, serde_json::json!({ "user": "an", "role": "operator", "lang": "vi" }));
    assert_eq!(rig.send(with(Request::post("/sign-out"))).await.status, StatusCode::SEE_OTHER);
    assert_eq!(rig.send(with(Request::get("/api/v1/me"))).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_wrong_password_says_the_same_for_a_person_and_for_nobody_and_locks() {
    let rig = rig();
    let known = rig.sign_in("an", "wrong").await;
    let unknown = rig.sign_in("xx", "wrong").await;
    assert_eq!((known.status, unknown.status), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    assert_eq!(known.text, unknown.text.replace("xx", "an"));
    for _ in 0..4 {
        rig.sign_in("an", "wrong").await;
    }
    let locked = rig.sign_in("an", &rig.password).await;
    assert_eq!((locked.status, locked.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "30"));
    rig.clock.advance(std::time::Duration::from_secs(31));
    assert_eq!(rig.sign_in("an", &rig.password).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn another_site_can_neither_sign_in_nor_act_for_somebody() {
    let rig = rig();
    let cookie = format!("noc={}", rig.access.open_session("an", rig.clock.utc_ms()).unwrap());
    for path in ["/sign-in", "/sign-out", "/api/v1/incidents/SC-20261122-01/ack"] {
        let request = Request::post(path)
            .header("cookie", &cookie)
            .header("origin", "https://evil.example")
            .header("host", "127.0.0.1:8080")
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = rig.send(request.body(Body::from("user=an&password=x")).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn every_answer_is_sealed_and_tls_only_under_tls() {
    for secure in [false, true] {
        let rig = rig_with(secure);
        for path in ["/sign-in", "/api/v1/me", "/nothing"] {
            let answer = rig.send(ask(path)).await;
            assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
            assert!(answer.header("content-security-policy").starts_with("default-src 'self'"));
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.header("strict-transport-security").is_empty(), !secure);
        }
        let cookie = rig.sign_in("an", &rig.password).await.header("set-cookie").to_owned();
        assert_eq!(cookie.starts_with("__Host-noc="), secure);
        assert_eq!(cookie.ends_with("; Secure"), secure);
    }
}

#[tokio::test]
async fn a_viewer_looks_and_does_not_act() {
    let rig = rig();
    rig.access.add("khach", crate::access::Role::Viewer, 0).unwrap();
    let token = rig.access.add_token("khach", "khach", 0).unwrap();
    let request = Request::post("/api/v1/incidents/SC-20261122-01/ack")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    assert_eq!(rig.send(request.body(Body::from("{}")).unwrap()).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_console_is_served_with_its_page_for_every_path_of_its_own() {
    let rig = rig();
    for path in ["/", "/incidents/SC-20261122-01", "/sites/28249.tt-1.js"] {
        let answer = rig.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(answer.header("content-type").starts_with("text/html"), "{path}");
    }
    for path in ["/assets/none-000.js", "/none.txt"] {
        assert_eq!(rig.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let unknown = rig.get("/api/v1/nothing").await;
    assert_eq!(
        (unknown.status, unknown.header("content-type")),
        (StatusCode::NOT_FOUND, "application/problem+json")
    );
    let wrong = rig.post("/api/v1/state", "{}").await;
    assert_eq!((wrong.status, wrong.json()["status"].as_u64()), (StatusCode::METHOD_NOT_ALLOWED, Some(405)));
}

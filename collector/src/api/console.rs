//! The console's files, embedded in the binary; compressed when they were built, served as they are.

use super::problem::Problem;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use haidang_probe::key;
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../dashboards/web/dist"]
struct Built;

const NOT_BUILT: &str = "<!doctype html><meta charset=\"utf-8\"><title>Hải Đăng</title>\
    <p>Console not built: run <code>make console</code>, then build the collector again. The API is under \
    <a href=\"/api/openapi.json\">/api</a>.</p>";

/// A file of the console; its page for every other path that is not the API's, because the console routes by
/// path itself.
pub(super) async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if uri.path().starts_with("/api/") {
        return Problem::not_found(format!("there is no {}", uri.path())).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return super::problem::method_not_allowed(method, uri).await.into_response();
    }
    let is_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if is_file {
        return serve(path, &headers)
            .unwrap_or_else(|| Problem::not_found(format!("there is no /{path}")).into_response());
    }
    serve("index.html", &headers).unwrap_or_else(|| (StatusCode::OK, Html(NOT_BUILT)).into_response())
}

fn serve(path: &str, headers: &HeaderMap) -> Option<Response> {
    let plain = Built::get(path)?;
    let tag = format!("\"{}\"", key::hex(&plain.metadata.sha256_hash()[..16]));
    let seen = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut answer = if seen.is_some_and(|seen| seen.contains(&tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        body(path, plain, headers)
    };
    // Names under assets/ carry a hash of their content; the page itself must be asked for each time.
    let cached = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let set = answer.headers_mut();
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static(cached));
    set.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    set.insert(header::ETAG, HeaderValue::from_str(&tag).ok()?);
    Some(answer)
}

/// The file in the smallest form that exists and the browser takes.
fn body(path: &str, plain: EmbeddedFile, headers: &HeaderMap) -> Response {
    let packed = [("br", "br"), ("gz", "gzip")].into_iter().find_map(|(ending, coding)| {
        let file = takes(headers, coding).then(|| Built::get(&format!("{path}.{ending}"))).flatten()?;
        Some((file, coding))
    });
    let (file, coding) = packed.map_or((plain, None), |(file, coding)| (file, Some(coding)));
    let mut answer =
        ([(header::CONTENT_TYPE, kind(path))], Body::from(file.data.into_owned())).into_response();
    if let Some(coding) = coding {
        answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    answer
}

/// Whether `Accept-Encoding` names the coding without refusing it by `q=0`.
fn takes(headers: &HeaderMap, coding: &str) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case(coding) && !refused
    })
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_is_taken_when_named_and_not_refused() {
        let sent = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            takes(&headers, "br")
        };
        assert!(sent("gzip, br"));
        assert!(sent("gzip;q=0.5, BR;q=0.9"));
        assert!(!sent("gzip, br;q=0"));
        assert!(!sent("brotli"));
        assert!(!takes(&HeaderMap::new(), "br"));
    }
}

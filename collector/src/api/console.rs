//! The console's files, embedded in the binary; compressed when they were built, served as they are.

use super::problem::Problem;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use haidang_probe::key;
use rust_embed::RustEmbed;
use std::borrow::Cow;

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
    if is_file(path) || climbs(path) {
        return serve(embedded, path, &headers)
            .unwrap_or_else(|| Problem::not_found(format!("there is no /{path}")).into_response());
    }
    serve(embedded, "index.html", &headers)
        .unwrap_or_else(|| (StatusCode::OK, Html(NOT_BUILT)).into_response())
}

/// Files stand under `assets/` or at the top with an ending; deeper paths end with an id, which may hold a dot.
fn is_file(path: &str) -> bool {
    path.split_once('/').map_or(path.contains('.'), |(folder, _)| folder == "assets")
}

/// Whether a path leads through `.` or `..`, written out or as `%2e`: no page and no file of ours does.
fn climbs(path: &str) -> bool {
    let dots = |segment: &str| segment.to_ascii_lowercase().replace("%2e", ".");
    path.split('/').any(|segment| matches!(dots(segment).as_str(), "." | ".."))
}

/// A file and the SHA-256 of its content.
struct File {
    content: Cow<'static, [u8]>,
    digest: [u8; 32],
}

fn embedded(path: &str) -> Option<File> {
    Built::get(path).map(|file| File { digest: file.metadata.sha256_hash(), content: file.data })
}

fn serve(find: impl Fn(&str) -> Option<File>, path: &str, headers: &HeaderMap) -> Option<Response> {
    let plain = find(path)?;
    // Weak: the same content in another coding is other octets.
    let tag = format!("W/\"{}\"", key::hex(&plain.digest[..16]));
    let seen = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut answer = if seen.is_some_and(|seen| seen.contains(&tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        smallest(find, path, plain, headers)
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
fn smallest(find: impl Fn(&str) -> Option<File>, path: &str, plain: File, headers: &HeaderMap) -> Response {
    let packed = [("br", "br"), ("gz", "gzip")].into_iter().find_map(|(ending, coding)| {
        let file = takes(headers, coding).then(|| find(&format!("{path}.{ending}"))).flatten()?;
        Some((file, coding))
    });
    let (file, coding) = packed.map_or((plain, None), |(file, coding)| (file, Some(coding)));
    let body = Body::from(file.content.into_owned());
    let mut answer = ([(header::CONTENT_TYPE, kind(path))], body).into_response();
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

    fn built(path: &str) -> Option<File> {
        let content: &[u8] = match path {
            "index.html" => b"page",
            "assets/a-1.js" => b"script",
            "assets/a-1.js.br" => b"br",
            "assets/a-1.js.gz" => b"gz",
            _ => return None,
        };
        Some(File { content: content.into(), digest: [7; 32] })
    }

    fn ask(path: &str, pairs: &[(header::HeaderName, &'static str)]) -> Response {
        let sent = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        serve(built, path, &sent.collect()).unwrap()
    }

    #[test]
    fn a_file_comes_in_the_smallest_form_the_browser_takes() {
        for (accepts, coding) in [("gzip, br", Some("br")), ("gzip", Some("gzip")), ("identity", None)] {
            let answer = ask("assets/a-1.js", &[(header::ACCEPT_ENCODING, accepts)]);
            let named = answer.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap());
            assert_eq!(named, coding);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
            assert_eq!(answer.headers()[header::VARY], "accept-encoding");
        }
        let page = ask("index.html", &[(header::ACCEPT_ENCODING, "br")]);
        assert!(page.headers().get(header::CONTENT_ENCODING).is_none(), "there is no packed page");
    }

    #[test]
    fn what_has_a_hash_in_its_name_is_kept_and_the_page_is_asked_for() {
        let kept = ask("assets/a-1.js", &[]);
        assert_eq!(kept.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        let page = ask("index.html", &[]);
        assert_eq!(page.headers()[header::CACHE_CONTROL], "no-cache");
        let again = ask("index.html", &[(header::IF_NONE_MATCH, "W/\"07070707070707070707070707070707\"")]);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[header::ETAG], page.headers()[header::ETAG]);
        assert!(serve(built, "assets/b.js", &HeaderMap::new()).is_none());
    }

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

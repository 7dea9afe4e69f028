//! What an answer must be: its status, what its body holds and lacks, how it is encoded.

use super::redirects::{ask, page, serve};
use super::{status, told};
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Failure;

#[tokio::test]
async fn a_status_is_good_when_the_check_says_so() {
    for (number, said, good) in [
        (404, "404", true),
        (404, "4xx", true),
        (200, "404", false),
        (204, "200-204, 301", true),
        (206, "200,204", false),
        (503, "5xx", true),
    ] {
        let server =
            serve(move |_| format!("HTTP/1.1 {number} X\r\ncontent-length: 0\r\n\r\n").into_bytes()).await;
        let answer = ask(&server, "/", &[("status", said)]).await;
        let expected = if good { Ok(()) } else { Err(Failure::Status) };
        assert_eq!((answer.result.map(drop), status(&answer)), (expected, Some(f64::from(number))), "{said}");
    }
}

#[tokio::test]
async fn a_body_holds_what_it_must_and_lacks_what_it_must_not() {
    let server = serve(|_| page("<p>Cổng dịch vụ công</p>")).await;
    for (with, good) in [
        (&[("contains", "dịch vụ công")][..], true),
        (&[("contains", "Dịch vụ công")], false),
        (&[("lacks", "Fatal error")], true),
        (&[("lacks", "dịch vụ")], false),
        (&[("contains", "dịch vụ"), ("lacks", "</p>")], false),
    ] {
        let answer = ask(&server, "/", with).await;
        let expected = if good { Ok(()) } else { Err(Failure::Body) };
        assert_eq!(answer.result.map(drop), expected, "{with:?}");
    }
}

#[tokio::test]
async fn a_wrong_status_is_told_before_a_wrong_body() {
    let server = serve(|_| b"HTTP/1.1 500 X\r\ncontent-length: 4\r\n\r\nsorr".to_vec()).await;
    assert_eq!(ask(&server, "/", &[("contains", "welcome")]).await.result, Err(Failure::Status));
}

#[tokio::test]
async fn a_body_compressed_unasked_fails_only_where_its_text_matters() {
    let server = serve(|_| {
        let mut answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n".to_vec();
        answer.extend([0x1f, 0x8b, 8, 0]);
        answer
    })
    .await;
    assert_eq!(ask(&server, "/", &[]).await.result.map(drop), Ok(()));
    for with in [("contains", "a"), ("lacks", "a"), ("portal", "true")] {
        assert_eq!(ask(&server, "/", &[with]).await.result, Err(Failure::Encoding));
    }
}

#[tokio::test]
async fn version_and_length_are_told_where_the_answer_says_them() {
    let server = serve(|_| page("12345")).await;
    let answer = ask(&server, "/", &[]).await;
    assert_eq!(
        (told(&answer, Metric::HttpVersion), told(&answer, Metric::HttpContentLength)),
        (Some(1.1), Some(5.0))
    );
    let old = serve(|_| b"HTTP/1.0 200 OK\r\n\r\n123".to_vec()).await;
    let answer = ask(&old, "/", &[]).await;
    assert_eq!(
        (told(&answer, Metric::HttpVersion), told(&answer, Metric::HttpContentLength)),
        (Some(1.0), None)
    );
    assert_eq!(told(&answer, Metric::HttpBody), Some(3.0));
}

#[tokio::test]
async fn chunks_are_put_together() {
    let server = serve(|_| {
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nwel\r\n4\r\ncome\r\n0\r\n\r\n".to_vec()
    })
    .await;
    assert!(ask(&server, "/", &[("contains", "welcome")]).await.result.is_ok());
}

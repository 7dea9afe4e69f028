//! Portal checks over the wire: a page in, figures out.

use super::redirects::{ask, page, serve};
use super::told;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Failure;

const PORTAL: &str = "<title>UBND xã Mỹ An</title><p>Lịch tiếp công dân</p>";
const DEFACED: &str = "<title>Nhà cái uy tín</title><p>Nổ hũ, tài xỉu, casino: nạp đầu tặng 100%</p>";

#[tokio::test]
async fn a_defaced_page_is_suspect_and_the_check_still_a_success() {
    let server = serve(|path| page(if path == "/good" { PORTAL } else { DEFACED })).await;
    let with = [("portal", "true")];
    let (good, defaced) = (ask(&server, "/good", &with).await, ask(&server, "/defaced", &with).await);
    assert!(good.result.is_ok() && defaced.result.is_ok(), "whether it works is another question");
    assert_eq!(told(&good, Metric::PortalSuspect), Some(0.0));
    assert_eq!(
        (told(&defaced, Metric::PortalSuspect), told(&defaced, Metric::PortalGambling)),
        (Some(1.0), Some(4.0))
    );
    assert_ne!(told(&good, Metric::PortalText), told(&defaced, Metric::PortalText));
    assert_ne!(told(&good, Metric::PortalTitle), told(&defaced, Metric::PortalTitle));
}

#[tokio::test]
async fn what_the_check_ignores_is_no_sign() {
    let server = serve(|_| page(DEFACED)).await;
    let with = [("portal", "true"), ("ignore", "nhà cái, casino")];
    let answer = ask(&server, "/", &with).await;
    assert_eq!(
        (told(&answer, Metric::PortalSuspect), told(&answer, Metric::PortalGambling)),
        (Some(0.0), Some(2.0))
    );
    let with = [("portal", "true"), ("suspect", "5")];
    assert_eq!(told(&ask(&server, "/", &with).await, Metric::PortalSuspect), Some(0.0));
}

#[tokio::test]
async fn the_page_of_an_error_is_not_looked_at() {
    let server = serve(|_| b"HTTP/1.1 500 X\r\ncontent-length: 5\r\n\r\nsorry".to_vec()).await;
    let answer = ask(&server, "/", &[("portal", "true")]).await;
    assert_eq!((answer.result, told(&answer, Metric::PortalText)), (Err(Failure::Status), None));
}

#[tokio::test]
async fn a_check_that_is_no_portal_check_looks_at_no_page() {
    let server = serve(|_| page(DEFACED)).await;
    assert_eq!(told(&ask(&server, "/", &[]).await, Metric::PortalSuspect), None);
}

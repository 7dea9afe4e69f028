//! Another certificate in time: at a third of the life of the one that is shown, and at once when that is over.
//!
//! ```text
//! a third ──▶ each uplink in turn ──▶ taken, kept ──▶ a third …
//!                └─ none: rest ──▶ again      └─ turned away: a person has to act; rest an hour
//! ```
//!
//! Nothing stops meanwhile: what is seen goes into the spool whether or not anybody takes it.

use super::Identity;
use crate::place::Finder;
use crate::uplink::{Uplink, post::Post};
use bytes::Bytes;
use haidang_daemon::clock::Clock;
use haidang_probe::enrol::{RENEW, Renew, Renewed};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Rest after a renewal that failed: this part of a life, between the two.
const REST: u32 = 60;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(600);
/// Rest after the collector said that the key is of no agent. Shorter ones would look like guessing to it.
const TURNED_AWAY: Duration = Duration::from_secs(3600);

/// Renews for ever.
pub async fn keep(
    identity: &Identity,
    uplinks: watch::Receiver<Vec<Arc<Uplink>>>,
    finder: &Finder,
    clock: &Clock,
) -> std::convert::Infallible {
    let mut told = false;
    let (_, mut rest) = identity.due(clock.utc_ms() / 1000);
    loop {
        tokio::time::sleep(rest).await;
        let tried = uplinks.borrow().clone();
        let (life, _) = identity.due(clock.utc_ms() / 1000);
        rest = match renew(identity, &tried, finder).await {
            Ok(()) => {
                told = false;
                tracing::info!("certificate renewed");
                identity.due(clock.utc_ms() / 1000).0 / 3
            }
            Err((reason, turned_away)) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(reason, turned_away, "certificate not renewed; trying on");
                }
                if turned_away { TURNED_AWAY } else { (life / REST).clamp(SHORTEST, LONGEST) }
            }
        };
    }
}

/// By the first uplink that brings an answer.
async fn renew(identity: &Identity, uplinks: &[Arc<Uplink>], finder: &Finder) -> Result<(), (String, bool)> {
    let request = identity.request().map_err(|error| (error.to_string(), false))?;
    // Structures of text always serialise.
    let body = Bytes::from(serde_json::to_vec(&Renew { request }).unwrap_or_default());
    let mut last = ("no uplink".to_owned(), false);
    for uplink in uplinks {
        let stranger = identity.stranger.clone();
        let post = Post::new(&uplink.plan, None, finder.clone(), Some(stranger));
        let post = post.map_err(|reason| (reason, false))?;
        match post.say(RENEW, &body).await {
            Ok(answer) => {
                let renewed = serde_json::from_slice::<Renewed>(&answer);
                let Renewed { certificate } = renewed.map_err(|error| (error.to_string(), false))?;
                return identity.renewed(&certificate).map_err(|error| (error.to_string(), false));
            }
            Err((reason, true)) => return Err((reason, true)),
            Err(other) => last = other,
        }
    }
    Err(last)
}

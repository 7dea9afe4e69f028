//! The agents' port: who it is to them, and where they enrol.

use super::{Place, ServeError};
use crate::authority::Authority;
use crate::config;
use crate::enrol::{Enrol, Terms};
use crate::fold::Fold;
use crate::registry::Roster;
use arc_swap::ArcSwap;
use haidang_daemon::clock::Clock;
use haidang_daemon::listen::Listener;
use std::sync::Arc;
use std::time::Duration;

/// The agents' port: plain where the configuration says so, else TLS by our own authority, with the configuration's
/// certificate for those who ask for no name of ours.
pub(super) async fn port(
    place: &Place,
    settings: &config::Settings,
    authority: &Authority,
) -> Result<Listener, ServeError> {
    let listen = &settings.agents;
    if listen.plain {
        return Ok(listen.bind(&place.config).await?);
    }
    let other = listen.tls.as_ref().map(|files| files.certified(&place.config)).transpose()?;
    Ok(listen.bind_tls(authority.tls(other)?).await?)
}

/// Where devices enrol on it.
pub(super) fn enrol(
    place: &Place,
    settings: &config::Settings,
    (authority, roster): (Arc<Authority>, Arc<ArcSwap<Roster>>),
    (fold, clock): (Fold, Clock),
    stamp_port: u16,
) -> Enrol {
    let config::Certificates { life_ms, silence_ms } = settings.certificates;
    let terms = Terms { life: Duration::from_millis(life_ms), silence: Duration::from_millis(silence_ms) };
    Enrol { data: place.data.clone(), authority, fold, roster, clock, terms, stamp_port }
}

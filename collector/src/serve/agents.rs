//! The agents' port: who it is to them, and where they enrol.

use super::{Place, ServeError};
use crate::authority::Authority;
use crate::config;
use crate::enrol::{Enrol, Terms};
use crate::fold::Fold;
use crate::registry::Roster;
use arc_swap::ArcSwap;
use haidang_daemon::clock::Clock;
use haidang_daemon::listen::{Listen, Listener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The agents' port: plain where the configuration says so, else TLS by our own authority.
pub(super) async fn port(settings: &config::Settings, authority: &Authority) -> Result<Listener, ServeError> {
    let config::Agents { address, plain } = settings.agents;
    if plain {
        return Ok(Listen::on(address).bind(Path::new("")).await?);
    }
    Ok(Listener::with_tls(address, authority.tls()?).await?)
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

//! SNMP notifications: traps of versions 1, 2c and 3, and informs, which are acknowledged (RFC 1157, RFC 3416, RFC 3414).
//!
//! ```text
//!                    community │ user ─▶ snmpTrapOID ─▶ class by CLASSES ─▶ auth-failure, port-down, …
//!                                        ifIndex, ifName, ifDescr ────────▶ port, port_index
//! ```
//!
//! Of the other values nothing is kept. Without credentials any community is heard, as a trap of these versions proves
//! nothing anyway, and no user; with credentials only theirs are, and users only authenticated.
//!
//! A receiver of informs is an authoritative engine: its id and its boots are kept in `DATA/trap-engine`, and written
//! before they are used, so that a message recorded before a restart is no valid one after it.

use super::ear::{Ear, Lost};
use super::unheard::{self, Unheard};
use super::{Said, Tools};
use crate::snmp::wire::{authentic, private};
use crate::spool::write_whole;
use async_snmp::notification::{
    Notification, NotificationAcceptance, NotificationReceiver, ReceivedNotification,
};
use async_snmp::v3::{AuthoritativeEngine, PersistedAuthoritativeEngine};
use async_snmp::{Oid, SecurityLevel, Value, VarBind, Version};
use haidang_probe::credential::{self, Credential};
use haidang_probe::event::{Event, EventKind, Field, MAX_VALUE_BYTES};
use haidang_probe::key::{hex, unhex};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Octets of the longest name of an interface (DisplayString of IF-MIB).
const MAX_PORT: usize = 64;
/// Octets of an engine id that is drawn at random, after its head.
const ENGINE: usize = 8;
/// Head of an engine id of enterprise 0 (reserved) in the format "octets" (RFC 3411 §5).
const ENGINE_HEAD: [u8; 5] = [0x80, 0, 0, 0, 5];

/// What a notification says by its name alone: standard ones (RFC 3418) and vendors' own.
const CLASSES: &[(&[u32], EventKind)] = &[
    (&[1, 3, 6, 1, 6, 3, 1, 1, 5, 1], EventKind::DeviceRestarted),
    (&[1, 3, 6, 1, 6, 3, 1, 1, 5, 2], EventKind::DeviceRestarted),
    (&[1, 3, 6, 1, 6, 3, 1, 1, 5, 3], EventKind::PortDown),
    (&[1, 3, 6, 1, 6, 3, 1, 1, 5, 4], EventKind::PortUp),
    (&[1, 3, 6, 1, 6, 3, 1, 1, 5, 5], EventKind::AuthFailure),
    // ciscoConfigManEvent, jnxCmCfgChange.
    (&[1, 3, 6, 1, 4, 1, 9, 9, 43, 2, 0, 1], EventKind::ConfigChanged),
    (&[1, 3, 6, 1, 4, 1, 2636, 4, 5, 0, 1], EventKind::ConfigChanged),
];

const IF_INDEX: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 1];
const IF_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 2];
const IF_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];

/// Where traps are taken, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The address, UDP.
    pub address: SocketAddr,
    /// Those whose traps are heard; of anybody where there are none.
    pub credentials: Vec<Credential>,
}

impl Settings {
    /// What the plan says of it. A credential the plan names and does not hold is left out, and none that is held means
    /// nobody is heard under one.
    pub fn of(said: &Said) -> Option<Settings> {
        let address = said.listening.traps?;
        let named = said.listening.credentials.iter().filter_map(|name| said.credentials.get(name));
        Some(Settings { address, credentials: named.cloned().collect() })
    }
}

/// Listens until it cannot.
pub async fn run(settings: Settings, ear: Ear, tools: Tools) -> io::Result<Infallible> {
    let receiver = receiver(&settings, &tools.directory).await?;
    let turned_away = Unheard::new(&ear, Lost::Garbled, || Some(turned_away(&receiver)));
    let overrun = Unheard::new(&ear, Lost::Overrun, || unheard::overrun(settings.address));
    let heard = hear_notifications(&receiver, &ear);
    tokio::try_join!(heard, turned_away.count_on(), overrun.count_on()).map(|(never, ..)| never)
}

/// Messages of version 3 that the receiver turned away by itself: of an engine or a user it does not know, signed wrongly,
/// too old. Wraps.
fn turned_away(receiver: &NotificationReceiver) -> u32 {
    let counts = [
        receiver.usm_unknown_engine_ids(),
        receiver.usm_unknown_usernames(),
        receiver.usm_wrong_digests(),
        receiver.usm_not_in_time_windows(),
        receiver.usm_unsupported_sec_levels(),
        receiver.usm_decryption_errors(),
    ];
    counts.into_iter().fold(0, u32::wrapping_add)
}

/// A receiver that stands at the address.
pub async fn receiver(settings: &Settings, directory: &Path) -> io::Result<NotificationReceiver> {
    let mut builder = NotificationReceiver::builder().bind(settings.address.to_string());
    let mut users = 0;
    let of_users_alone =
        !settings.credentials.is_empty() && settings.credentials.iter().all(|one| one.community.is_none());
    for one in settings.credentials.iter().filter(|one| one.wrong().is_none()) {
        if let Some(community) = &one.community {
            builder = builder.community(community.reveal().as_bytes().to_vec());
        } else if let Some(user) = &one.user {
            builder = builder
                .usm_user(user.clone().into_bytes(), |user| as_user(user, one))
                .map_err(io::Error::other)?;
            users += 1;
        }
    }
    if users > 0 {
        builder = builder.authoritative_engine(engine(&directory.join("trap-engine"))?);
    }
    let accepts = move |version: Version, level: Option<SecurityLevel>| match version {
        Version::V3 => level >= Some(SecurityLevel::AuthNoPriv),
        _ => !of_users_alone,
    };
    let builder = builder.acceptance_policy(move |sent| {
        if accepts(sent.version, sent.security_level) {
            NotificationAcceptance::Accept
        } else {
            NotificationAcceptance::Reject
        }
    });
    builder.build().await.map_err(io::Error::other)
}

fn as_user(
    user: async_snmp::v3::UsmUser,
    one: &Credential,
) -> async_snmp::CryptoResult<async_snmp::v3::UsmUser> {
    let password = |secret: &Option<credential::Secret>| {
        secret.as_ref().map(|secret| secret.reveal().as_bytes().to_vec()).unwrap_or_default()
    };
    match (one.auth, one.privacy) {
        (Some(auth), Some(privacy)) => user.auth_priv(
            authentic(auth),
            password(&one.auth_secret),
            private(privacy),
            password(&one.privacy_secret),
        ),
        (Some(auth), None) => user.auth(authentic(auth), password(&one.auth_secret)),
        (None, _) => Ok(user),
    }
}

/// The engine we are, one boot later than the last time.
fn engine(path: &Path) -> io::Result<AuthoritativeEngine> {
    let kept = std::fs::read_to_string(path).ok().and_then(|text| {
        let (id, boots) = text.trim().split_once(' ')?;
        PersistedAuthoritativeEngine::new(unhex(id)?, boots.parse().ok()?).ok()
    });
    let path = PathBuf::from(path);
    let keep = move |engine: &PersistedAuthoritativeEngine| -> io::Result<()> {
        write_whole(&path, format!("{} {}\n", hex(engine.engine_id()), engine.engine_boots()).as_bytes())
    };
    if let Some(before) = kept {
        return AuthoritativeEngine::restart(before, keep).map_err(io::Error::other);
    }
    let mut id = [0; ENGINE_HEAD.len() + ENGINE];
    id[..ENGINE_HEAD.len()].copy_from_slice(&ENGINE_HEAD);
    getrandom::fill(&mut id[ENGINE_HEAD.len()..]).map_err(io::Error::other)?;
    AuthoritativeEngine::install(id.to_vec(), keep).map_err(io::Error::other)
}

/// Hears one notification after the other. The receiver has acknowledged an inform by then; what is no message at all it
/// drops without a word.
pub async fn hear_notifications(receiver: &NotificationReceiver, ear: &Ear) -> io::Result<Infallible> {
    loop {
        let received = receiver.recv().await.map_err(io::Error::other)?;
        hear(&received, ear);
    }
}

/// One notification becomes an event, or is counted.
fn hear(received: &ReceivedNotification, ear: &Ear) {
    let (source, sent) = (received.source.ip().to_canonical(), &received.notification);
    let Ok(name) = sent.trap_oid() else { return ear.garbled(source) };
    let version = match sent.version() {
        Version::V1 => "1",
        Version::V2c => "2c",
        Version::V3 => "3",
        _ => "",
    };
    // A proxy sends version 1 for another device, and says which.
    let device = match sent {
        Notification::TrapV1 { trap, .. } => Some(IpAddr::from(trap.agent_addr())),
        _ => None,
    };
    let device = device.filter(|device| *device != source && !device.is_unspecified());
    ear.hear(source, class(&name), |event| {
        let event = said(event, version, &name, sent.varbinds());
        event.with(Field::Address, device.map(|device| device.to_string()).unwrap_or_default())
    });
}

/// What the notification `name` says with what it binds, added to `event`.
pub fn said(event: Event, version: &str, name: &Oid, bound: &[VarBind]) -> Event {
    let event = event.with(Field::Version, version).with(Field::Oid, whole(name.to_string()));
    bound.iter().fold(event, port)
}

/// What a value says of the interface, if it does.
fn port(event: Event, value: &VarBind) -> Event {
    let column = |column: &[u32]| value.oid.arcs().starts_with(column);
    match &value.value {
        Value::Integer(index) if column(IF_INDEX) => event.with(Field::PortIndex, index.to_string()),
        Value::OctetString(name)
            if (column(IF_NAME) || column(IF_DESCR)) && event.says(Field::Port).is_none() =>
        {
            let name = std::str::from_utf8(name).unwrap_or_default();
            let plain = name.len() <= MAX_PORT && !name.chars().any(char::is_control);
            event.with(Field::Port, if plain { name } else { "" })
        }
        _ => event,
    }
}

/// A name cut short would be another name: too long a one is none.
fn whole(name: String) -> String {
    if name.len() <= MAX_VALUE_BYTES { name } else { String::new() }
}

fn class(name: &Oid) -> EventKind {
    let known = CLASSES.iter().find(|(arcs, _)| *arcs == name.arcs());
    known.map_or(EventKind::TrapHeard, |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_keeps_its_id_and_counts_its_boots() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trap-engine");
        let first = engine(&path).unwrap();
        let second = engine(&path).unwrap();
        assert_eq!(first.engine_id(), second.engine_id());
        assert_eq!((first.engine_boots(), second.engine_boots()), (1, 2));
        std::fs::write(&path, "damaged").unwrap();
        assert_ne!(engine(&path).unwrap().engine_id(), first.engine_id(), "a new engine, not an old boot");
    }

    #[test]
    fn names_have_classes_and_interfaces_their_fields() {
        assert_eq!(class(&Oid::from_slice(&[1, 3, 6, 1, 6, 3, 1, 1, 5, 3])), EventKind::PortDown);
        assert_eq!(class(&Oid::from_slice(&[1, 3, 6, 1, 6, 3, 1, 1, 5, 3, 1])), EventKind::TrapHeard);
        let event = || Event::new(haidang_probe::moment::Moment::default(), EventKind::PortDown, "");
        let value = |column: &[u32], value| {
            let arcs: Vec<u32> = column.iter().copied().chain([7]).collect();
            VarBind { oid: Oid::from_slice(&arcs), value }
        };
        let name = |text: &'static str| Value::OctetString(text.as_bytes().into());
        let values = [
            value(IF_INDEX, Value::Integer(7)),
            value(IF_NAME, name("ge-0/0/7")),
            value(IF_DESCR, name("x")),
        ];
        let event_of = values.iter().fold(event(), port);
        assert_eq!(
            (event_of.says(Field::PortIndex), event_of.says(Field::Port)),
            (Some("7"), Some("ge-0/0/7"))
        );
        assert_eq!(port(event(), &value(IF_NAME, name("a\nb"))).says(Field::Port), None);
        assert_eq!(port(event(), &value(&[1, 3, 6, 1, 2, 1, 1, 5], name("sysName"))).fields, []);
    }
}

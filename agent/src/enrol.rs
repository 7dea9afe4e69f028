//! `haidang-agent enroll URL CODE`: this device becomes the agent of the site the code is for.
//!
//! ```text
//! code read ─▶ key made, kept ─▶ collector known by the code ─▶ {code, request} ─▶ certificate, orders
//!                                                  DATA/agent.yml, plan.yml, authority.pem, certificate.pem ◀┘
//! ```
//!
//! Done again with the same code after an answer that was lost it gives the same: the key stays.

use crate::identity::{self, FirstContact, Identity, IdentityError};
use crate::place::Finder;
use crate::plan::{self, kept};
use crate::spool::write_whole;
use crate::uplink::post::Post;
use bytes::Bytes;
use haidang_probe::enrol::{Code, ENROLL, Enroll, Enrolled, NotACode};
use haidang_probe::key;
use haidang_probe::plan::{Delivery, Orders, Plan, SPOOL_DIGESTS, SPOOL_RAW};
use serde::de::IgnoredAny;
use std::fs::DirBuilder;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Name of the agent's own file in its directory.
pub const FILE: &str = "agent.yml";
/// Limit of the spool, octets: weeks of outage for a gateway's checks.
const SPOOL_BYTES: u64 = 256 << 20;

/// Why a device did not enrol.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// What was typed is no code.
    #[error(transparent)]
    Code(#[from] NotACode),
    /// The device keeps no identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A file or directory cannot be written.
    #[error("write {}: {source}", .path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The collector is not reached, is another one than the code's, or refuses.
    #[error("enrol at {url}: {reason}")]
    Refused {
        /// Where.
        url: String,
        /// What came instead.
        reason: String,
    },
    /// What the collector answered makes no agent.
    #[error("the collector's answer: {0}")]
    Answer(String),
}

/// Enrols; gives the site. `directory` is made when missing.
pub async fn enroll(url: &str, code: &str, directory: &Path) -> Result<String, EnrolError> {
    let code = Code::parse(code)?;
    let refused = |reason: String| EnrolError::Refused { url: url.into(), reason };
    if !url.starts_with("https://") {
        return Err(refused("agents enrol over TLS; write https://".into()));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(disk(directory))?;
    let request = identity::key(directory)?;
    let body = Enroll { code: key::hex(code.secret()), request };
    let body = serde_json::to_vec(&body).map_err(|error| EnrolError::Answer(error.to_string()))?;
    let (contact, trust) = FirstContact::by(code)?;
    let post = Post::first(url, Finder::default(), trust).map_err(refused)?;
    let answer = post.say(ENROLL, &Bytes::from(body)).await.map_err(|(reason, _)| refused(hint(reason)))?;
    let answer: Enrolled = read(&answer)?;
    let authority = contact.authority().ok_or_else(|| refused("it showed no certificate".into()))?;
    let reached = post.address().await.map_err(refused)?;
    let stamp = SocketAddr::new(reached.ip(), answer.stamp_port);
    let plan = own(url, stamp, &answer)?;
    keep(directory, &plan, answer.orders.as_bytes())?;
    Identity::keep(directory, &authority, &answer.certificate)?;
    // What was kept must be of use at the next start.
    Identity::read(directory)?;
    Ok(answer.agent)
}

/// The agent's own file: how the collector is reached. All else its orders say.
fn own(url: &str, stamp: SocketAddr, answer: &Enrolled) -> Result<Plan, EnrolError> {
    let orders: Orders<IgnoredAny, IgnoredAny> = read(Delivery::read(answer.orders.as_bytes()).orders)?;
    let uplinks = orders.uplinks.into_iter().map(|way| way.reached_at(url.to_owned(), stamp)).collect();
    Ok(Plan {
        agent: answer.agent.clone(),
        secret: None,
        uplinks,
        authority: None,
        listen: None,
        flush: orders.flush,
        prompt: orders.prompt,
        spool_bytes: SPOOL_BYTES,
        spool_raw: SPOOL_RAW,
        spool_digests: SPOOL_DIGESTS,
        checks: Vec::new(),
        listeners: orders.listen,
        credentials: Vec::new(),
        known: orders.known,
    })
}

/// The own file and the orders, judged before either is written: what cannot run is not kept.
fn keep(directory: &Path, plan: &Plan, orders: &[u8]) -> Result<(), EnrolError> {
    let path = directory.join(FILE);
    let json = serde_json::to_string_pretty(plan).map_err(|error| EnrolError::Answer(error.to_string()))?;
    let text = format!("# Agent of site {}, enrolled. JSON is YAML; it may be edited.\n{json}\n", plan.agent);
    let own = plan::parse(&path, &text).map_err(|faults| EnrolError::Answer(faults.to_string()))?;
    own.with(orders).map_err(|refusal| EnrolError::Answer(refusal.to_string()))?;
    write_whole(&path, text.as_bytes()).map_err(disk(&path))?;
    kept::keep(directory, own.base(), orders).map_err(disk(&kept::path(directory)))
}

/// What a person should look at, where the words alone would not say it.
fn hint(reason: String) -> String {
    if reason.contains("UnknownIssuer") {
        return "whoever answers there is not the collector that gave out the code; check the address".into();
    }
    reason
}

fn read<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, EnrolError> {
    // The fault's words could repeat what is secret.
    serde_json::from_slice(text).map_err(|_| EnrolError::Answer("is not what a collector says".into()))
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> EnrolError {
    move |source| EnrolError::Disk { path: path.into(), source }
}

//! `agent add`, `agent approve`, `agent revoke`: who may speak for which site.

use super::make;
use crate::{Add, Named};
use anyhow::{Context, bail};
use fast_qr::qr::QRBuilder;
use haidang_collector::agent_file;
use haidang_collector::authority::Authority;
use haidang_collector::config::{Config, Settings};
use haidang_collector::registry::{Registry, RegistryError, replace};
use haidang_collector::serve;
use haidang_collector::topology::Topology;
use haidang_daemon::clock::Clock;
use haidang_daemon::pem;
use haidang_probe::credential::Credentials;
use haidang_probe::enrol::Code;
use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::net::SocketAddr;
use std::path::Path;

/// Prints a code for each site, or writes files.
pub fn add(add: &Add) -> anyhow::Result<()> {
    let Config { topology, collector: settings, credentials, .. } = serve::record(&add.place.config)?;
    let sites = if add.rehearsal { rehearsal(&topology) } else { add.sites.clone() };
    match &add.out {
        Some(out) => files(add, out, &sites, topology, (&settings, &credentials)),
        None if add.renew => rotate(add, &sites, &topology),
        None => invite(add, &sites, &topology, &settings),
    }
}

fn rehearsal(topology: &Topology) -> Vec<String> {
    let sites = topology.sites.iter().filter(|(_, site)| site.rehearsal && site.observe.has_agent());
    sites.map(|(id, _)| id.clone()).collect()
}

fn files(
    add: &Add,
    out: &Path,
    sites: &[String],
    mut topology: Topology,
    (settings, credentials): (&Settings, &Credentials),
) -> anyhow::Result<()> {
    // Before anybody is added: what is wrong with it is wrong for all.
    make(&add.place.data)?;
    let authority = pem::of_certificate(Authority::open(&add.place.data)?.certificate());
    agent_file::reached(settings)?;
    let (registry, secrets) = Registry::edit(&add.place.data, |registry| {
        let secrets = sites.iter().map(|site| registry.add(&topology, site, add.renew));
        let secrets = secrets.collect::<Result<Vec<_>, _>>()?;
        Ok((registry.clone(), secrets))
    })?;
    registry.assign(&mut topology);
    make(out)?;
    for (site, secret) in sites.iter().zip(&secrets) {
        let plan = agent_file::plan(&topology, (settings, credentials), site, secret, &authority)?;
        replace(&out.join(format!("{site}.yml")), agent_file::text(&plan).as_bytes())?;
    }
    Ok(())
}

/// New STAMP secrets for enrolled agents.
fn rotate(add: &Add, sites: &[String], topology: &Topology) -> anyhow::Result<()> {
    let without = Registry::edit(&add.place.data, |registry| {
        let mut without = Vec::new();
        for site in sites {
            if !registry.rotate(topology, site)? {
                without.push(site.clone());
            }
        }
        Ok(without)
    })?;
    if without.is_empty() {
        return Ok(());
    }
    bail!("not enrolled, so there is nothing to renew: {}", without.join(", "))
}

fn invite(add: &Add, sites: &[String], topology: &Topology, settings: &Settings) -> anyhow::Result<()> {
    if settings.agents.plain {
        bail!(
            "agents enrol over TLS, and `collector: {{agents: {{plain: true}}}}` says none; \
             leave `plain` out, or write files for agents on this machine with --out DIR"
        );
    }
    make(&add.place.data)?;
    let authority = Authority::open(&add.place.data)?;
    let now = Clock::machine()?.utc_ms();
    let codes = Registry::edit(&add.place.data, |registry| {
        let invited = sites.iter().map(|site| {
            let code = draw(&authority)?;
            registry.invite(topology, site, Code::hash(code.secret()), now)?;
            Ok((site, code))
        });
        invited.collect::<Result<Vec<_>, RegistryError>>()
    })?;
    let mut out = stdout();
    for (site, code) in codes {
        write!(out, "{}", told(site, &code, &url(add, settings)))?;
    }
    out.flush().context("print the code")
}

fn draw(authority: &Authority) -> Result<Code, RegistryError> {
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).map_err(RegistryError::Random)?;
    Ok(Code::new(secret, authority.certificate()))
}

/// Where a device reaches the agents' port, as far as it is known here.
fn url(add: &Add, settings: &Settings) -> String {
    let listened = settings.agents.address;
    match add.reach {
        Some(ip) => format!("https://{}", SocketAddr::new(ip, listened.port())),
        None if listened.ip().is_unspecified() => format!("https://COLLECTOR:{}", listened.port()),
        None => format!("https://{listened}"),
    }
}

fn told(site: &str, code: &Code, url: &str) -> String {
    let command = format!("haidang-agent enroll {url} {code}");
    let mut text = format!("{site}\n  {code}\n  once, within 24 hours, on the device:\n  {command}\n\n");
    // A command too long for any QR code is still there to read.
    if let Ok(drawn) = QRBuilder::new(command).build() {
        for line in drawn.to_str().lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text.push('\n');
    text
}

/// Ends quarantines.
pub fn approve(named: &Named) -> anyhow::Result<()> {
    each(named, "was not in quarantine", Registry::approve)
}

/// Ends whatever may speak for these sites.
pub fn revoke(named: &Named) -> anyhow::Result<()> {
    each(named, "had no agent to revoke", Registry::revoke)
}

fn each(named: &Named, otherwise: &str, act: fn(&mut Registry, &str) -> bool) -> anyhow::Result<()> {
    let without = Registry::edit(&named.data, |registry| {
        Ok(named.sites.iter().filter(|site| !act(registry, site)).cloned().collect::<Vec<_>>())
    })?;
    if without.is_empty() {
        return Ok(());
    }
    bail!("{otherwise}: {}", without.join(", "))
}

//! Certificates that end soon, or have ended: as any agent last saw them, by the collector's clock.

use super::{Asked, Judges, condition, standing::Certificate};
use crate::incident::{Cause, Kind, Root, RootKind, Severity, condition::Condition, ledger::View};
use crate::topology::{DeviceKind, Id};

/// A certificate that ends within this should be renewed now, ms.
const SOON: i64 = 14 * 86_400_000;
/// What was seen this long before the newest look may be of before a renewal, ms.
const RECENT: i64 = 300_000;

impl Judges {
    pub(super) fn certificates_ending(&self, view: &View) -> Vec<Condition> {
        let now = view.detector.now();
        let mut wrong = Vec::new();
        for (id, service) in &self.register.services {
            let seen = service.askers.iter().filter_map(|site| self.certificate(site, &service.asked));
            let sites = service.askers.iter().filter(|site| service.core.as_ref() != Some(site)).cloned();
            let root = || Root { kind: RootKind::Service, id: id.clone(), name: service.name.clone() };
            wrong.extend(ending(seen, now, root, sites, true));
        }
        for (site, place) in &self.register.sites {
            for (id, device) in &place.devices {
                let seen = device.checks.iter().filter_map(|asked| self.certificate(site, asked));
                let root = || Root { kind: RootKind::Device, id: id.clone(), name: device.name.clone() };
                let citizens = device.kind == DeviceKind::Portal;
                wrong.extend(ending(seen, now, root, [site.clone()], citizens));
            }
            let seen = place.own.iter().filter_map(|asked| self.certificate(site, asked));
            let name = || view.topology.sites.get(site).map_or(site, |record| &record.name).clone();
            let root = || Root { kind: RootKind::Site, id: site.clone(), name: name() };
            wrong.extend(ending(seen, now, root, [site.clone()], false));
        }
        wrong
    }

    fn certificate(&self, site: &str, asked: &Asked) -> Option<Certificate> {
        self.standing(site, asked.id)?.certificate()
    }
}

/// The condition of the certificate that ends first, if it ends soon. Past its end, citizens are turned away by
/// their browsers.
fn ending(
    seen: impl Iterator<Item = Certificate>,
    now: i64,
    root: impl FnOnce() -> Root,
    sites: impl IntoIterator<Item = Id>,
    citizens: bool,
) -> Option<Condition> {
    let seen: Vec<Certificate> = seen.filter(|seen| seen.fresh).collect();
    let newest = seen.iter().map(|seen| seen.last).max()?;
    let recent = seen.iter().filter(|seen| newest - seen.last <= RECENT);
    let first = recent.min_by_key(|seen| (seen.ends, seen.first))?;
    if first.ends.saturating_sub(now) >= SOON {
        return None;
    }
    let severity = if citizens && first.ends <= now { Severity::Critical } else { Severity::Warning };
    let since = first.first.max(first.ends.saturating_sub(SOON));
    Some(condition(root(), Kind::Certificate, severity, sites, since, vec![(Cause::Service, 1.0)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_ended_before_time_began_has_ended() {
        let seen = Certificate { ends: i64::MIN, first: 5, last: 5, fresh: true };
        let root = || Root { kind: RootKind::Service, id: "p".into(), name: "Cổng".into() };
        let wrong = ending([seen].into_iter(), 10, root, [], true).unwrap();
        assert_eq!((wrong.severity, wrong.since), (Severity::Critical, 5));
    }
}

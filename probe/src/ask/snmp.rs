//! SNMP: what a device's agent says of it. `10.82.1.2`, `switch.example:1161`, `@default-gateway`.
//!
//! ```text
//! with: {credential: lan}                     a name of `credentials:`; always said
//! with: {credential: lan, profile: mikrotik}  which tables are read; `auto` goes by the device's sysObjectID
//! with: {credential: lan, stations: true}     also which station (MAC address) is behind which port
//! ```

use super::place::{Endpoint, Place, is_port};
use super::{Words, Wrong, short};

/// What it takes.
pub const SETTINGS: &[&str] = &["credential", "profile", "stations"];

/// Names of the profiles an agent has.
pub const PROFILES: [&str; 10] =
    ["generic", "cisco", "huawei", "mikrotik", "juniper", "hpe", "aruba", "draytek", "fortinet", "apc"];

/// Port of SNMP (RFC 3417 §3.1).
const PORT: u16 = 161;

/// Whom to ask, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where its agent listens.
    pub device: Endpoint,
    /// Name of the credential.
    pub credential: String,
    /// Name of the profile; none where the device's sysObjectID decides.
    pub profile: Option<&'static str>,
    /// Whether the stations behind its ports are told, each by its MAC address.
    pub stations: bool,
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        let device = device(words.target)?;
        let said = words.text("credential").map(str::trim).filter(|name| !name.is_empty());
        let credential = said.ok_or_else(|| {
            let told = "missing setting `credential`; write `with: {credential: NAME}`, NAME being one of `credentials:`";
            Wrong::setting("credential", told)
        })?;
        let profiles: Vec<_> =
            PROFILES.iter().map(|name| (*name, Some(*name))).chain([("auto", None)]).collect();
        let profile = words.one_of("profile", &profiles)?.flatten();
        Ok(Question { device, credential: credential.into(), profile, stations: words.truth("stations")? })
    }
}

/// A place, with or without a port.
fn device(target: &str) -> Result<Endpoint, Wrong> {
    if target == "@resolver" {
        return Ok(Endpoint { place: Place::Resolver, port: PORT });
    }
    let bare_v6 = target.matches(':').count() > 1 && !target.starts_with('[');
    match target.rsplit_once(':') {
        Some((_, port)) if !bare_v6 && !target.ends_with(']') => {
            if is_port(port) {
                return Ok(target.parse()?);
            }
            let port = short(port);
            Err(Wrong::target(format!(
                "`{port}` is not a port; write a number from 1 to 65535, or none for {PORT}"
            )))
        }
        _ => Ok(Endpoint { place: target.parse()?, port: PORT }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::With;

    fn asked(target: &str, with: &[(&str, &str)]) -> Result<Question, Wrong> {
        let with: With = with.iter().copied().collect();
        Question::of(&Words { target, with: &with })
    }

    #[test]
    fn a_port_is_said_only_where_it_is_another() {
        for (target, device) in [
            ("10.82.1.2", "10.82.1.2:161"),
            ("10.82.1.2:1161", "10.82.1.2:1161"),
            ("fd00::2", "[fd00::2]:161"),
            ("[fd00::2]", "[fd00::2]:161"),
            ("[fd00::2]:1161", "[fd00::2]:1161"),
            ("switch.example", "switch.example:161"),
            ("@default-gateway", "@default-gateway:161"),
        ] {
            let question = asked(target, &[("credential", "lan")]).unwrap();
            assert_eq!(question.device, device.parse().unwrap(), "{target}");
            assert_eq!((question.profile, question.stations), (None, false));
        }
        for wrong in ["", "10.82.1.2:0", "10.82.1.2:snmp", "10.82.1.300", "@gateway"] {
            assert_eq!(asked(wrong, &[("credential", "lan")]).unwrap_err().setting, None, "{wrong}");
        }
    }

    #[test]
    fn nobody_is_asked_without_a_credential() {
        assert_eq!(asked("10.82.1.2", &[]).unwrap_err().setting.as_deref(), Some("credential"));
        let named = |profile| asked("10.82.1.2", &[("credential", "lan"), ("profile", profile)]);
        assert_eq!(named("apc").unwrap().profile, Some("apc"));
        assert_eq!(named("auto").unwrap().profile, None);
        assert_eq!(named("cisko").unwrap_err().setting.as_deref(), Some("profile"));
    }
}

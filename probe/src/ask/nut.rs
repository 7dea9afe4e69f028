//! A UPS watched by Network UPS Tools: `127.0.0.1/ups`, `nas.example:3493/apc`, `[fd00::9]/ups`.

use super::place::{Endpoint, Place};
use super::{Words, Wrong, short};

/// It takes none.
pub const SETTINGS: &[&str] = &[];

/// Port of upsd (IANA `nut`).
pub const PORT: u16 = 3493;

/// Longest name of a UPS.
const MAX_NAME: usize = 64;

/// Which UPS, and who watches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where upsd listens.
    pub endpoint: Endpoint,
    /// The name it has in upsd's `ups.conf`.
    pub ups: String,
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        let (place, ups) =
            words.target.rsplit_once('/').filter(|(_, ups)| is_name(ups)).ok_or_else(|| {
                let told = "needs the name of a UPS behind a `/`, as in 127.0.0.1/ups";
                Wrong::target(format!("`{}` {told}", short(words.target)))
            })?;
        let endpoint = match place.parse::<Place>() {
            Ok(place) => Endpoint { place, port: PORT },
            Err(_) => place.parse()?,
        };
        Ok(Question { endpoint, ups: ups.into() })
    }
}

/// A section's name in `ups.conf`: nothing that would end a line or a word of the protocol.
fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ups_is_a_place_and_a_name() {
        for (target, port, ups) in [
            ("127.0.0.1/ups", PORT, "ups"),
            ("nas.example:3999/apc-1", 3999, "apc-1"),
            ("[fd00::9]/ups", PORT, "ups"),
            ("[fd00::9]:3493/ups", PORT, "ups"),
            ("@default-gateway/ups", PORT, "ups"),
        ] {
            let question: Question = target.parse().unwrap();
            assert_eq!((question.endpoint.port, &question.ups[..]), (port, ups), "{target}");
        }
        for wrong in
            ["", "ups", "127.0.0.1", "127.0.0.1/", "/ups", "127.0.0.1/a b", "127.0.0.1/a\nLOGIN", "a:0/ups"]
        {
            assert!(wrong.parse::<Question>().is_err(), "{wrong:?}");
        }
    }
}

//! As whom a device is asked: the words of a credential, and what makes them one.
//!
//! ```text
//! {id: lan,  version: 2c, community: …}
//! {id: v3ro, version: 3, user: …, auth: sha-256, auth_secret: …, privacy: aes-128, privacy_secret: …}
//! ```
//!
//! A credential travels in [`Orders`](crate::plan::Orders) over the authenticated channel and is kept by its readers
//! alone: [`Secret`] has no `Display`, and its `Debug` shows nothing.

use crate::ask::Wrong;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Most credentials of a province, and of one agent.
pub const MAX_CREDENTIALS: usize = 64;
/// Octets of the longest community.
pub const MAX_COMMUNITY: usize = 64;
/// Octets of the longest user name (RFC 3414 §2.4).
pub const MAX_USER: usize = 32;
/// Octets of the shortest (RFC 3414 §11.2) and the longest password.
pub const PASSWORD: (usize, usize) = (8, 128);

/// Credentials by name.
pub type Credentials = BTreeMap<String, Credential>;

/// A text nobody is shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself: for whoever speaks to the device, and nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($variant:ident $word:literal $help:literal;)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $(#[doc = $help] #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Each with its word in a file.
            pub const WORDS: &'static [(&'static str, $name)] = &[$(($word, $name::$variant)),*];
        }
    };
}

words! {
    /// Version of the protocol.
    Version {
        V1 "1" "RFC 1157: no 64-bit counters, no bulk requests, no secrecy";
        V2c "2c" "RFC 1901: no secrecy";
        V3 "3" "RFC 3414: users, authentication, secrecy";
    }
}

words! {
    /// How messages of version 3 are authenticated.
    Auth {
        Md5 "md5" "HMAC-MD5-96 (RFC 3414); weak";
        Sha1 "sha-1" "HMAC-SHA-96 (RFC 3414); weak";
        Sha224 "sha-224" "HMAC-SHA-224 (RFC 7860)";
        Sha256 "sha-256" "HMAC-SHA-256 (RFC 7860)";
        Sha384 "sha-384" "HMAC-SHA-384 (RFC 7860)";
        Sha512 "sha-512" "HMAC-SHA-512 (RFC 7860)";
    }
}

words! {
    /// How messages of version 3 are kept secret.
    Privacy {
        Aes128 "aes-128" "CFB-AES-128 (RFC 3826)";
        Aes192 "aes-192" "CFB-AES-192, keys as in draft-blumenthal-aes-usm";
        Aes256 "aes-256" "CFB-AES-256, keys as in draft-blumenthal-aes-usm";
        Aes192Cisco "aes-192-cisco" "CFB-AES-192, keys as in draft-reeder-snmpv3-usm-3desede";
        Aes256Cisco "aes-256-cisco" "CFB-AES-256, keys as in draft-reeder-snmpv3-usm-3desede";
    }
}

/// As whom to ask. Only what [`Credential::wrong`] finds nothing wrong with is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// Its name, by which checks ask for it.
    pub id: String,
    /// Version of the protocol.
    pub version: Version,
    /// Of versions 1 and 2c.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community: Option<Secret>,
    /// Of version 3, as are those below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How its messages are authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The password of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret: Option<Secret>,
    /// How its messages are kept secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Privacy>,
    /// The password of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_secret: Option<Secret>,
}

impl Credential {
    /// What keeps it from being used, if something does: the key it is about, and what to write instead. It never
    /// repeats a secret.
    pub fn wrong(&self) -> Option<Wrong> {
        let found = if self.version == Version::V3 { self.wrong_user() } else { self.wrong_community() };
        found.map(|(key, message)| Wrong::setting(key, message))
    }

    fn wrong_community(&self) -> Option<(&'static str, String)> {
        let of_version_3 = [
            ("user", self.user.is_some()),
            ("auth", self.auth.is_some()),
            ("auth_secret", self.auth_secret.is_some()),
            ("privacy", self.privacy.is_some()),
            ("privacy_secret", self.privacy_secret.is_some()),
        ];
        if let Some((key, _)) = of_version_3.into_iter().find(|(_, said)| *said) {
            return Some((key, format!("`{key}` is of version 3; leave it out, or write `version: 3`")));
        }
        let length = self.community.as_ref().map_or(0, |community| community.0.len());
        (!(1..=MAX_COMMUNITY).contains(&length)).then(|| {
            ("community", format!("versions 1 and 2c need `community`, 1 to {MAX_COMMUNITY} octets"))
        })
    }

    fn wrong_user(&self) -> Option<(&'static str, String)> {
        if self.community.is_some() {
            return Some(("community", "`community` is of versions 1 and 2c; version 3 has `user`".into()));
        }
        if !(1..=MAX_USER).contains(&self.user.as_ref().map_or(0, String::len)) {
            return Some(("user", format!("version 3 needs `user`, 1 to {MAX_USER} octets")));
        }
        if self.privacy.is_some() && self.auth.is_none() {
            return Some(("privacy", "`privacy` needs `auth` as well (RFC 3414 §1.4.3)".into()));
        }
        wrong_password(("auth", self.auth.is_some()), ("auth_secret", self.auth_secret.as_ref())).or_else(
            || {
                let secret = self.privacy_secret.as_ref();
                wrong_password(("privacy", self.privacy.is_some()), ("privacy_secret", secret))
            },
        )
    }
}

/// A method and its password stand together.
fn wrong_password(
    (method, said): (&'static str, bool),
    (key, password): (&'static str, Option<&Secret>),
) -> Option<(&'static str, String)> {
    let (least, most) = PASSWORD;
    match (said, password) {
        (false, None) => None,
        (false, Some(_)) => Some((key, format!("`{key}` needs `{method}` as well"))),
        (true, Some(secret)) if (least..=most).contains(&secret.0.len()) => None,
        (true, _) => Some((key, format!("`{method}` needs `{key}`, {least} to {most} octets"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(json: &str) -> Credential {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn each_version_has_its_own_words() {
        for good in [
            r#"{"id":"a","version":"1","community":"c"}"#,
            r#"{"id":"a","version":"2c","community":"c"}"#,
            r#"{"id":"a","version":"3","user":"u"}"#,
            r#"{"id":"a","version":"3","user":"u","auth":"sha-256","auth_secret":"12345678"}"#,
            r#"{"id":"a","version":"3","user":"u","auth":"sha-512","auth_secret":"12345678","privacy":"aes-256","privacy_secret":"12345678"}"#,
        ] {
            assert_eq!(credential(good).wrong(), None, "{good}");
        }
        for (bad, key) in [
            (r#"{"id":"a","version":"2c"}"#, "community"),
            (r#"{"id":"a","version":"2c","community":""}"#, "community"),
            (r#"{"id":"a","version":"2c","community":"c","user":"u"}"#, "user"),
            (r#"{"id":"a","version":"3","community":"c"}"#, "community"),
            (r#"{"id":"a","version":"3"}"#, "user"),
            (r#"{"id":"a","version":"3","user":"u","auth":"sha-256"}"#, "auth_secret"),
            (
                r#"{"id":"a","version":"3","user":"u","auth":"sha-256","auth_secret":"1234567"}"#,
                "auth_secret",
            ),
            (r#"{"id":"a","version":"3","user":"u","auth_secret":"12345678"}"#, "auth_secret"),
            (
                r#"{"id":"a","version":"3","user":"u","privacy":"aes-128","privacy_secret":"12345678"}"#,
                "privacy",
            ),
        ] {
            assert_eq!(credential(bad).wrong().unwrap().setting.as_deref(), Some(key), "{bad}");
        }
    }

    #[test]
    fn secrets_are_in_no_debug_text() {
        let text = r#"{"id":"a","version":"3","user":"u","auth":"sha-256","auth_secret":"5ec4e7-one","privacy":"aes-128","privacy_secret":"5ec4e7-two"}"#;
        let shown = format!("{:?}", credential(text));
        assert!(shown.contains("Sha256") && !shown.contains("5ec4e7"), "{shown}");
        let short = credential(&text.replace("5ec4e7-two", "5ec4e7"));
        assert!(!short.wrong().unwrap().message.contains("5ec4e7"));
    }
}

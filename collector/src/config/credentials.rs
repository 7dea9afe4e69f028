//! As whom agents ask devices. Held beside the record, which is journalled and holds no secret.

use super::{
    draft::{Draft, Kind},
    fields::{Fields, one_of},
    tree::{Node, Tree},
    value,
};
use haidang_probe::check::Check;
use haidang_probe::credential::{Auth, Credential, MAX_CREDENTIALS, Privacy, Secret, Version};
use std::{path::Path, sync::Arc};

impl Draft {
    /// `{id: lan, version: 2c, community: …}`, or of version 3 with `user`, `auth`, `auth_secret`, `privacy` and
    /// `privacy_secret`.
    pub(super) fn credential(&mut self, file: &Arc<Path>, tree: &Tree) {
        let Some(mut fields) = self.fields(file, tree, "a credential") else { return };
        let id = self.identity(&mut fields, Kind::Credential, "id", value::id);
        let version = fields.must("version", version);
        let said = Credential {
            id: id.clone(),
            version: version.unwrap_or(Version::V2c),
            community: fields.optional("community", secret),
            user: fields.optional("user", value::text),
            auth: fields.optional("auth", |tree| one_of(tree, Auth::WORDS)),
            auth_secret: fields.optional("auth_secret", secret),
            privacy: fields.optional("privacy", |tree| one_of(tree, Privacy::WORDS)),
            privacy_secret: fields.optional("privacy_secret", secret),
        };
        let readable = version.is_some() && fields.sound();
        if readable && let Some(wrong) = said.wrong() {
            let place = fields.place_of(wrong.setting.as_deref().unwrap_or("id"));
            fields.fault(place.fault(wrong.message));
        }
        if self.credentials.len() == MAX_CREDENTIALS {
            fields.fault(fields.place().fault(format!("more than {MAX_CREDENTIALS} credentials")));
        }
        self.credentials.insert(id, said);
        self.faults(fields.done());
    }

    /// The credential that `check` names must exist once all files are read.
    pub(super) fn asks_as(&mut self, fields: &Fields<'_>, check: &Check) {
        if let Some(id) = check.credential() {
            self.refers(Kind::Credential, id, "credential", fields.place_within("with", "credential"));
        }
    }
}

/// `3` is a number to YAML, and `2c` a word.
fn version(tree: &Tree) -> Result<Version, String> {
    match &tree.node {
        Node::Number(number) => {
            let word = Tree { location: tree.location, node: Node::Text(number.to_string()) };
            one_of(&word, Version::WORDS)
        }
        _ => one_of(tree, Version::WORDS),
    }
}

/// What is wrong with a secret is said without it.
fn secret(tree: &Tree) -> Result<Secret, String> {
    match &tree.node {
        Node::Text(text) if !text.chars().any(char::is_control) => Ok(text.clone().into()),
        Node::Text(_) => Err("holds a line break or control character".into()),
        Node::Number(_) | Node::Truth(_) => Err("expected text; write it in quotes".into()),
        _ => Err("expected text".into()),
    }
}

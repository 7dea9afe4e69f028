//! The edge from a site to its lines: any of them, or all of them, said explicitly and naming each.

use super::{
    fields::Fields,
    tree::{Node, Tree},
    value,
};
use crate::topology::{Id, Needs};
use haidang_daemon::yaml::{self, Fault};
use std::{path::Path, sync::Arc};

/// What a person writes in place of a list without its edge.
const SAY_EDGE: &str = "say `any_of:` (one line is enough) or `all_of:` (each is needed) before the lines, \
                        as in `needs: {any_of: [\"28249-1\", \"28249-2\"]}`";

/// What a word makes of the lines it names.
type Edge = fn(Vec<Id>) -> Needs;

/// Which of `lines` the site needs: exactly the site's own, each once.
pub(super) fn needs(file: &Arc<Path>, fields: &mut Fields<'_>, lines: &[Id], core: bool) -> Needs {
    let said = fields.any("needs");
    match said {
        Some(tree) if core => {
            let fault = tree.place(file).fault("the core site needs no line; leave `needs` out");
            fields.fault(fault);
        }
        // Without lines there is a fault already, and nothing to choose from.
        _ if core || lines.is_empty() => {}
        None => {
            let fault = fields.place().fault(format!("missing key `needs`; {SAY_EDGE}"));
            fields.fault(fault);
        }
        Some(tree) => match edge(file, tree) {
            Ok((edge, named)) => return edge(needed_lines(file, fields, named, lines)),
            Err(fault) => fields.fault(fault),
        },
    }
    Needs::AnyOf(Vec::new())
}

/// One of the two edges, and what stands behind it.
fn edge<'t>(file: &Arc<Path>, tree: &'t Tree) -> Result<(Edge, &'t Tree), Fault> {
    let wrong = |message: &str| tree.place(file).fault(format!("`needs`: {message}"));
    let Node::Table(entries) = &tree.node else {
        return Err(wrong(&format!("found {}; {SAY_EDGE}", tree.looks())));
    };
    let [(key, named)] = &entries[..] else {
        return Err(wrong(&format!("found {} keys; {SAY_EDGE}", entries.len())));
    };
    match key.value.as_str() {
        "any_of" => Ok((Needs::AnyOf, named)),
        "all_of" => Ok((Needs::AllOf, named)),
        other => Err(Fault::at(file, key.referenced, yaml::unknown("key", other, ["any_of", "all_of"]))),
    }
}

fn needed_lines(file: &Arc<Path>, fields: &mut Fields<'_>, tree: &Tree, lines: &[Id]) -> Vec<Id> {
    let Node::List(items) = &tree.node else {
        let message = format!("`needs`: expected a list of lines, found {}", tree.looks());
        fields.fault(tree.place(file).fault(message));
        return Vec::new();
    };
    let mut named: Vec<Id> = Vec::new();
    for item in items {
        let wrong = match value::id(item) {
            Ok(id) if !lines.contains(&id) => {
                yaml::unknown("line of this site", &id, lines.iter().map(String::as_str))
            }
            Ok(id) if named.contains(&id) => format!("line `{id}` is named twice; name it once"),
            Ok(id) => {
                named.push(id);
                continue;
            }
            Err(wrong) => wrong,
        };
        fields.fault(item.place(file).fault(format!("`needs`: {wrong}")));
    }
    for left_out in lines.iter().filter(|line| !named.contains(line)) {
        let message = format!("`needs`: does not name line `{left_out}` of this site; name every line of it");
        fields.fault(tree.place(file).fault(message));
    }
    named
}

//! The official list of provinces and communes since 2025-07-01, and what is known of communes altogether: what the
//! configuration says goes before it.
//!
//! `communes.csv`: province, code, kind (`x` xã, `p` phường, `k` đặc khu), name; `provinces.csv`: code, name.
//! Whence: `NOTICE.md` beside them.

use super::text::fold;
use crate::topology::Id;
use haidang_daemon::yaml::suggest;
use std::collections::BTreeMap;

const COMMUNES: &str = include_str!("communes.csv");
const PROVINCES: &str = include_str!("provinces.csv");
/// First day of the communes in the list.
pub const SINCE: &str = "2025-07-01";

/// What is known of a commune.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Name without its kind.
    pub name: String,
    /// `xã`, `phường` or `đặc khu`.
    pub kind: String,
    /// When it ended and what took it over, where the configuration says so.
    pub ended: Option<(String, Option<Id>)>,
}

impl Known {
    /// As in `phường Đạo Thạnh`.
    pub fn full(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// Name of the province with this code.
pub fn province(code: &str) -> Option<&'static str> {
    PROVINCES
        .lines()
        .filter_map(|line| line.split_once(','))
        .find(|(known, _)| *known == code)
        .map(|(_, name)| name)
}

/// Codes and names of all provinces.
pub fn provinces() -> impl Iterator<Item = (&'static str, &'static str)> {
    PROVINCES.lines().filter_map(|line| line.split_once(','))
}

/// Province, code, and what is known of each commune of the list.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str, Known)> {
    COMMUNES.lines().filter_map(|line| {
        let mut fields = line.splitn(4, ',');
        let (province, code, kind, name) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let kind = match kind {
            "p" => "phường",
            "k" => "đặc khu",
            _ => "xã",
        };
        Some((province, code, Known { name: name.into(), kind: kind.into(), ended: None }))
    })
}

/// The communes a sheet may name.
#[derive(Clone, Debug, Default)]
pub struct Communes {
    /// Those of the province by code, and all that the configuration records.
    known: BTreeMap<Id, Known>,
    /// Province of every code elsewhere.
    elsewhere: BTreeMap<&'static str, &'static str>,
}

impl Communes {
    /// What `recorded` says, and the list's communes of `province`; of every province where the code is none of
    /// the list's.
    pub fn new(code: &str, recorded: BTreeMap<Id, Known>) -> Communes {
        let everywhere = province(code).is_none();
        let mut communes = Communes { known: recorded, elsewhere: BTreeMap::new() };
        for (of, code_of_it, known) in all() {
            if everywhere || of == code {
                communes.known.entry(code_of_it.into()).or_insert(known);
            } else {
                communes.elsewhere.insert(code_of_it, of);
            }
        }
        communes
    }

    /// What is known of a code.
    pub fn get(&self, code: &str) -> Option<&Known> {
        self.known.get(code)
    }

    /// The one commune that stands today and is called so.
    pub fn named(&self, name: &str) -> Option<&Id> {
        let standing = self.known.iter().filter(|(_, known)| known.ended.is_none());
        let mut same = standing.filter(|(_, known)| known.is_called(name)).map(|(code, _)| code);
        same.next().filter(|_| same.next().is_none())
    }

    /// Why a code is none of the province's, with the likely right one: by its name in the sheet, else by its digits.
    pub fn unknown(&self, code: &str, name: Option<&str>) -> String {
        if let Some(of) = self.elsewhere.get(code) {
            let whose = province(of).unwrap_or_default();
            return format!("`{code}` is a commune of {whose} (province {of})");
        }
        let meant = name.and_then(|name| self.named(name).cloned());
        let near = meant.or_else(|| suggest(code, self.known.keys().map(String::as_str)).map(str::to_owned));
        match near.and_then(|near| self.known.get(&near).map(|known| (near.clone(), known.full()))) {
            Some((near, called)) => format!("unknown commune `{code}`; did you mean `{near}`, {called}?"),
            None => format!(
                "unknown commune `{code}`; write a code of the General Statistics Office, as in 28249"
            ),
        }
    }

    /// The name nearest to one that nobody has.
    pub fn near(&self, name: &str) -> Option<(&Id, &Known)> {
        let folded = bare(name).1;
        let names: Vec<(String, &Id)> =
            self.known.iter().map(|(code, known)| (fold(&known.name), code)).collect();
        let near = suggest(&folded, names.iter().map(|(name, _)| name.as_str()))?;
        let (_, code) = names.iter().find(|(name, _)| name == near)?;
        self.known.get(*code).map(|known| (*code, known))
    }
}

impl Known {
    /// Whether `name` means this commune: with or without its kind and diacritics.
    pub fn is_called(&self, name: &str) -> bool {
        let (kind, bare) = bare(name);
        let own = fold(&self.name);
        let alike = own == bare || own == fold(name);
        alike && kind.is_none_or(|kind| kind == self.kind || own == fold(name))
    }
}

/// A name in two: the kind it begins with, if it does, and the rest, folded.
fn bare(name: &str) -> (Option<&'static str>, String) {
    let folded = fold(name);
    let kinds = [
        ("xa ", "xã"),
        ("x ", "xã"),
        ("phuong ", "phường"),
        ("p ", "phường"),
        ("dac khu ", "đặc khu"),
        ("dk ", "đặc khu"),
    ];
    for (word, kind) in kinds {
        if let Some(rest) = folded.strip_prefix(word) {
            return (Some(kind), rest.to_owned());
        }
    }
    (None, folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_names_are_one_within_a_province() {
        assert_eq!(all().count(), 3321);
        assert_eq!(provinces().count(), 34);
        let mut names = std::collections::BTreeSet::new();
        for (of, code, known) in all() {
            assert!(province(of).is_some() && code.len() == 5);
            assert!(names.insert((of, known.full())), "{code}");
        }
    }

    #[test]
    fn a_commune_is_known_by_its_names_and_what_the_configuration_says_goes_before() {
        let own = Known { name: "Tên Khác".into(), kind: "phường".into(), ended: None };
        let communes = Communes::new("82", BTreeMap::from([("28249".to_owned(), own)]));
        assert_eq!(communes.get("28249").map(Known::full).as_deref(), Some("phường Tên Khác"));
        let communes = Communes::new("82", BTreeMap::new());
        for name in ["Đạo Thạnh", "phường Đạo Thạnh", "P. Dao Thanh", "ĐẠO THẠNH"] {
            assert_eq!(communes.named(name).map(String::as_str), Some("28249"), "{name}");
        }
        assert_eq!(communes.named("xã Đạo Thạnh"), None);
    }

    #[test]
    fn an_unknown_code_is_told_with_the_likely_one() {
        let communes = Communes::new("82", BTreeMap::new());
        for (code, name, said) in [
            ("28248", Some("Đạo Thạnh"), "unknown commune `28248`; did you mean `28249`, phường Đạo Thạnh?"),
            ("28248", None, "unknown commune `28248`; did you mean `28249`, phường Đạo Thạnh?"),
            ("00004", None, "`00004` is a commune of Hà Nội (province 01)"),
        ] {
            assert_eq!(communes.unknown(code, name), said);
        }
    }
}

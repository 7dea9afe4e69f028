//! Ids for what a sheet names without one: readable, unique, and never changed once given.
//!
//! A site is `COMMUNE-WORD`, a line `SITE-NUMBER`: `28249-tt`, `28249-tt-1`. The word is short for the offices every
//! commune has, else the name itself. Once written, a site is found again by its name or a circuit, not by this rule.

use super::text::{fold, slug};
use crate::topology::Id;
use std::collections::BTreeSet;

/// Longest word of a site's id, so that its lines' ids stay within the record's limit.
const WORD_MAX: usize = 40;
/// What the offices of a commune are called, and the word that stands for them.
const OFFICES: [(&str, &str); 9] = [
    ("trung tam phuc vu hanh chinh cong", "tt"),
    ("dang uy", "du"),
    ("uy ban nhan dan", "ub"),
    ("ubnd", "ub"),
    ("hoi dong nhan dan", "hd"),
    ("uy ban mat tran to quoc", "mt"),
    ("cong an", "ca"),
    ("ban chi huy quan su", "qs"),
    ("tram y te", "yt"),
];

/// An id for a site that is none of `taken`.
pub fn site(commune: &str, name: &str, taken: &BTreeSet<Id>) -> Id {
    let folded = fold(name);
    let office =
        OFFICES.iter().find(|(begin, _)| folded.starts_with(begin)).map(|(_, word)| (*word).to_owned());
    let word = office.unwrap_or_else(|| short(&slug(name)));
    let first = format!("{commune}-{word}");
    let mut others = (2_u32..).map(|number| format!("{first}-{number}"));
    if taken.contains(&first) { others.find(|id| !taken.contains(id)).unwrap_or(first) } else { first }
}

/// An id for a line of `site` that is none of `taken`.
pub fn line(site: &str, taken: &BTreeSet<Id>) -> Id {
    let mut numbered = (1_u32..).map(|number| format!("{site}-{number}"));
    numbered.find(|id| !taken.contains(id)).unwrap_or_default()
}

/// Whole words up to the limit.
fn short(slug: &str) -> String {
    if slug.is_empty() {
        return "diem".into();
    }
    if slug.len() <= WORD_MAX {
        return slug.to_owned();
    }
    let cut = &slug[..WORD_MAX];
    cut.rsplit_once('-').map_or(cut, |(whole, _)| whole).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_for_the_offices_and_never_given_twice() {
        let mut taken = BTreeSet::new();
        let mut give = |name: &str| {
            let id = site("28249", name, &taken);
            taken.insert(id.clone());
            id
        };
        assert_eq!(give("Trung tâm Phục vụ hành chính công phường Đạo Thạnh"), "28249-tt");
        assert_eq!(give("Trung tâm phục vụ hành chính công cơ sở 2"), "28249-tt-2");
        assert_eq!(give("Đảng ủy phường"), "28249-du");
        assert_eq!(give("Trường THCS Xuân Diệu"), "28249-truong-thcs-xuan-dieu");
        assert_eq!(give("???"), "28249-diem");
        let long = give("Trung tâm điều hành và giám sát an toàn thông tin mạng của tỉnh");
        assert_eq!(long, "28249-trung-tam-dieu-hanh-va-giam-sat-an-toan");
        assert_eq!(line("28249-tt", &BTreeSet::from(["28249-tt-1".into()])), "28249-tt-2");
    }
}

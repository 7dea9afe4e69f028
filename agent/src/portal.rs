//! A look at a portal's page, for defacement. Octets in, figures out: nothing of the page is kept or sent.
//!
//! ```text
//!  octets ─▶ page: words, where they stand ─┬▶ fingerprint of the visible text, of the title ─┐
//!                                           └▶ signs: gambling phrases that count             ├▶ samples
//!                                                                 hidden links ───────────────┘     │
//!                 known: the page this check is used to ─▶ distance; events when it changes ◀───────┘
//! ```
//!
//! A page is suspect when what is seen, and [`HIDDEN`] times what hides, reach the check's `suspect`.

pub mod fingerprint;
pub mod known;
pub mod letters;
pub mod page;
pub mod signs;
mod tag;

use fingerprint::Text;
use haidang_probe::ask::http::Portal;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Sample;
use page::{Page, Place, Sight};
use signs::Signs;

/// What one phrase that hides weighs: nobody hides a word by accident.
pub const HIDDEN: u64 = 3;

/// Words of a title that are looked at.
const MAX_TITLE: usize = 64;

/// One look at one page.
#[derive(Clone, Debug)]
pub struct Look {
    page: Page,
    gathered: Gathered,
    suspect: u32,
}

#[derive(Clone, Debug, Default)]
struct Gathered {
    text: Text,
    words: u64,
    title: Vec<String>,
    signs: Signs,
    links: u64,
}

impl Look {
    /// Nothing seen yet.
    pub fn new(asked: &Portal) -> Look {
        let gathered = Gathered { signs: Signs::ignoring(&asked.ignore), ..Gathered::default() };
        Look { page: Page::default(), gathered, suspect: asked.suspect }
    }

    /// More of the page.
    pub fn take(&mut self, octets: &[u8]) {
        let gathered = &mut self.gathered;
        self.page.take(octets, &mut |sight| gathered.see(sight));
    }

    /// What was seen, once the page has ended.
    pub fn samples(mut self) -> Vec<Sample> {
        let gathered = &mut self.gathered;
        self.page.end(&mut |sight| gathered.see(sight));
        let (seen, hidden) = (gathered.signs.seen(), gathered.signs.hidden());
        let suspect = seen.saturating_add(HIDDEN * hidden) >= u64::from(self.suspect);
        let sample = |metric, value| Sample { metric, part: String::new(), value };
        vec![
            sample(Metric::PortalWords, gathered.words as f64),
            sample(Metric::PortalText, gathered.text.fingerprint() as f64),
            sample(Metric::PortalTitle, fingerprint::exact(&gathered.title) as f64),
            sample(Metric::PortalGambling, (seen + hidden) as f64),
            sample(Metric::PortalHidden, hidden as f64),
            sample(Metric::PortalHiddenLinks, gathered.links as f64),
            sample(Metric::PortalSuspect, f64::from(u8::from(suspect))),
        ]
    }
}

impl Gathered {
    fn see(&mut self, sight: Sight<'_>) {
        let Sight::Word(word, place) = sight else {
            self.links += 1;
            return;
        };
        self.signs.word(word, place);
        // Dates and counters of visitors are not what a page says.
        if word.bytes().all(|octet| octet.is_ascii_digit()) {
            return;
        }
        match place {
            Place::Seen => {
                self.words += 1;
                self.text.word(word);
            }
            Place::Title if self.title.len() < MAX_TITLE => self.title.push(word.into()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(page: &str, suspect: u32) -> impl Fn(Metric) -> Option<f64> + use<> {
        let mut look = Look::new(&Portal { ignore: Vec::new(), suspect });
        look.take(page.as_bytes());
        let samples = look.samples();
        move |metric| samples.iter().find(|sample| sample.metric == metric).map(|sample| sample.value)
    }

    const PORTAL: &str = "<title>Xã Mỹ An</title><p>Cổng thông tin điện tử. Lượt truy cập: 1234</p>\
        <p>Công an xã tuyên truyền phòng chống cờ bạc, cá cược trên mạng</p>";

    #[test]
    fn a_portal_that_warns_of_gambling_is_not_suspect() {
        let seen = look(PORTAL, 3);
        assert_eq!((seen(Metric::PortalGambling), seen(Metric::PortalSuspect)), (Some(0.0), Some(0.0)));
        assert_eq!(seen(Metric::PortalWords), Some(21.0));
    }

    #[test]
    fn hidden_links_of_gambling_make_it_suspect_and_leave_its_text_as_it_is() {
        let before = look(PORTAL, 3);
        let defaced = format!("{PORTAL}<div style=display:none><a href=https://x.example>nhà cái</a></div>");
        let after = look(&defaced, 3);
        assert_eq!(after(Metric::PortalText), before(Metric::PortalText));
        assert_eq!((after(Metric::PortalHidden), after(Metric::PortalHiddenLinks)), (Some(1.0), Some(1.0)));
        assert_eq!(after(Metric::PortalSuspect), Some(1.0));
        assert_eq!(look(&defaced, 4)(Metric::PortalSuspect), Some(0.0), "as many as the check says");
    }

    #[test]
    fn a_counter_of_visitors_changes_nothing() {
        let (one, other) = (look(PORTAL, 3), look(&PORTAL.replace("1234", "1235"), 3));
        assert_eq!(one(Metric::PortalText), other(Metric::PortalText));
        assert_eq!(one(Metric::PortalTitle), other(Metric::PortalTitle));
    }
}

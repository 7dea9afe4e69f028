//! All series of one check at one site, in chunks of 20 minutes.
//!
//! The one or two chunks written last are open; the others are packed. A late row unpacks its chunk, and the
//! one not written for longest is packed in its stead.

use super::page::{Cell, Page};
use haidang_probe::metric::Metric;
use std::collections::BTreeMap;

/// Length of a chunk.
pub(super) const CHUNK_MS: i64 = 1_200_000;
/// Chunks open at once.
const OPEN: usize = 2;
/// Rows of a chunk: a check asked ten times a second. It bounds what unpacking a chunk for a late row costs.
const ROWS: usize = 12_000;

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// It counts.
    New,
    /// One of that millisecond was there.
    Repeat,
    /// The chunk holds [`ROWS`].
    Full,
}

/// Series that share their instants.
#[derive(Default)]
pub(super) struct Strip {
    /// The column of each series.
    series: BTreeMap<Metric, BTreeMap<String, u16>>,
    width: usize,
    chunks: BTreeMap<i64, Chunk>,
    /// Chunks open, written last at the end.
    open: Vec<i64>,
}

enum Chunk {
    Open(Page),
    Packed(Box<[u8]>),
}

/// Number of the chunk that holds the instant `at`.
pub(super) fn chunk_of(at: i64) -> i64 {
    at.div_euclid(CHUNK_MS)
}

impl Strip {
    /// How many series it has.
    pub fn series(&self) -> usize {
        self.width
    }

    /// Octets of its packed chunks.
    pub fn packed(&self) -> usize {
        let sizes = self.chunks.values().map(|chunk| match chunk {
            Chunk::Packed(bytes) => bytes.len(),
            Chunk::Open(_) => 0,
        });
        sizes.sum()
    }

    /// The columns of `values`, making at most `room` new series; and how many values found no room or are
    /// no number.
    pub fn columns(&mut self, values: &[(Metric, &str, f64)], room: usize) -> (Vec<(u16, f64)>, u64) {
        let most = (self.width + room).min(usize::from(u16::MAX));
        let mut columns = Vec::with_capacity(values.len());
        for &(metric, part, value) in values.iter().filter(|(_, _, value)| value.is_finite()) {
            let known = self.series.get(&metric).and_then(|parts| parts.get(part)).copied();
            if known.is_none() && self.width >= most {
                continue;
            }
            let column = known.unwrap_or(self.width as u16);
            if known.is_none() {
                self.series.entry(metric).or_default().insert(part.to_owned(), column);
                self.width += 1;
            }
            columns.push((column, value));
        }
        let refused = (values.len() - columns.len()) as u64;
        (columns, refused)
    }

    /// Puts a row in its place, if it is new and there is room.
    pub fn insert(&mut self, at: i64, columns: &[(u16, f64)]) -> Inserted {
        let number = chunk_of(at);
        let chunk = self.chunks.entry(number).or_insert_with(|| Chunk::Open(Page::default()));
        if let Chunk::Packed(bytes) = chunk {
            *chunk = Chunk::Open(Page::unpack(bytes));
        }
        let Chunk::Open(page) = chunk else { return Inserted::Full };
        let offset = (at - number * CHUNK_MS) as u32;
        let inserted = match (page.has(offset), page.rows() < ROWS) {
            (true, _) => Inserted::Repeat,
            (false, false) => Inserted::Full,
            (false, true) => {
                page.insert(offset, columns);
                Inserted::New
            }
        };
        self.touch(number);
        inserted
    }

    fn touch(&mut self, number: i64) {
        if self.open.last() == Some(&number) {
            return;
        }
        self.open.retain(|open| *open != number);
        self.open.push(number);
        if self.open.len() <= OPEN {
            return;
        }
        let idle = self.open.remove(0);
        if let Some(chunk) = self.chunks.get_mut(&idle)
            && let Chunk::Open(page) = chunk
        {
            *chunk = Chunk::Packed(page.pack());
        }
    }

    /// Lets chunks before `horizon` go; says whether anything is left.
    pub fn keep_from(&mut self, horizon: i64) -> bool {
        self.chunks = self.chunks.split_off(&horizon);
        self.open.retain(|open| *open >= horizon);
        !self.chunks.is_empty()
    }

    /// Calls `take` with the start and content of each bucket of the series asked for, within `from..to`.
    pub fn cells(
        &self,
        metric: Metric,
        part: Option<&str>,
        from: i64,
        to: i64,
        mut take: impl FnMut(i64, &Cell),
    ) {
        let parts = self.series.get(&metric).into_iter().flatten();
        let wanted: Vec<u16> =
            parts.filter(|(p, _)| part.is_none_or(|wanted| wanted == **p)).map(|(_, n)| *n).collect();
        if wanted.is_empty() || from >= to {
            return;
        }
        let from = from.div_euclid(super::BUCKET_MS) * super::BUCKET_MS;
        for (number, chunk) in self.chunks.range(chunk_of(from)..=chunk_of(to - 1)) {
            let unpacked;
            let page = match chunk {
                Chunk::Open(page) => page,
                Chunk::Packed(bytes) => {
                    unpacked = Page::unpack(bytes);
                    &unpacked
                }
            };
            for cell in wanted.iter().flat_map(|column| page.column(*column)) {
                let at = number * CHUNK_MS + i64::from(cell.slot) * super::BUCKET_MS;
                if at >= from && at < to {
                    take(at, cell);
                }
            }
        }
    }
}

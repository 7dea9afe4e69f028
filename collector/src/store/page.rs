//! Twenty minutes of one check: when its rows were seen, and each series folded into buckets of 10 s.
//!
//! ```text
//! packed = raw length (u32 LE) | zstd( rows | columns )
//! rows    = count | per row: zigzag of how the gap to the row before changed          all numbers LEB128
//! columns = count | per column: number, cells | slot gaps | sample counts | 8 planes of octets
//!           planes: the bit patterns of min ^ min before, max ^ min, avg ^ min, octet by octet
//! ```
//!
//! A steady check costs its jitter alone; values near each other share their leading octets, which become
//! runs of zeros in the planes.

use super::{BUCKET_MS, Point};
use std::collections::BTreeMap;

/// Speed over size: a level more saves 2 %.
const LEVEL: i32 = 1;
/// No packed page unpacks to more: 1,200,000 rows at 10 octets and the cells of 20,000 series are beyond any
/// that was made here.
const RAW_MAX: usize = 64 << 20;

/// One bucket of one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    /// Which bucket of the page.
    pub slot: u16,
    /// Samples in it.
    pub count: u64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Sum.
    pub sum: f64,
}

impl Cell {
    fn of(slot: u16, value: f64) -> Cell {
        Cell { slot, count: 1, min: value, max: value, sum: value }
    }

    /// Adds the samples of another.
    pub fn merge(&mut self, other: &Cell) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
    }

    /// The cell as a point of an answer.
    pub fn point(self, at: i64) -> Point {
        Point { at, min: self.min, avg: self.sum / self.count as f64, max: self.max, count: self.count }
    }
}

/// A chunk's content.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Page {
    /// Milliseconds from the page's start, in order.
    rows: Vec<u32>,
    columns: BTreeMap<u16, Vec<Cell>>,
}

impl Page {
    /// Puts a row in; `false` when a row of that millisecond is there.
    pub fn insert(&mut self, offset: u32, values: &[(u16, f64)]) -> bool {
        if self.rows.last().is_none_or(|last| *last < offset) {
            self.rows.push(offset);
        } else {
            match self.rows.binary_search(&offset) {
                Ok(_) => return false,
                Err(place) => self.rows.insert(place, offset),
            }
        }
        let slot = (i64::from(offset) / BUCKET_MS) as u16;
        for &(column, value) in values {
            let cell = Cell::of(slot, shorten(value));
            let cells = self.columns.entry(column).or_default();
            match cells.binary_search_by_key(&slot, |cell| cell.slot) {
                Ok(place) => cells[place].merge(&cell),
                Err(place) => cells.insert(place, cell),
            }
        }
        true
    }

    /// How many rows were seen.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Whether a row of that millisecond was seen.
    pub fn has(&self, offset: u32) -> bool {
        self.rows.last().is_some_and(|last| *last >= offset) && self.rows.binary_search(&offset).is_ok()
    }

    /// The buckets of a column, in order.
    pub fn column(&self, column: u16) -> &[Cell] {
        self.columns.get(&column).map_or(&[], Vec::as_slice)
    }

    /// The page in few octets.
    pub fn pack(&self) -> Box<[u8]> {
        let mut raw = Vec::new();
        put(&mut raw, self.rows.len() as u64);
        let (mut last, mut gap) = (0_i64, 0_i64);
        for row in &self.rows {
            let next = i64::from(*row) - last;
            put(&mut raw, zigzag(next - gap));
            (last, gap) = (i64::from(*row), next);
        }
        put(&mut raw, self.columns.len() as u64);
        for (column, cells) in &self.columns {
            put(&mut raw, u64::from(*column));
            put_cells(&mut raw, cells);
        }
        let mut packed = (raw.len() as u32).to_le_bytes().to_vec();
        // Compressing memory into memory fails only for want of memory; a page lost then is told by its gap.
        packed.extend(zstd::bulk::compress(&raw, LEVEL).unwrap_or_default());
        packed.into()
    }

    /// The page that [`Page::pack`] packed.
    pub fn unpack(packed: &[u8]) -> Page {
        let whole = || {
            let (length, body) = packed.split_first_chunk::<4>()?;
            let length = (u32::from_le_bytes(*length) as usize).min(RAW_MAX);
            let raw = zstd::bulk::decompress(body, length).ok()?;
            Page::read(&mut raw.as_slice())
        };
        whole().unwrap_or_default()
    }

    fn read(raw: &mut &[u8]) -> Option<Page> {
        let mut page = Page::default();
        let (mut last, mut gap) = (0_i64, 0_i64);
        for _ in 0..get(raw)? {
            gap += unzigzag(get(raw)?);
            last += gap;
            page.rows.push(last as u32);
        }
        for _ in 0..get(raw)? {
            let column = get(raw)? as u16;
            page.columns.insert(column, get_cells(raw)?);
        }
        Some(page)
    }
}

fn put_cells(raw: &mut Vec<u8>, cells: &[Cell]) {
    put(raw, cells.len() as u64);
    let mut before = 0;
    for cell in cells {
        put(raw, u64::from(cell.slot - before));
        before = cell.slot;
    }
    for cell in cells {
        put(raw, cell.count);
    }
    let mut before = 0;
    let patterns: Vec<[u8; 8]> = cells
        .iter()
        .flat_map(|cell| {
            let min = cell.min.to_bits();
            let avg = shorten(cell.sum / cell.count as f64).to_bits();
            let changed = [min ^ before, cell.max.to_bits() ^ min, avg ^ min];
            before = min;
            changed.map(u64::to_be_bytes)
        })
        .collect();
    (0..8).for_each(|plane| raw.extend(patterns.iter().map(|pattern| pattern[plane])));
}

fn get_cells(raw: &mut &[u8]) -> Option<Vec<Cell>> {
    let cells = get(raw)? as usize;
    let mut slots = Vec::new();
    let mut slot = 0;
    for _ in 0..cells {
        slot += get(raw)? as u16;
        slots.push(slot);
    }
    let counts: Option<Vec<u64>> = (0..cells).map(|_| get(raw)).collect();
    let counts = counts?;
    let width = cells * 3;
    let (planes, rest) = raw.split_at_checked(width * 8)?;
    *raw = rest;
    let pattern =
        |n: usize| (0..8).fold(0_u64, |bits, plane| bits << 8 | u64::from(planes[plane * width + n]));
    let mut min = 0;
    let cell = |n: usize| {
        min ^= pattern(n * 3);
        let max = f64::from_bits(pattern(n * 3 + 1) ^ min);
        let avg = f64::from_bits(pattern(n * 3 + 2) ^ min);
        let count = counts[n];
        Cell { slot: slots[n], count, min: f64::from_bits(min), max, sum: avg * count as f64 }
    };
    Some((0..cells).map(cell).collect())
}

/// A whole number as it is; a fraction to the 24 bits of a single-precision number.
fn shorten(value: f64) -> f64 {
    let short = f64::from(value as f32);
    if value.fract() == 0.0 || !short.is_finite() || short == 0.0 { value } else { short }
}

fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// LEB128.
fn put(raw: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        raw.push(n as u8 | 0x80);
        n >>= 7;
    }
    raw.push(n as u8);
}

fn get(raw: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let (octet, rest) = raw.split_first()?;
        *raw = rest;
        n |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_page_reads_back() {
        let mut page = Page::default();
        for n in 0..1_000_u32 {
            let wobble = (n * 7919) % 13;
            page.insert(n * 1_100 + wobble, &[(0, 1.0), (3, 0.01 + f64::from(wobble) / 3000.0)]);
        }
        page.insert(5, &[(1, 9_007_199_254_740_991.0)]);
        let back = Page::unpack(&page.pack());
        assert_eq!(back.rows, page.rows);
        for (column, cells) in &page.columns {
            for (kept, cell) in back.column(*column).iter().zip(cells) {
                assert_eq!(
                    (kept.slot, kept.count, kept.min, kept.max),
                    (cell.slot, cell.count, cell.min, cell.max)
                );
                assert!((kept.sum - cell.sum).abs() <= cell.sum.abs() * 1e-7);
            }
            assert_eq!(back.column(*column).len(), cells.len());
        }
    }

    #[test]
    fn whole_numbers_are_exact_and_fractions_near() {
        let exact = |value: f64| shorten(value).to_bits() == value.to_bits();
        assert!(exact(9_007_199_254_740_991.0));
        assert!((shorten(0.123_456_789) - 0.123_456_789).abs() < 1e-8);
        assert!(exact(1e-300), "too small for single precision");
    }

    #[test]
    fn what_is_no_page_is_an_empty_one() {
        assert_eq!(Page::unpack(&[]), Page::default());
        assert_eq!(Page::unpack(&[255, 255, 255, 255, 1, 2, 3]), Page::default());
        assert_eq!(Page::read(&mut [200_u8, 1].as_slice()), None);
    }
}

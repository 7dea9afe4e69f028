//! Small parts shared by packing and unpacking: tables of repeated things, differences, whole numbers.

use super::{Refusal, refusal::within};
use std::collections::BTreeMap;

/// A table that gives each different thing an index, in order of first use.
pub(super) struct Table<T> {
    index: BTreeMap<T, u32>,
    rows: Vec<T>,
    /// What was asked for last: samples come interface by interface.
    last: u32,
}

impl<T: Ord + Clone> Table<T> {
    pub fn new() -> Self {
        Table { index: BTreeMap::new(), rows: Vec::new(), last: 0 }
    }

    pub fn index_of(&mut self, thing: &T) -> u32 {
        if self.rows.get(self.last as usize) != Some(thing) {
            self.last = self.place(thing);
        }
        self.last
    }

    fn place(&mut self, thing: &T) -> u32 {
        if let Some(&index) = self.index.get(thing) {
            return index;
        }
        let index = self.rows.len() as u32;
        self.index.insert(thing.clone(), index);
        self.rows.push(thing.clone());
        index
    }

    pub fn into_rows(self, what: &'static str, limit: usize) -> Result<Vec<T>, Refusal> {
        within(self.rows.len(), what, limit)?;
        Ok(self.rows)
    }
}

/// The row a column names.
pub(super) fn at<T>(table: &[T], index: u32) -> Result<&T, Refusal> {
    table.get(index as usize).ok_or(Refusal::Garbled("an index beyond its table"))
}

/// Columns of one message have a row each for the same things.
pub(super) fn same_length(rows: usize, columns: &[usize]) -> Result<(), Refusal> {
    let equal = columns.iter().all(|&length| length == rows);
    if equal { Ok(()) } else { Err(Refusal::Garbled("columns of different lengths")) }
}

/// Microseconds of a monotonic clock, written as differences.
#[derive(Default)]
pub(super) struct Micros(u64);

impl Micros {
    /// The difference to the row before. Microseconds of a u64 of nanoseconds fit an i64 with room to spare.
    pub fn pack(&mut self, mono_ns: u64) -> i64 {
        let micros = mono_ns / 1_000;
        let delta = micros as i64 - self.0 as i64;
        self.0 = micros;
        delta
    }

    /// Nanoseconds of the row this difference belongs to.
    pub fn unpack(&mut self, delta: i64) -> Result<u64, Refusal> {
        let micros = self.0.checked_add_signed(delta).ok_or(Refusal::Garbled("a time before boot"))?;
        self.0 = micros;
        micros.checked_mul(1_000).ok_or(Refusal::Garbled("a time beyond the clock"))
    }
}

/// Largest magnitude up to which every whole number is a double of its own.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// The value as a whole number, if it is one that reads back bit for bit (−0 and 2^60 do not).
pub(super) fn whole(value: f64) -> Option<i64> {
    let is_whole = value.abs() <= WHOLE && (value as i64 as f64).to_bits() == value.to_bits();
    is_whole.then_some(value as i64)
}

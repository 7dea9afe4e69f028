//! Reading many values of one device, and what that may cost.
//!
//! ```text
//! step     40 ──▶ 25 ──▶ 10 ──▶ GETNEXT of 10 ──▶ GETNEXT of 1     values one request asks for
//!              too big, or no answer: one down; STEADY runs without: one up
//! ```
//!
//! A table is read by all its columns at once, each with its own place; a column ends where its subtree does. An OID
//! that is not greater than the one before it ends the run: it would never end by itself.

use super::wire::{Fault, Oid, Session, Value};
use haidang_probe::outcome::Failure;

/// Values of one run.
pub const MAX_VALUES: usize = 65_536;
/// Octets of the values of one run.
pub const MAX_OCTETS: usize = 4 << 20;
/// Columns asked for in one request.
const COLUMNS: usize = 12;
/// OIDs of one GET.
const AT_ONCE: usize = 24;
/// Runs without trouble after which a device is asked for more at once again.
const STEADY: u32 = 100;

/// How one request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Bulk(usize),
    Next(usize),
}

/// 40 values of a counter table stay inside 1,500 octets, and so do those of the few more that make whole rows.
const STEPS: [Step; 5] = [Step::Bulk(40), Step::Bulk(25), Step::Bulk(10), Step::Next(10), Step::Next(1)];
const FIRST_NEXT: usize = 3;

/// How much a device is asked for at once: learned, between a profile's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    step: usize,
    first: usize,
    steady: u32,
}

impl Pace {
    /// For a device that takes bulk requests or not, and no more than `values` at once.
    pub fn new(bulk: bool, values: usize) -> Pace {
        let fits = |step: &Step| match step {
            Step::Bulk(most) => bulk && *most <= values,
            Step::Next(_) => true,
        };
        let first = STEPS.iter().position(fits).unwrap_or(FIRST_NEXT);
        Pace { step: first, first, steady: 0 }
    }

    /// Values one request asks for.
    pub fn values(self) -> usize {
        match STEPS[self.step] {
            Step::Bulk(values) | Step::Next(values) => values,
        }
    }

    /// A run went well.
    pub fn went_well(&mut self) {
        self.steady += 1;
        if self.steady >= STEADY && self.step > self.first {
            self.step -= 1;
            self.steady = 0;
        }
    }

    /// Whether to ask once more, for less: what a device has no answer to may be too much for it, and some answer bulk
    /// requests alone with an error or with octets nobody can read.
    fn eases(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::TooBig | Fault::Failed(Failure::Timeout) => self.lower(),
            Fault::Failed(Failure::SnmpError | Failure::Protocol) => {
                matches!(STEPS[self.step], Step::Bulk(_)) && self.lower()
            }
            _ => false,
        }
    }

    /// Less at once; false when there is nothing less.
    fn lower(&mut self) -> bool {
        self.steady = 0;
        self.step += 1;
        let lower = self.step < STEPS.len();
        self.step = self.step.min(STEPS.len() - 1);
        lower
    }
}

/// A device's answers to one run.
pub struct Asking<'a> {
    session: &'a Session,
    pace: &'a mut Pace,
    /// Values told so far.
    pub values: usize,
    octets: usize,
    /// Requests sent so far.
    pub requests: usize,
}

/// A column under way: where it begins, and how far it was read.
struct Column {
    nth: usize,
    last: Oid,
    rows: usize,
}

impl<'a> Asking<'a> {
    /// Of `session`, as much at once as `pace` says.
    pub fn new(session: &'a Session, pace: &'a mut Pace) -> Asking<'a> {
        Asking { session, pace, values: 0, octets: 0, requests: 0 }
    }

    /// Whether the device speaks version 1: no 64-bit counters.
    pub fn is_version_1(&self) -> bool {
        self.session.is_version_1()
    }

    /// The values of `oids` that there are.
    pub async fn get(&mut self, oids: &[Oid]) -> Result<Vec<(Oid, Value)>, Fault> {
        let mut told = Vec::with_capacity(oids.len());
        for some in oids.chunks(AT_ONCE) {
            let mut some = some.to_vec();
            while !some.is_empty() {
                self.requests += 1;
                match self.session.get(&some).await {
                    Ok(pairs) => {
                        told.extend(pairs.into_iter().filter(|(_, value)| *value != Value::Absent));
                        break;
                    }
                    // Version 1 refuses all for one that is missing.
                    Err(Fault::Missing(place)) if place < some.len() => _ = some.remove(place),
                    Err(fault) => return Err(fault),
                }
            }
        }
        for (_, value) in &told {
            self.take(value).map_err(Fault::Failed)?;
        }
        Ok(told)
    }

    /// Reads the subtrees `roots`, at most `rows` values of each: `row` is given which root, the rest of the OID, and
    /// the value.
    ///
    /// # Errors
    /// [`Failure::SnmpOrder`], [`Failure::SnmpLimit`], or why the device does not answer.
    pub async fn columns(
        &mut self,
        roots: &[Oid],
        rows: usize,
        mut row: impl FnMut(usize, &[u32], Value),
    ) -> Result<(), Fault> {
        for (chunk, some) in roots.chunks(COLUMNS).enumerate() {
            let column = |(nth, root): (usize, &Oid)| Column {
                nth: chunk * COLUMNS + nth,
                last: root.clone(),
                rows: 0,
            };
            let mut open: Vec<Column> = some.iter().enumerate().map(column).collect();
            while !open.is_empty() {
                let pairs = self.request(&mut open).await?;
                let asked = open.len().min(self.pace.values());
                self.place(pairs, &mut open, asked, (roots, rows), &mut row).map_err(Fault::Failed)?;
            }
        }
        Ok(())
    }

    /// What follows each open column, as much as the device gives. Columns that version 1 says have ended are closed.
    async fn request(&mut self, open: &mut Vec<Column>) -> Result<Vec<(Oid, Value)>, Fault> {
        loop {
            let asked = open.len().min(self.pace.values());
            let oids: Vec<Oid> = open[..asked].iter().map(|column| column.last.clone()).collect();
            self.requests += 1;
            let answer = match STEPS[self.pace.step] {
                _ if oids.is_empty() => return Ok(Vec::new()),
                Step::Bulk(values) if !self.session.is_version_1() => {
                    self.session.bulk(&oids, rows(values, asked)).await
                }
                Step::Bulk(_) | Step::Next(_) => self.session.next(&oids).await,
            };
            let something = |pairs: &Vec<_>| !pairs.is_empty();
            match answer
                .and_then(|pairs| Some(pairs).filter(something).ok_or(Fault::Failed(Failure::Protocol)))
            {
                Ok(pairs) => return Ok(pairs),
                Err(Fault::Missing(place)) if place < asked => _ = open.remove(place),
                Err(fault) if self.pace.eases(fault) => {}
                Err(Fault::TooBig) => return Err(Fault::Failed(Failure::SnmpError)),
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Hands out what came, and moves or closes the columns it belongs to. `asked` of them were in the request.
    fn place(
        &mut self,
        pairs: Vec<(Oid, Value)>,
        open: &mut Vec<Column>,
        asked: usize,
        (roots, rows): (&[Oid], usize),
        row: &mut impl FnMut(usize, &[u32], Value),
    ) -> Result<(), Failure> {
        let mut ended = vec![false; asked];
        for (nth, (oid, value)) in pairs.into_iter().enumerate() {
            let (column, ended) = (&mut open[nth % asked], &mut ended[nth % asked]);
            let root = &roots[column.nth];
            if *ended || value == Value::End || !oid.starts_with(root) || oid.len() == root.len() {
                *ended = true;
                continue;
            }
            if oid.arcs() <= column.last.arcs() {
                return Err(Failure::SnmpOrder);
            }
            if column.rows == rows {
                return Err(Failure::SnmpLimit);
            }
            self.take(&value)?;
            column.rows += 1;
            row(column.nth, &oid.arcs()[root.len()..], value);
            column.last = oid;
        }
        let mut place = 0;
        open.retain(|_| {
            place += 1;
            !ended.get(place - 1).copied().unwrap_or(false)
        });
        Ok(())
    }

    fn take(&mut self, value: &Value) -> Result<(), Failure> {
        self.values += 1;
        self.octets += value.size();
        let within = self.values <= MAX_VALUES && self.octets <= MAX_OCTETS;
        if within { Ok(()) } else { Err(Failure::SnmpLimit) }
    }
}

/// Rows of `columns` columns that are nearest to so many values.
fn rows(values: usize, columns: usize) -> u32 {
    ((values + columns / 2) / columns).max(1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_asked_for_less_until_it_answers_and_more_after_a_while() {
        let mut pace = Pace::new(true, 40);
        let mut steps = vec![pace.values()];
        while pace.lower() {
            steps.push(pace.values());
        }
        assert_eq!(steps, [40, 25, 10, 10, 1]);
        for _ in 0..STEADY {
            pace.went_well();
        }
        assert_eq!(pace.values(), 10);
        assert_eq!([rows(40, 11), rows(25, 11), rows(10, 10), rows(40, 1)], [4, 2, 1, 40]);
        assert_eq!((Pace::new(true, 25).values(), Pace::new(false, 40).values()), (25, 10));
    }
}

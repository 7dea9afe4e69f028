//! A sealed hour of one series: few octets, each proved by a checksum.
//!
//! ```text
//! chunk  = crc32 of the rest (u32 LE) | form (1 octet) | samples | times | values        numbers are LEB128
//! form   = version 1 (4 bits) | 0 | times packed (1 bit) | values: 0 runs, 1 wholes, 2 millionths, 3 patterns
//! times  = first, from the window's start | step | exceptions | per exception: samples since the last, shift
//!        | first | length | pco of the gaps                                   when too many are exceptions
//! values = per run: length | value token (see `number`)                       when it seldom changes
//!        | pco of integers or of bit patterns
//! ```
//!
//! Times lie on a grid, and a sample beside its place is an exception; one more than half a step beside it
//! moves the grid. The modes of pco are named rather than searched for: trying them doubles the time.
//!
//! What reads back is what was written, bit by bit. What is no chunk is [`Garbled`]: octets are not trusted,
//! nor is a length in them.

use super::number::{Scale, Values, get, put, unzigzag, zigzag};
use super::stream::{POINTS, Sample};
use pco::data_types::Number;
use pco::wrapped::{FileCompressor, FileDecompressor};
use pco::{ChunkConfig, DeltaSpec, ModeSpec, PagingSpec};

/// The octets are no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of samples is garbled")]
pub(super) struct Garbled;

const VERSION: u8 = 1 << 4;
const TIMES_PACKED: u8 = 1 << 2;
const RUNS: u8 = 0;
const WHOLES: u8 = 1;
const MICROS: u8 = 2;
const PATTERNS: u8 = 3;
/// pco's effort; each further level gains less than 1 %.
const LEVEL: usize = 4;
/// Below this pco's own head outweighs what it saves.
const PACK_FROM: usize = 24;
/// Runs longer than this on average cost less than packing.
const RUN: usize = 6;
/// Exceptions denser than one in this many cost more than packing.
const EXCEPTION: usize = 5;

/// The chunk of samples in order of time, of the window that begins at `start`.
pub(super) fn encode(start: i64, samples: &[Sample]) -> Vec<u8> {
    let mut chunk = vec![0; 5];
    put(&mut chunk, samples.len() as u64);
    let times = put_times(&mut chunk, start, samples);
    let values = put_values(&mut chunk, samples);
    chunk[4] = VERSION | times | values;
    let crc = crc32fast::hash(&chunk[4..]);
    chunk[..4].copy_from_slice(&crc.to_le_bytes());
    chunk
}

/// The samples of a chunk, in order of time.
pub(super) fn decode(start: i64, chunk: &[u8]) -> Result<Vec<Sample>, Garbled> {
    let (crc, body) = chunk.split_first_chunk::<4>().ok_or(Garbled)?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return Err(Garbled);
    }
    body_of(start, body).ok_or(Garbled)
}

fn body_of(start: i64, body: &[u8]) -> Option<Vec<Sample>> {
    let (form, rest) = body.split_first()?;
    if form & 0xf8 != VERSION {
        return None;
    }
    let octets = &mut &*rest;
    let count = usize::try_from(get(octets)?).ok().filter(|count| (1..=POINTS).contains(count))?;
    let times = match form & TIMES_PACKED {
        0 => grid(octets, start, count)?,
        _ => gaps(octets, start, count)?,
    };
    let values = match form & 3 {
        RUNS => runs(octets, count)?,
        WHOLES => integers(octets, count, Scale::Whole)?,
        MICROS => integers(octets, count, Scale::Micro)?,
        _ => unpack::<f64>(octets, count)?,
    };
    // Readers search and merge by order.
    times.is_sorted_by(|a, b| a < b).then(|| times.into_iter().zip(values).collect())
}

fn put_times(chunk: &mut Vec<u8>, start: i64, samples: &[Sample]) -> u8 {
    let Some(((first, _), rest)) = samples.split_first() else { return 0 };
    put(chunk, zigzag(first - start));
    let step = step(samples);
    let mut exceptions = Vec::new();
    let mut place = *first;
    for (number, (at, _)) in rest.iter().enumerate() {
        place += step;
        if *at != place {
            exceptions.push((number, at - place));
            place = grid_after(place, at - place, step);
        }
    }
    if exceptions.len() * EXCEPTION > samples.len() && samples.len() >= PACK_FROM {
        let gaps: Vec<i64> = samples.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        if let Some(packed) = pack(&gaps, DeltaSpec::NoOp) {
            put(chunk, packed.len() as u64);
            chunk.extend(packed);
            return TIMES_PACKED;
        }
    }
    put(chunk, step as u64);
    put(chunk, exceptions.len() as u64);
    let mut before = 0;
    for (number, shift) in exceptions {
        put(chunk, (number - before) as u64);
        put(chunk, zigzag(shift));
        before = number;
    }
    0
}

/// The gap in the middle of all gaps.
fn step(samples: &[Sample]) -> i64 {
    let mut gaps: Vec<i64> = samples.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    if gaps.is_empty() {
        return 0;
    }
    let middle = gaps.len() / 2;
    *gaps.select_nth_unstable(middle).1
}

/// Where the grid stands after a sample shifted from its place: a hole moves it, a jitter does not.
fn grid_after(place: i64, shift: i64, step: i64) -> i64 {
    if shift.saturating_abs() > step / 2 { place.saturating_add(shift) } else { place }
}

fn grid(octets: &mut &[u8], start: i64, count: usize) -> Option<Vec<i64>> {
    let first = start.checked_add(unzigzag(get(octets)?))?;
    let step = i64::try_from(get(octets)?).ok()?;
    let exceptions = get(octets)?;
    let (mut left, mut next) = (exceptions, None);
    let mut before = 0_usize;
    let mut times = Vec::with_capacity(count);
    times.push(first);
    let mut place = first;
    for number in 0..count - 1 {
        if next.is_none() && left > 0 {
            let at = before.checked_add(usize::try_from(get(octets)?).ok()?)?;
            next = Some((at, unzigzag(get(octets)?)));
            (before, left) = (at, left - 1);
        }
        place = place.checked_add(step)?;
        let mut at = place;
        if let Some((_, shift)) = next.take_if(|(exception, _)| *exception == number) {
            at = place.checked_add(shift)?;
            place = grid_after(place, shift, step);
        }
        times.push(at);
    }
    (left == 0 && next.is_none()).then_some(times)
}

fn gaps(octets: &mut &[u8], start: i64, count: usize) -> Option<Vec<i64>> {
    let mut at = start.checked_add(unzigzag(get(octets)?))?;
    let length = usize::try_from(get(octets)?).ok()?;
    let (packed, rest) = octets.split_at_checked(length)?;
    *octets = rest;
    let mut times = vec![at];
    for gap in unpack::<i64>(&mut &*packed, count - 1)? {
        at = at.checked_add(gap)?;
        times.push(at);
    }
    Some(times)
}

fn put_values(chunk: &mut Vec<u8>, samples: &[Sample]) -> u8 {
    let same = |a: &Sample, b: &Sample| a.1.to_bits() == b.1.to_bits();
    let runs = samples.chunk_by(same).count();
    if samples.len() >= PACK_FROM
        && runs * RUN > samples.len()
        && let Some((form, packed)) = packed(samples)
    {
        chunk.extend(packed);
        return form;
    }
    let mut values = Values::default();
    for run in samples.chunk_by(same) {
        put(chunk, run.len() as u64);
        values.put(chunk, run[0].1);
    }
    RUNS
}

fn packed(samples: &[Sample]) -> Option<(u8, Vec<u8>)> {
    for (scale, form) in [(Scale::Whole, WHOLES), (Scale::Micro, MICROS)] {
        let integers: Option<Vec<i64>> = samples.iter().map(|(_, value)| scale.exact(*value)).collect();
        let Some(integers) = integers else { continue };
        // What only grows is a counter: its steps are smaller than itself. A round trip is noise: its are not.
        let delta = if integers.is_sorted() { DeltaSpec::TryConsecutive(1) } else { DeltaSpec::NoOp };
        return Some((form, pack(&integers, delta)?));
    }
    let values: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
    Some((PATTERNS, pack(&values, DeltaSpec::NoOp)?))
}

fn runs(octets: &mut &[u8], count: usize) -> Option<Vec<f64>> {
    let mut values = Vec::with_capacity(count);
    let mut tokens = Values::default();
    while values.len() < count {
        let length = usize::try_from(get(octets)?).ok()?;
        let value = tokens.get(octets)?;
        if length == 0 || length > count - values.len() {
            return None;
        }
        values.resize(values.len() + length, value);
    }
    Some(values)
}

fn integers(octets: &mut &[u8], count: usize, scale: Scale) -> Option<Vec<f64>> {
    Some(unpack::<i64>(octets, count)?.into_iter().map(|integer| scale.value(integer)).collect())
}

/// pco's own framing without its file head of numbers and lengths, which we know.
fn pack<T: Number>(numbers: &[T], delta: DeltaSpec) -> Option<Vec<u8>> {
    let config = ChunkConfig::default()
        .with_compression_level(LEVEL)
        .with_mode_spec(ModeSpec::Classic)
        .with_delta_spec(delta)
        .with_paging_spec(PagingSpec::Exact(vec![numbers.len()]));
    let file = FileCompressor::default();
    let head = file.write_header(Vec::new()).ok()?;
    let mut chunk = file.chunk_compressor(numbers, &config).ok()?;
    chunk.write_meta(head).and_then(|meta| chunk.write_page(0, meta)).ok()
}

fn unpack<T: Number + Default>(octets: &mut &[u8], count: usize) -> Option<Vec<T>> {
    let (file, rest) = FileDecompressor::new(*octets).ok()?;
    let (mut chunk, rest) = file.chunk_decompressor::<T, _>(rest).ok()?;
    let mut numbers = vec![T::default(); count];
    let mut page = chunk.page_decompressor(rest, count).ok()?;
    let progress = page.read(&mut numbers).ok()?;
    *octets = page.into_src();
    (progress.finished && progress.n_processed == count).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: i64 = 1_795_305_600_000;

    fn sealed(octets: &[u8]) -> Vec<u8> {
        let mut chunk = crc32fast::hash(octets).to_le_bytes().to_vec();
        chunk.extend(octets);
        chunk
    }

    fn any_value() -> impl Strategy<Value = f64> {
        prop_oneof![
            Just(0.0),
            Just(1.0),
            (0..5_000_000_u32).prop_map(|micros| f64::from(micros) / 1e6),
            any::<u32>().prop_map(f64::from),
            any::<f64>().prop_filter("finite", |value| value.is_finite()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_chunk_reads_back_bit_by_bit(
            gaps in prop::collection::vec(prop_oneof![8 => Just(10_000_i64), 1 => 9_980..10_020_i64, 1 => 1..90_000_i64], 1..400),
            values in prop::collection::vec(any_value(), 400),
            kinds in 1..400_usize,
        ) {
            let mut at = START - 5;
            let samples: Vec<Sample> = gaps.iter().enumerate().map(|(n, gap)| {
                at += gap;
                (at, values[n % kinds])
            }).collect();
            let back = decode(START, &encode(START, &samples)).unwrap();
            let bits = |samples: &[Sample]| samples.iter().map(|(at, v)| (*at, v.to_bits())).collect::<Vec<_>>();
            prop_assert_eq!(bits(&back), bits(&samples));
        }

        #[test]
        fn octets_that_are_no_chunk_are_garbled_or_samples_but_never_a_panic(
            octets in prop::collection::vec(any::<u8>(), 0..200),
            form in 0..8_u8,
        ) {
            let _ = decode(START, &octets);
            let mut body = vec![VERSION | form];
            body.extend(octets);
            let _ = decode(START, &sealed(&body));
        }

        #[test]
        fn a_chunk_with_octets_turned_is_never_a_panic(
            turned in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            steady in any::<bool>(),
        ) {
            let noise = |n: i64| if steady { n / 50 } else { (n * 7_919) % 1_013 };
            let samples: Vec<Sample> =
                (0..360).map(|n| (START + n * 10_000 + noise(n) % 20, noise(n) as f64 / 1e6)).collect();
            let chunk = encode(START, &samples);
            let mut body = chunk[4..].to_vec();
            for (place, octet) in turned {
                let place = place.index(body.len());
                body[place] ^= octet;
            }
            if let Ok(back) = decode(START, &sealed(&body)) {
                prop_assert!(back.len() <= POINTS);
            }
        }
    }

    #[test]
    fn a_turned_octet_is_garbled() {
        let mut chunk = encode(START, &[(START, 1.0), (START + 10_000, 2.0)]);
        chunk[6] ^= 1;
        assert_eq!(decode(START, &chunk), Err(Garbled));
        assert_eq!(decode(START, &[]), Err(Garbled));
    }

    #[test]
    fn an_hour_of_a_state_costs_some_twenty_octets() {
        let samples: Vec<Sample> =
            (0..360).map(|n| (START + n * 10_000, f64::from(u8::from(n != 180)))).collect();
        assert!(encode(START, &samples).len() <= 24);
    }
}

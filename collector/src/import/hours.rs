//! When an office works, as people write it: `T2-T6 7h30-11h30, 13h-17h`, `mon-fri 07:30-11:30; 13:00-17:00`, `24/7`.
//!
//! Times are Asia/Ho_Chi_Minh. Days that nobody says are Monday to Friday.

use super::sheet::Cell;
use super::text::plain;
use super::value;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// What each day is called besides, without diacritics; Monday is the second day (thứ hai).
const CALLED: [&[&str]; 7] = [
    &["t2", "thu2", "thuhai", "monday"],
    &["t3", "thu3", "thuba", "tuesday"],
    &["t4", "thu4", "thutu", "wednesday"],
    &["t5", "thu5", "thunam", "thursday"],
    &["t6", "thu6", "thusau", "friday"],
    &["t7", "thu7", "thubay", "saturday"],
    &["cn", "chunhat", "sunday"],
];
/// Minutes of a day.
const DAY: u32 = 24 * 60;

/// Working hours in the record's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// As in `mon-fri` or `mon,wed`.
    pub days: String,
    /// As in `07:30-11:30`, in order.
    pub spans: Vec<String>,
}

/// Reads a cell.
pub fn hours(cell: &Cell) -> Result<Hours, String> {
    let said = value::text(cell)?;
    let text = plain(&said);
    if ["24/7", "24/24", "24x7", "ca ngay", "ca tuan"].contains(&text.as_str()) {
        return Ok(Hours { days: "mon-sun".into(), spans: vec!["00:00-24:00".into()] });
    }
    let (mut days, mut spans) = (Vec::new(), Vec::new());
    for part in parts(&text) {
        match day_range(&part) {
            Some(range) => days.extend(range),
            None => spans.push(span(&part).map_err(|wrong| format!("`{said}`: {wrong}"))?),
        }
    }
    spans.sort_unstable();
    if spans.is_empty() {
        return Err(format!("`{said}` names no hours; write them as in `T2-T6 07:30-11:30, 13:00-17:00`"));
    }
    if let Some(pair) = spans.windows(2).find(|pair| pair[1].0 < pair[0].1) {
        return Err(format!("`{said}`: {} and {} overlap", shown(pair[0]), shown(pair[1])));
    }
    Ok(Hours { days: said_days(days), spans: spans.into_iter().map(shown).collect() })
}

/// The pieces between commas and spaces; a range with spaces around its dash is one piece.
fn parts(text: &str) -> Vec<String> {
    let said = text.strip_prefix("tu ").unwrap_or(text);
    let mut joined = said.replace(['–', '—', '−'], "-").replace(" den ", "-").replace(" va ", ",");
    for spaced in ["thu ", "chu "] {
        joined = joined.replace(spaced, spaced.trim_end());
    }
    while joined.contains(" -") || joined.contains("- ") {
        joined = joined.replace(" -", "-").replace("- ", "-");
    }
    let cut = joined.split(|c: char| c == ',' || c == ';' || c.is_whitespace());
    // `T2-T6: 07:00…`: the colon behind a word belongs to nothing.
    cut.map(|part| part.trim_end_matches(':').to_owned()).filter(|part| !part.is_empty()).collect()
}

fn day_range(part: &str) -> Option<Vec<usize>> {
    let (from, to) = part.split_once('-').map_or((part, part), |(from, to)| (from, to));
    let (from, to) = (day(from)?, day(to)?);
    Some(if from <= to { (from..=to).collect() } else { (from..7).chain(0..=to).collect() })
}

fn day(word: &str) -> Option<usize> {
    (0..7).find(|&day| DAYS[day] == word || CALLED[day].contains(&word))
}

fn said_days(mut days: Vec<usize>) -> String {
    days.sort_unstable();
    days.dedup();
    let (Some(&first), Some(&last)) = (days.first(), days.last()) else { return "mon-fri".into() };
    if days.len() > 2 && last - first + 1 == days.len() {
        return format!("{}-{}", DAYS[first], DAYS[last]);
    }
    days.iter().map(|&day| DAYS[day]).collect::<Vec<_>>().join(",")
}

/// From and to, minutes of the day.
fn span(part: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("`{part}` is no time of day; write it as in 07:30-11:30");
    let (from, to) = part.split_once('-').ok_or_else(wrong)?;
    let (from, to) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)?);
    if to > from {
        return Ok((from, to));
    }
    if to == from {
        return Err(format!("`{part}` is no time at all"));
    }
    Err(format!("`{part}` crosses midnight; write {}, {}", shown((from, DAY)), shown((0, to))))
}

/// `7`, `7h`, `7h30`, `07:30`, `7g30`; 24:00 is the day's end.
fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once([':', 'h', 'g']).unwrap_or((text, ""));
    let number =
        |text: &str| (!text.is_empty() && text.len() <= 2).then(|| text.parse::<u32>().ok()).flatten();
    let minute = if minute.is_empty() { 0 } else { number(minute).filter(|minute| *minute < 60)? };
    let of_day = number(hour)? * 60 + minute;
    (of_day <= DAY).then_some(of_day)
}

fn shown((from, to): (u32, u32)) -> String {
    format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, String), String> {
        hours(&Cell::Text(text.into())).map(|hours| (hours.days, hours.spans.join(" ")))
    }

    #[test]
    fn hours_are_read_as_people_write_them() {
        for (text, days, spans) in [
            ("07:00-11:30, 13:00-17:00", "mon-fri", "07:00-11:30 13:00-17:00"),
            ("T2-T6 7h30-11h30, 13h-17h", "mon-fri", "07:30-11:30 13:00-17:00"),
            ("Thứ hai đến thứ sáu: 7:00 – 11:30 và 13:00 – 17:00", "mon-fri", "07:00-11:30 13:00-17:00"),
            ("thứ 2 - thứ 7: 13g-17g; 7g-11g", "mon-sat", "07:00-11:00 13:00-17:00"),
            ("T2, T4, CN 8-12", "mon,wed,sun", "08:00-12:00"),
            ("mon-fri 08:00-24:00", "mon-fri", "08:00-24:00"),
            ("24/7", "mon-sun", "00:00-24:00"),
        ] {
            assert_eq!(read(text), Ok((days.into(), spans.into())), "{text}");
        }
    }

    #[test]
    fn what_is_no_hours_is_told() {
        for (text, said) in [
            ("hành chính", "`hành chính`: `hanh` is no time of day; write it as in 07:30-11:30"),
            ("7h-25h", "`7h-25h`: `7h-25h` is no time of day; write it as in 07:30-11:30"),
            ("22:00-06:00", "`22:00-06:00`: `22:00-06:00` crosses midnight; write 22:00-24:00, 00:00-06:00"),
            ("T2-T6", "`T2-T6` names no hours; write them as in `T2-T6 07:30-11:30, 13:00-17:00`"),
            ("7:00-12:00, 11:00-17:00", "`7:00-12:00, 11:00-17:00`: 07:00-12:00 and 11:00-17:00 overlap"),
        ] {
            assert_eq!(read(text).unwrap_err(), said);
        }
        assert!(hours(&Cell::Date("07:30".into())).is_err());
    }
}

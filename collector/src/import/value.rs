//! What a cell means: each reader says what is wrong with it and what would be right.

use super::sheet::Cell;
use super::text::{fold, plain};
use haidang_daemon::yaml::{suggest, unknown};
use std::net::Ipv4Addr;

/// Longest text the record takes, characters.
const TEXT_MAX: usize = 200;
/// Longest circuit id, characters.
const CIRCUIT_MAX: usize = 64;
/// Fastest line anybody rents, Mb/s: above it somebody wrote kb/s.
const MBPS_MAX: f64 = 100_000.0;
/// Highest VLAN (IEEE 802.1Q §9.6: 0 and 4095 are reserved).
const VLAN_MAX: u32 = 4094;
/// Numbers from here on a spreadsheet shows as `1E+11`.
const SHOWN_IN_POWERS: f64 = 1e11;

/// A line of text.
pub fn text(cell: &Cell) -> Result<String, String> {
    let text = match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(number) => plain_number(*number)?,
        Cell::Date(date) => {
            return Err(format!(
                "is a date (`{date}`), not text; format the cell as Text and write it again"
            ));
        }
        Cell::Error(failed) => {
            return Err(format!("holds `{failed}`: its formula failed; write the value itself"));
        }
    };
    let length = text.chars().count();
    if length > TEXT_MAX {
        return Err(format!("is {length} characters long; write {TEXT_MAX} or fewer"));
    }
    Ok(text)
}

fn plain_number(number: f64) -> Result<String, String> {
    if number.fract() != 0.0 || number.abs() >= SHOWN_IN_POWERS {
        return Err(format!(
            "is the number {number:E}, not text; format the cell as Text and write it again"
        ));
    }
    Ok(format!("{number:.0}"))
}

/// A commune's code: five digits, of which a spreadsheet drops the zeros in front.
pub fn code(cell: &Cell) -> Result<String, String> {
    let text = text(cell)?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || text.len() > 5 {
        return Err(format!("`{text}` is no commune code; write five digits, as in 28249"));
    }
    Ok(format!("{text:0>5}"))
}

/// An id of the record.
pub fn id(cell: &Cell) -> Result<String, String> {
    let id = text(cell)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.chars().all(legal) && id.starts_with(|c: char| c.is_ascii_alphanumeric()) && id.len() <= 64 {
        return Ok(id);
    }
    Err(format!(
        "`{id}` is no id; write up to 64 letters a-z, digits, `-`, `_` and `.`, as in `{}`",
        super::text::slug(&id)
    ))
}

/// The carrier's circuit id, as it stands in the contract.
pub fn circuit(cell: &Cell) -> Result<String, String> {
    if let Cell::Number(number) = cell
        && (number.fract() != 0.0 || *number >= SHOWN_IN_POWERS || number % 100_000.0 == 0.0)
    {
        return Err(format!(
            "is the number {number:E}: a spreadsheet took the circuit id for a number; format the cell as Text and write it again"
        ));
    }
    let text = text(cell)?;
    if looks_like_a_power(&text) {
        return Err(format!(
            "`{text}` is what a spreadsheet makes of a circuit id it took for a number; write the id itself"
        ));
    }
    if text.chars().count() > CIRCUIT_MAX {
        return Err(format!("is longer than {CIRCUIT_MAX} characters"));
    }
    let right: String = text.chars().filter(|c| *c != ' ').map(latin).collect();
    if right == text {
        return Ok(text);
    }
    let what = if text.contains(' ') {
        "holds a space"
    } else {
        "holds a letter of another alphabet that only looks right"
    };
    Err(format!("`{text}` {what}; did you mean `{right}`?"))
}

/// `1E+05`, `1,2E+11`.
fn looks_like_a_power(text: &str) -> bool {
    let Some((number, power)) = text.split_once(['E', 'e']) else { return false };
    let signed = power.strip_prefix('+').unwrap_or_default();
    let digits = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b".,".contains(&byte))
    };
    digits(number) && digits(signed)
}

/// The Latin letter or sign that a character of another script is taken for.
fn latin(c: char) -> char {
    const ALIKE: [(&str, &str); 3] = [
        ("АВЕЅІЈКМНОРСТУХаеорсухі", "ABESIJKMHOPCTYXaeopcyxi"),
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo"),
        ("‐‑‒–—−", "------"),
    ];
    if ('\u{ff01}'..='\u{ff5e}').contains(&c) {
        // Full-width forms stand in the order of ASCII.
        return char::from_u32(c as u32 - 0xfee0).unwrap_or(c);
    }
    let of = |(strange, right): &(&str, &str)| {
        strange.chars().position(|known| known == c).and_then(|at| right.chars().nth(at))
    };
    ALIKE.iter().find_map(of).unwrap_or(c)
}

/// A contracted rate in whole Mb/s: `200`, `200 Mbps`, `1 Gb/s`.
pub fn mbps(cell: &Cell) -> Result<u32, String> {
    let number = match cell {
        Cell::Number(number) => *number,
        _ => rate(&text(cell)?)?,
    };
    if number == 0.0 {
        return Err("is 0 Mb/s; write the contracted rate, or leave it empty".into());
    }
    if number.fract() != 0.0 || number < 0.0 {
        return Err(format!("`{number}` is no whole number of Mb/s"));
    }
    if number > MBPS_MAX {
        return Err(format!("`{number}` Mb/s is more than any line carries; write Mb/s, not kb/s"));
    }
    Ok(number as u32)
}

fn rate(text: &str) -> Result<f64, String> {
    let words = plain(text).replace(' ', "");
    let units = [
        ("mb/s", 1.0),
        ("mbps", 1.0),
        ("mbit/s", 1.0),
        ("gb/s", 1000.0),
        ("gbps", 1000.0),
        ("m", 1.0),
        ("g", 1000.0),
    ];
    let split =
        units.iter().find_map(|(unit, times)| words.strip_suffix(unit).map(|number| (number, *times)));
    let (number, times) = split.unwrap_or((&words, 1.0));
    let number: f64 = number
        .parse()
        .map_err(|_| format!("`{text}` is no rate; write a whole number of Mb/s, as in 200"))?;
    Ok(number * times)
}

/// A site's address on its line, with or without its prefix. Restricted: messages leave it out.
pub fn wan(cell: &Cell, rehearsal: bool) -> Result<Ipv4Addr, String> {
    let text = text(cell)?;
    let (address, prefix) =
        text.split_once('/').map_or((text.as_str(), None), |(address, prefix)| (address, Some(prefix)));
    let address: Ipv4Addr = address.trim().parse().map_err(|_| no_address(address))?;
    let prefix = prefix
        .map(|prefix| {
            prefix
                .trim()
                .parse::<u32>()
                .ok()
                .filter(|bits| (8..=32).contains(bits))
                .ok_or("has no prefix from /8 to /32 behind it")
        })
        .transpose()?;
    match sense(address, prefix, rehearsal) {
        None => Ok(address),
        Some(wrong) => Err(wrong.into()),
    }
}

fn no_address(text: &str) -> String {
    if text.contains(':') {
        return "is no IPv4 address; write the address alone, without a port, as in 10.9.1.2".into();
    }
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() == 4 && parts.iter().any(|part| part.parse::<u32>().is_ok_and(|number| number > 255)) {
        return "is no IPv4 address: a part is above 255".into();
    }
    if parts.len() == 4 && parts.iter().all(|part| part.parse::<u8>().is_ok()) {
        return "is no IPv4 address: leave out the zeros in front of its parts".into();
    }
    "is no IPv4 address; write four numbers from 0 to 255, as in 10.9.1.2".into()
}

/// Why nobody's gateway can have the address.
fn sense(address: Ipv4Addr, prefix: Option<u32>, rehearsal: bool) -> Option<&'static str> {
    let bits = prefix.unwrap_or(24);
    let inside = u32::from(address) & u32::MAX.checked_shr(bits).unwrap_or(0);
    let all = u32::MAX.checked_shr(bits).unwrap_or(0);
    Some(match address {
        _ if address.octets()[0] == 0 => "is in 0.0.0.0/8, which no gateway has",
        _ if address.is_loopback() && !rehearsal => {
            "is a loopback address: it would ask this machine itself; write the gateway's (only a rehearsal site may have one)"
        }
        _ if address.is_loopback() => return None,
        _ if address.is_link_local() => {
            "is a link-local address (169.254.0.0/16): the gateway got none of its own"
        }
        _ if address.is_multicast() => "is a multicast address; write the gateway's own",
        _ if address.octets()[0] >= 240 => "is in 240.0.0.0/4, which no gateway has",
        _ if bits >= 31 => return None,
        _ if inside == 0 => {
            "is the address of a network, not of a gateway; write the gateway's, or its prefix behind it, as in 10.9.1.0/22"
        }
        _ if inside == all => {
            "is a broadcast address, not a gateway's; write the gateway's, or its prefix behind it, as in 10.9.0.255/22"
        }
        _ => return None,
    })
}

/// VLAN or VPN as the contract names it; a VLAN's number must be one. Restricted: messages leave it out.
pub fn vlan(cell: &Cell) -> Result<String, String> {
    let text = text(cell)?;
    let last = text.rsplit(['/', ' ']).next().unwrap_or_default();
    let number =
        last.bytes().all(|byte| byte.is_ascii_digit()).then(|| last.parse::<u32>().unwrap_or(u32::MAX));
    match number {
        Some(number) if !(1..=VLAN_MAX).contains(&number) => {
            Err(format!("is out of range; a VLAN is 1 to {VLAN_MAX}"))
        }
        _ => Ok(text),
    }
}

/// One telephone number or several, divided by `/` or `;`.
pub fn phone(cell: &Cell) -> Result<String, String> {
    let text = match cell {
        // A spreadsheet drops the zero in front.
        Cell::Number(number) if (1e8..1e10).contains(number) => format!("0{number:.0}"),
        _ => text(cell)?,
    };
    let numbers = text.split(['/', ';', ',']).map(|part| one_phone(part.trim()).ok_or(part.trim()));
    match numbers.collect::<Result<Vec<_>, _>>() {
        Ok(numbers) => Ok(numbers.join(" / ")),
        Err(part) => Err(format!(
            "`{part}` is no telephone number; write 10 or 11 digits that begin with 0, or 1800/1900 and 4 to 6 more"
        )),
    }
}

fn one_phone(text: &str) -> Option<String> {
    let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')')).collect();
    let national = match bare.strip_prefix("+84") {
        Some(rest) => format!("0{}", rest.trim_start_matches('0')),
        None => bare,
    };
    let short =
        (national.starts_with("1800") || national.starts_with("1900")) && (8..=10).contains(&national.len());
    let long = national.starts_with('0') && (10..=11).contains(&national.len());
    (national.bytes().all(|byte| byte.is_ascii_digit()) && (short || long)).then_some(national)
}

/// One of a few words: in the record's spelling, in Vietnamese, or in English.
fn word(cell: &Cell, what: &str, words: &[(&'static str, &[&str])]) -> Result<&'static str, String> {
    let said = text(cell)?;
    let folded = fold(&said);
    let means =
        |(word, others): &&(&'static str, &[&str])| fold(word) == folded || others.contains(&folded.as_str());
    if let Some((word, _)) = words.iter().find(means) {
        return Ok(word);
    }
    let spellings =
        words.iter().flat_map(|(word, others)| std::iter::once(*word).chain(others.iter().copied()));
    let near = suggest(&folded, spellings)
        .and_then(|near| words.iter().find(|(word, others)| *word == near || others.contains(&near)));
    Err(match near {
        Some((near, _)) => format!("unknown {what} `{said}`; did you mean `{near}`?"),
        None => unknown(what, &said, words.iter().map(|(word, _)| *word)),
    })
}

/// `primary` or `backup`.
pub fn role(cell: &Cell) -> Result<&'static str, String> {
    let primary = &["chinh", "kenh chinh", "duong chinh", "main"];
    let backup = &["du phong", "phu", "kenh du phong", "duong du phong", "kenh phu", "duong phu"];
    word(cell, "role", &[("primary", primary), ("backup", backup)])
}

/// How the site is observed.
pub fn observe(cell: &Cell) -> Result<&'static str, String> {
    word(
        cell,
        "way to observe",
        &[
            ("gateway", &["cua ngo", "thiet bi cua ngo", "dau do tren cua ngo"]),
            ("box-behind", &["may sau cua ngo", "hop sau cua ngo", "dau do sau cua ngo"]),
            ("reflector", &["phan hoi stamp", "stamp"]),
            ("ping-only", &["ping", "chi ping", "khong co dau do", "khong"]),
        ],
    )
}

/// What the line is made of.
pub fn medium(cell: &Cell) -> Result<&'static str, String> {
    word(
        cell,
        "kind of line",
        &[
            ("fibre-l2", &["cap quang l2", "l2", "metronet", "metronet l2", "kenh trang", "fiber l2"]),
            ("fibre-l3", &["cap quang l3", "l3", "vpn l3", "mpls", "mpls l3", "fiber l3"]),
            ("4g-apn", &["4g", "apn", "apn 4g", "di dong 4g"]),
            ("other", &["khac"]),
        ],
    )
}

/// Yes or no.
pub fn truth(cell: &Cell) -> Result<bool, String> {
    let yes = word(cell, "answer", &[("yes", &["co", "x", "true", "1"]), ("no", &["khong", "false", "0"])])?;
    Ok(yes == "yes")
}

#[cfg(test)]
mod tests;

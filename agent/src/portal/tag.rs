//! What a tag of a page says: its name, whether it hides what stands in it, where it leads.

/// Elements that hold nothing.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];

/// Names and properties of `meta` that are text for search engines.
const TOLD: [&str; 4] = ["description", "keywords", "og:title", "og:description"];

/// Named characters that Vietnamese pages write.
const NAMED: [(&str, char); 26] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("nbsp", ' '),
    ("shy", '\u{ad}'),
    ("agrave", 'à'),
    ("aacute", 'á'),
    ("acirc", 'â'),
    ("atilde", 'ã'),
    ("egrave", 'è'),
    ("eacute", 'é'),
    ("ecirc", 'ê'),
    ("igrave", 'ì'),
    ("iacute", 'í'),
    ("ograve", 'ò'),
    ("oacute", 'ó'),
    ("ocirc", 'ô'),
    ("otilde", 'õ'),
    ("ugrave", 'ù'),
    ("uacute", 'ú'),
    ("yacute", 'ý'),
    ("Aacute", 'Á'),
    ("Acirc", 'Â'),
    ("Ecirc", 'Ê'),
    ("Ocirc", 'Ô'),
];

/// Whether a tag closes, and the element's name in lower case. `written` is what stands between `<` and `>`.
pub fn name(written: &[u8]) -> (bool, String) {
    let (closing, written) = match written {
        [b'/', rest @ ..] => (true, rest),
        whole => (false, whole),
    };
    let name = written.iter().take_while(|octet| octet.is_ascii_alphanumeric());
    (closing, name.map(|octet| octet.to_ascii_lowercase() as char).collect())
}

/// Whether an element of that name holds nothing and has no end.
pub fn is_void(name: &str) -> bool {
    VOID.contains(&name)
}

/// The character that a reference, between `&` and `;`, stands for.
pub fn character(reference: &[u8]) -> Option<char> {
    let reference = std::str::from_utf8(reference).ok()?;
    let Some(number) = reference.strip_prefix('#') else {
        return NAMED.iter().find(|(name, _)| *name == reference).map(|(_, character)| *character);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    char::from_u32(code.ok()?)
}

/// Whether the element hides what stands in it by its own attributes.
pub fn hides(written: &[u8]) -> bool {
    let mut hidden = false;
    attributes(written, |name, value| match name {
        "hidden" => hidden = true,
        "style" => hidden |= style_hides(value),
        _ => {}
    });
    hidden
}

/// Whether a link leads to another place.
pub fn leads_away(written: &[u8]) -> bool {
    let mut away = false;
    attributes(written, |name, value| {
        let value = value.trim_ascii();
        away |= name == "href" && (starts_with(value, b"http") || value.starts_with(b"//"));
    });
    away
}

/// What a `meta` tells search engines of the page.
pub fn told(written: &[u8]) -> Option<Vec<u8>> {
    let (mut tells, mut content) = (false, None);
    attributes(written, |name, value| match name {
        "name" | "property" => tells |= TOLD.iter().any(|told| value.eq_ignore_ascii_case(told.as_bytes())),
        "content" => content = Some(value.to_vec()),
        _ => {}
    });
    content.filter(|_| tells)
}

fn starts_with(value: &[u8], start: &[u8]) -> bool {
    value.get(..start.len()).is_some_and(|value| value.eq_ignore_ascii_case(start))
}

/// Shows each attribute of a tag: its name in lower case and its value.
fn attributes(written: &[u8], mut see: impl FnMut(&str, &[u8])) {
    let mut rest = after(written, |octet| !octet.is_ascii_whitespace() && octet != b'/');
    loop {
        rest = after(rest, |octet| octet.is_ascii_whitespace() || octet == b'/');
        let behind = after(rest, |octet| !octet.is_ascii_whitespace() && !b"=>/".contains(&octet));
        let name = &rest[..rest.len() - behind.len()];
        if name.is_empty() {
            return;
        }
        let space = after(behind, |octet| octet.is_ascii_whitespace());
        let value;
        (value, rest) = match space {
            [b'=', given @ ..] => value_of(after(given, |octet| octet.is_ascii_whitespace())),
            _ => (&[][..], behind),
        };
        see(&String::from_utf8_lossy(name).to_ascii_lowercase(), value);
    }
}

/// A value and what stands behind it.
fn value_of(given: &[u8]) -> (&[u8], &[u8]) {
    match given {
        [quote @ (b'"' | b'\''), value @ ..] => {
            let rest = after(value, |octet| octet != *quote);
            (&value[..value.len() - rest.len()], rest.get(1..).unwrap_or_default())
        }
        value => {
            let rest = after(value, |octet| !octet.is_ascii_whitespace() && octet != b'>');
            (&value[..value.len() - rest.len()], rest)
        }
    }
}

fn after(octets: &[u8], passes: impl Fn(u8) -> bool) -> &[u8] {
    let end = octets.iter().position(|octet| !passes(*octet)).unwrap_or(octets.len());
    &octets[end..]
}

/// Whether declarations of a style attribute make the element invisible, or put it out of sight.
fn style_hides(style: &[u8]) -> bool {
    let written = style.iter().filter(|octet| !octet.is_ascii_whitespace());
    let style: String = written.map(|octet| octet.to_ascii_lowercase() as char).collect();
    style.split(';').filter_map(|declared| declared.split_once(':')).any(|(property, value)| {
        let value = value.trim_end_matches("!important");
        let far = || value.starts_with('-') && value.chars().filter(char::is_ascii_digit).count() >= 3;
        match property {
            "display" => value == "none",
            "visibility" => value == "hidden",
            "font-size" | "opacity" => is_zero(value),
            "left" | "top" | "right" | "bottom" | "text-indent" | "margin-left" | "margin-top" => far(),
            _ => false,
        }
    })
}

/// `0`, `0px`, `0.0em`.
fn is_zero(value: &str) -> bool {
    let number = value.trim_end_matches(|letter: char| letter.is_ascii_alphabetic() || letter == '%');
    number.parse::<f64>().is_ok_and(|number| number == 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_read_as_browsers_read_them() {
        let mut seen = Vec::new();
        attributes(b"a Href = 'x y' data-b=c/d hidden \"e\"=f g=\"unclosed", |name, value| {
            seen.push(format!("{name}={}", String::from_utf8_lossy(value)));
        });
        assert_eq!(seen, ["href=x y", "data-b=c/d", "hidden=", "\"e\"=f", "g=unclosed"]);
    }

    #[test]
    fn styles_that_hide_are_told_from_those_that_do_not() {
        for (style, hides) in [
            ("color:red; display: NONE !important", true),
            ("display:block", false),
            ("text-indent:-9999em", true),
            ("margin-left:-10px", false),
            ("opacity:0", true),
            ("opacity:0.5", false),
            ("visibility:hidden", true),
            ("", false),
        ] {
            assert_eq!(style_hides(style.as_bytes()), hides, "{style}");
        }
    }
}

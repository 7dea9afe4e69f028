//! The sign-in page: rendered here, works without a script, in Vietnamese and English.

/// Its style sheet, served beside it because the policy allows no inline script and few inline styles.
pub const STYLE: &str = include_str!("sign_in.css");

const PAGE: &str = include_str!("sign_in.html");

/// What the page says about the last try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nothing was tried.
    None,
    /// Name or password is wrong; which of both is not said.
    Wrong,
    /// Too many tries; wait so many seconds.
    Locked(u64),
    /// Too many sign in at this moment.
    Busy,
}

struct Words {
    lang: &'static str,
    title: &'static str,
    subtitle: &'static str,
    user: &'static str,
    password: &'static str,
    submit: &'static str,
    forgotten: &'static str,
    other_lang: &'static str,
    other: &'static str,
    wrong: &'static str,
    busy: &'static str,
}

const VI: Words = Words {
    lang: "vi",
    title: "Đăng nhập · Hải Đăng",
    subtitle: "Giám sát mạng toàn tỉnh",
    user: "Tên đăng nhập",
    password: "Mật khẩu",
    submit: "Đăng nhập",
    forgotten: "Quên mật khẩu: nhờ người quản trị cấp lại.",
    other_lang: "en",
    other: "English",
    wrong: "Tên đăng nhập hoặc mật khẩu không đúng.",
    busy: "Đang có quá nhiều người đăng nhập. Hãy thử lại sau giây lát.",
};

const EN: Words = Words {
    lang: "en",
    title: "Sign in · Hải Đăng",
    subtitle: "Province network watch",
    user: "Name",
    password: "Password",
    submit: "Sign in",
    forgotten: "Forgot the password: ask an administrator for a new one.",
    other_lang: "vi",
    other: "Tiếng Việt",
    wrong: "The name or the password is wrong.",
    busy: "Too many people are signing in. Try again in a moment.",
};

/// The page in `lang` (`en`, else Vietnamese), with the name tried and the path to go on to.
pub fn sign_in_page(lang: &str, notice: Notice, name: &str, next: &str) -> String {
    let words = if lang == "en" { &EN } else { &VI };
    let focus = " autofocus";
    let (focus_user, focus_password) = if name.is_empty() { (focus, "") } else { ("", focus) };
    let values = [
        ("lang", words.lang.to_owned()),
        ("title", words.title.to_owned()),
        ("subtitle", words.subtitle.to_owned()),
        ("notice", notice_text(words, notice)),
        ("next", escape(next)),
        ("user", words.user.to_owned()),
        ("name", escape(name)),
        ("password", words.password.to_owned()),
        ("submit", words.submit.to_owned()),
        ("forgotten", words.forgotten.to_owned()),
        ("other_lang", words.other_lang.to_owned()),
        ("other", words.other.to_owned()),
        ("focus_user", focus_user.to_owned()),
        ("focus_password", focus_password.to_owned()),
    ];
    fill(PAGE, &values)
}

fn notice_text(words: &Words, notice: Notice) -> String {
    let text = match notice {
        Notice::None => return String::new(),
        Notice::Wrong => words.wrong.to_owned(),
        Notice::Busy => words.busy.to_owned(),
        Notice::Locked(seconds) if words.lang == "en" => {
            format!("Too many failed tries. Wait {seconds} seconds.")
        }
        Notice::Locked(seconds) => format!("Sai quá nhiều lần. Hãy đợi {seconds} giây."),
    };
    format!("<p role=\"alert\">{text}</p>\n")
}

/// Replaces each `{name}` once, left to right, so that a value can never be taken for a place.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut page = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        page.push_str(before);
        let Some((name, tail)) = after.split_once('}') else { break };
        page.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        rest = tail;
    }
    page.push_str(rest);
    page
}

/// Text made safe for an attribute's value or an element's content.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_filled_in_both_languages() {
        for lang in ["vi", "en"] {
            let page = sign_in_page(lang, Notice::Locked(30), "an", "/incidents/SC-20261122-01");
            assert!(page.contains(&format!("<html lang=\"{lang}\">")));
            assert!(!page.contains('{'), "an unfilled place in {page}");
            assert!(page.contains("30"));
            assert!(page.contains("value=\"/incidents/SC-20261122-01\""));
        }
    }

    #[test]
    fn what_was_typed_cannot_become_markup() {
        let page = sign_in_page("en", Notice::Wrong, "\"><script>{next}", "'&");
        assert!(page.contains("&quot;&gt;&lt;script&gt;{next}"));
        assert!(page.contains("&#39;&amp;"));
        assert!(!page.contains("<script"));
    }
}

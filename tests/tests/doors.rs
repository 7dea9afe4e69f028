//! The console's port among people who mean harm: whoever sends, shows or knocks what they should not is turned
//! away, and everybody else is served meanwhile.
#![allow(clippy::unwrap_used)]

use haidang_tests::console::Console;
use haidang_tests::raw::{Answer, ask, connect_from, exchange};
use haidang_tests::stage::Stage;
use serde_json::Value;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Addresses to come from.
const LORIS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const GUESSER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// More connections than the port has places.
const CONNECTIONS: usize = 300;

struct Door {
    stage: Stage,
    console: Console,
    password: String,
}

impl Door {
    fn open(number: u8) -> Door {
        let mut stage = Stage::new(number).unwrap();
        let console = stage.start_collector().unwrap();
        let kept: Value =
            serde_json::from_str(&std::fs::read_to_string(stage.path("console.json")).unwrap()).unwrap();
        let password = kept["password"].as_str().unwrap().to_owned();
        Door { stage, console, password }
    }

    /// The answer to a request line and headers; each line ends as HTTP wants.
    fn say(&self, lines: &[&str]) -> Answer {
        exchange(&self.console.address, request(lines, "").as_bytes()).unwrap()
    }

    /// The same with the token.
    fn say_known(&self, lines: &[&str]) -> Answer {
        let bearer = format!("Authorization: Bearer {}", self.console.token);
        self.say(&[lines, &[&bearer]].concat())
    }

    /// A try to sign in from an address.
    fn sign_in(&self, from: Ipv4Addr, password: &str, headers: &[&str]) -> Answer {
        let form = format!("user=admin&password={password}");
        let length = format!("Content-Length: {}", form.len());
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let lines = [&["POST /sign-in HTTP/1.1", "Host: a", kind, &length], headers].concat();
        let stream = connect_from(from, &self.console.address).unwrap();
        ask(stream, request(&lines, &form).as_bytes()).unwrap()
    }
}

fn request(lines: &[&str], body: &str) -> String {
    format!("{}\r\nConnection: close\r\n\r\n{body}", lines.join("\r\n"))
}

fn cookie(answer: &Answer) -> &str {
    answer.header("set-cookie").unwrap().split(';').next().unwrap()
}

#[test]
fn whoever_means_harm_is_turned_away_and_everybody_else_is_served() {
    let door = Door::open(9);
    let trickle = begin_a_body(&door);
    no_file_but_the_consoles_is_served(&door);
    no_name_but_our_own_is_repeated(&door);
    floods_of_headers_end(&door);
    a_session_is_not_lent_to_other_sites(&door);
    guessing_locks_the_guesser_alone(&door);
    waiting_peers_do_not_keep_others_out(&door);
    only_the_owner_reads_what_is_kept(&door);
    let cut = ask(trickle, b"").unwrap();
    assert_eq!(cut.status, 408, "a body that does not come is not waited for: {}", cut.head);
}

/// A sign-in whose body never comes.
fn begin_a_body(door: &Door) -> TcpStream {
    let mut stream = connect_from(LORIS, &door.console.address).unwrap();
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let head = request(&["POST /sign-in HTTP/1.1", "Host: a", kind, "Content-Length: 60"], "user=");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn no_file_but_the_consoles_is_served(door: &Door) {
    let paths = [
        "/../package.json",
        "/../../../Cargo.toml",
        "/assets/../../package.json",
        "/%2e%2e/package.json",
        "/..%2fpackage.json",
        "/..%5cpackage.json",
        "//etc/hostname.d/../passwd.txt",
        "/./../package.json",
        "/api/../../package.json",
    ];
    for path in paths {
        let line = format!("GET {path} HTTP/1.1");
        assert_eq!(door.say(&[&line, "Host: a"]).status, 401, "{path} without a sign-in");
        let answer = door.say_known(&[&line, "Host: a"]);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

/// A `Host`, a proxy's word for it or a whole foreign URL changes neither where we send people nor who may look.
fn no_name_but_our_own_is_repeated(door: &Door) {
    for host in
        ["Host: evil.example", "Host: a\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-For: 127.0.0.1"]
    {
        let page = door.say(&["GET /incidents/x HTTP/1.1", host, "Accept: text/html"]);
        assert_eq!((page.status, page.header("location")), (303, Some("/sign-in?next=/incidents/x")));
    }
    let absolute = door.say(&["GET http://evil.example/api/v1/state HTTP/1.1", "Host: evil.example"]);
    assert_eq!(absolute.status, 401);
    let next =
        door.say(&["GET /sign-in?next=//evil.example/%22%3E%3Cscript%3E HTTP/1.1", "Host: evil.example"]);
    assert_eq!(next.status, 200);
    for answer in [absolute, next] {
        assert!(!format!("{}{}", answer.head, answer.text()).contains("evil"), "{}", answer.text());
    }
    assert_eq!(
        door.say(&["GET /healthz HTTP/1.1", "Host: a", "Content-Length: 5", "Content-Length: 6"]).status,
        400
    );
}

fn floods_of_headers_end(door: &Door) {
    let many = vec!["X: y"; 200];
    assert_eq!(door.say(&[&["GET /healthz HTTP/1.1", "Host: a"], &many[..]].concat()).status, 431);
    let long = format!("X: {}", "y".repeat(100_000));
    assert_eq!(door.say(&["GET /healthz HTTP/1.1", "Host: a", &long]).status, 431);
    assert_eq!(door.say(&["GET /healthz HTTP/1.1", "Host: a"]).status, 200);
}

fn a_session_is_not_lent_to_other_sites(door: &Door) {
    let foreign = ["Origin: http://evil.example", "Cookie: noc=chosen"];
    assert_eq!(door.sign_in(GUESSER, &door.password, &foreign).status, 403, "a form of another site");
    let signed = door.sign_in(GUESSER, &door.password, &["Cookie: noc=chosen"]);
    assert_eq!(signed.status, 303);
    let cookie = cookie(&signed);
    assert_ne!(cookie, "noc=chosen", "nobody chooses another's session");
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(signed.header("set-cookie").unwrap().contains(flag), "{flag}");
    }
    let own = format!("Origin: http://{}", door.console.address);
    let tries = [
        (403, "Origin: http://evil.example"),
        (403, "Origin: null"),
        (403, "Sec-Fetch-Site: cross-site"),
        (403, "X-Nothing: said"),
        (404, own.as_str()),
    ];
    for (status, origin) in tries {
        let (host, cookie) = (format!("Host: {}", door.console.address), format!("Cookie: {cookie}"));
        let act = "POST /api/v1/incidents/SC-20260101-01/ack HTTP/1.1";
        let json = "Content-Type: application/json";
        let lines = [act, &host, &cookie, json, origin, "Content-Length: 2"];
        let answer = exchange(&door.console.address, request(&lines, "{}").as_bytes()).unwrap();
        assert_eq!(answer.status, status, "{origin}: {}", answer.text());
    }
    for header in ["access-control-allow-origin", "server"] {
        assert_eq!(door.say(&["GET /sign-in HTTP/1.1", "Host: a", "Origin: http://a"]).header(header), None);
    }
}

fn guessing_locks_the_guesser_alone(door: &Door) {
    for _ in 0..5 {
        assert_eq!(door.sign_in(GUESSER, "guess", &[]).status, 401);
    }
    let locked = door.sign_in(GUESSER, &door.password, &[]);
    assert_eq!(locked.status, 429);
    let wait: u64 = locked.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait} s");
    assert_eq!(door.sign_in(Ipv4Addr::LOCALHOST, &door.password, &[]).status, 303, "the person on duty");
}

fn waiting_peers_do_not_keep_others_out(door: &Door) {
    let waiting: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|_| {
            let mut stream = connect_from(LORIS, &door.console.address).unwrap();
            // One that was refused is closed already.
            let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: ");
            stream
        })
        .collect();
    let answer = door.say_known(&["GET /metrics HTTP/1.1", "Host: a"]);
    assert_eq!(answer.status, 200);
    let text = answer.text();
    let refused = text
        .lines()
        .find_map(|line| line.strip_prefix("http_connections_refused_total{server=\"console\"} "));
    assert!(
        refused.unwrap().parse::<usize>().unwrap() >= CONNECTIONS - 192,
        "refusals are counted: {refused:?}"
    );
    drop(waiting);
}

fn only_the_owner_reads_what_is_kept(door: &Door) {
    let mut open = Vec::new();
    let mut look = |path: &Path| {
        let mode = path.metadata().unwrap().permissions().mode();
        if mode & 0o077 != 0 {
            open.push(format!("{mode:o} {}", path.display()));
        }
    };
    let mut folders = vec![door.stage.collector_folder(), door.stage.path("agents")];
    look(Path::new(&door.stage.path("console.json")));
    while let Some(folder) = folders.pop() {
        look(Path::new(&folder));
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path().to_string_lossy().into_owned());
            } else {
                look(&entry.path());
            }
        }
    }
    assert!(open.is_empty(), "others may read:\n{}", open.join("\n"));
}

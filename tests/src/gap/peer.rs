//! The peer: `prometheus --enable-feature=agent` (Debian) under the same script. It scrapes as many pages once a second
//! and writes to a Prometheus server through the held line; each page numbers its scrapes, so a value names its run.

use crate::process::load;
use crate::proxy::Proxy;
use crate::raw;
use crate::stage::wait;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::Duration;

/// Pages, each scraped once a second.
const PAGES: usize = super::TARGETS;
/// The series of the pages.
const SERIES: &str = "gap_scrape";
/// Seconds that pass without more samples than are scraped before the backlog counts as brought.
const QUIET: u32 = 30;
/// Seconds anything may take before it counts as never.
const PATIENCE: u32 = 180;

/// What became of the scrapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Scrapes of a page that were answered, from the first one stored until the line flowed again.
    pub seen: u64,
    /// Those of them that are not in the server.
    pub lost: u64,
    /// Samples that are there again.
    pub doubled: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { seen, lost, doubled } = self;
        write!(f, "prometheus agent: {seen} scrapes answered, lost {lost}, doubled {doubled}")
    }
}

/// How often each page was scraped.
type Scrapes = Arc<Mutex<Vec<u64>>>;

/// A running program; it is killed when dropped.
struct Program(Child);

impl Program {
    fn start(name: &str, arguments: &[String], log: &Path) -> anyhow::Result<Program> {
        let log = fs::File::create(log)?;
        let child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn();
        Ok(Program(child.with_context(|| format!("start {name}"))?))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether the peer is installed, in a version that can be an agent.
pub fn possible() -> bool {
    let help = Command::new("prometheus").arg("--help").output();
    help.is_ok_and(|help| {
        let text = [help.stdout, help.stderr].concat();
        String::from_utf8_lossy(&text).contains("storage.agent.path")
    })
}

/// Rehearses a gap of `seconds` with so many kills -9 of the agent, spread evenly, and counts.
///
/// # Errors
/// When a program fails, or something that must happen never does.
pub fn rehearse(seconds: u64, kills: u32) -> anyhow::Result<Counts> {
    let folder = tempfile::Builder::new().prefix("haidang-peer-").tempdir()?;
    let (pages, scrapes) = serve()?;
    let [server_port, agent_port] = [free()?, free()?];
    let proxy = Proxy::start(server_port, server_port)?;
    let server = format!("127.0.0.1:{server_port}");
    let _server = start_server(folder.path(), &server)?;
    write_agent(folder.path(), pages, &format!("http://{}/api/v1/write", proxy.batches))?;
    let agent = |life: u32| start_agent(folder.path(), agent_port, life);
    let mut running = agent(0)?;
    wait("the first samples to be stored", PATIENCE, || {
        Ok((stored(&server)?.len() >= 2 * PAGES).then_some(()))
    })?;
    proxy.hold();
    let part = Duration::from_secs(seconds) / (kills + 1);
    for life in 1..=kills {
        sleep(part);
        drop(running);
        running = agent(life)?;
    }
    sleep(part);
    let seen = scrapes.lock().unwrap_or_else(PoisonError::into_inner).clone();
    proxy.release();
    let all = drained(&server)?;
    drop(running);
    compare(&all, &seen)
}

/// Compares what was answered with what is there.
fn compare(all: &[(usize, u64)], seen: &[u64]) -> anyhow::Result<Counts> {
    let once: BTreeSet<(usize, u64)> = all.iter().copied().collect();
    let mut counts = Counts { doubled: (all.len() - once.len()) as u64, ..Counts::default() };
    for (page, last) in seen.iter().enumerate() {
        let first = once.range((page, 0)..=(page, u64::MAX)).next().context("a page was never stored")?.1;
        for number in first..=*last {
            counts.seen += 1;
            counts.lost += u64::from(!once.contains(&(page, number)));
        }
    }
    ensure!(counts.seen > 0, "nothing was scraped");
    Ok(counts)
}

/// Waits until nothing new has come for [`QUIET`] seconds.
fn drained(server: &str) -> anyhow::Result<Vec<(usize, u64)>> {
    let mut all = stored(server)?;
    let mut quiet = 0;
    for _ in 0..PATIENCE {
        sleep(Duration::from_secs(1));
        let now = stored(server)?;
        // Scrapes go on and arrive at their own pace: more than that is backlog.
        quiet = if now.len() > all.len() + 2 * PAGES { 0 } else { quiet + 1 };
        all = now;
        if quiet == QUIET {
            break;
        }
    }
    Ok(all)
}

fn start_server(folder: &Path, address: &str) -> anyhow::Result<Program> {
    let config = folder.join("server.yml");
    // What comes late and out of order is taken: no sample is lost to the receiver.
    fs::write(&config, "storage: {tsdb: {out_of_order_time_window: 3h}}\n")?;
    let arguments = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", folder.join("server").display()),
        format!("--web.listen-address={address}"),
        "--web.enable-remote-write-receiver".into(),
        "--log.level=warn".into(),
    ];
    let server = Program::start("prometheus", &arguments, &folder.join("server.log"))?;
    wait("the server to be ready", PATIENCE, || Ok(TcpStream::connect(address).is_ok().then_some(())))?;
    Ok(server)
}

fn write_agent(folder: &Path, pages: u16, to: &str) -> anyhow::Result<()> {
    let mut text = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nremote_write: [{{url: \"{to}\"}}]\n\
         scrape_configs:\n  - job_name: gap\n    static_configs:\n"
    );
    for page in 0..PAGES {
        let labels = format!("{{__metrics_path__: \"/{page}\", page: \"{page}\"}}");
        writeln!(text, "      - {{targets: [\"127.0.0.1:{pages}\"], labels: {labels}}}")?;
    }
    Ok(fs::write(folder.join("agent.yml"), text)?)
}

fn start_agent(folder: &Path, port: u16, life: u32) -> anyhow::Result<Program> {
    let arguments = [
        "--enable-feature=agent".into(),
        format!("--config.file={}", folder.join("agent.yml").display()),
        format!("--storage.agent.path={}", folder.join("agent").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
        "--log.level=warn".into(),
    ];
    let agent = Program::start("prometheus", &arguments, &folder.join(format!("agent-{life}.log")))?;
    println!("prometheus agent, life {}, load average {}", life + 1, load());
    Ok(agent)
}

/// Page and number of each sample in the server.
fn stored(server: &str) -> anyhow::Result<Vec<(usize, u64)>> {
    let path = format!("/api/v1/query?query={SERIES}%5B3h%5D");
    let octets = format!("GET {path} HTTP/1.0\r\nHost: {server}\r\n\r\n");
    let answer = raw::exchange(server, octets.as_bytes())?;
    let answer: Value = serde_json::from_slice(&answer.body).context("the server's answer is no JSON")?;
    let mut all = Vec::new();
    for series in answer["data"]["result"].as_array().into_iter().flatten() {
        let page: usize = series["metric"]["page"].as_str().context("a series without a page")?.parse()?;
        for value in series["values"].as_array().into_iter().flatten() {
            all.push((page, value[1].as_str().context("a sample without a value")?.parse()?));
        }
    }
    Ok(all)
}

/// The pages, on a port of the system's choice; they are served until the program ends.
fn serve() -> anyhow::Result<(u16, Scrapes)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let scrapes: Scrapes = Arc::new(Mutex::new(vec![0; PAGES]));
    let all = scrapes.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let all = all.clone();
            thread::spawn(move || answer(stream, &all));
        }
    });
    Ok((port, scrapes))
}

fn answer(mut stream: TcpStream, scrapes: &Scrapes) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = [0; 4096];
    let count = stream.read(&mut request)?;
    let text = String::from_utf8_lossy(&request[..count]);
    let page = text.strip_prefix("GET /").and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
    let Some(page) = page.filter(|page| *page < PAGES) else { return Ok(()) };
    let number = {
        let mut scrapes = scrapes.lock().unwrap_or_else(PoisonError::into_inner);
        scrapes[page] += 1;
        scrapes[page]
    };
    let body = format!("# TYPE {SERIES} counter\n{SERIES} {number}\n");
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn free() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_answered_and_is_not_there_is_lost() {
        let mut all: Vec<(usize, u64)> = (3..=9).map(|number| (0, number)).collect();
        all.extend([(1, 1), (1, 2), (1, 2), (1, 4)]);
        let counts = compare(&all, &[9, 4]).unwrap();
        assert_eq!(counts, Counts { seen: 11, lost: 1, doubled: 1 });
        assert!(compare(&all, &[9, 4, 1]).is_err(), "a page that never came proves nothing");
    }
}

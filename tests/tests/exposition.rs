//! `/metrics` of both programs, read by Prometheus itself: `promtool check metrics` has nothing to say but that the names
//! others gave (IF-MIB, node_exporter) are theirs, and a Prometheus scrapes both.
#![allow(clippy::unwrap_used)]

use haidang_daemon::clock::Clock;
use haidang_probe::metric::Metric;
use haidang_tests::console::Console;
use haidang_tests::proof::unproved;
use haidang_tests::stage::wait;
use haidang_tests::targets::Targets;
use haidang_tests::{gateway, raw};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

const STAGE: u8 = 44;
/// What promtool says of a name that is not ours.
const THEIRS: &str = " metric names should be written in 'snake_case' not 'camelCase'";

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn installed(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// What promtool says of a page, but of names that others gave.
fn remarks(page: &str) -> Vec<String> {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let theirs = |line: &&str| {
        line.strip_suffix(THEIRS).is_some_and(|name| Metric::ALL.iter().any(|metric| metric.name() == name))
    };
    said.lines().filter(|line| !theirs(line)).map(str::to_owned).collect()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A Prometheus that scrapes both programs each second, and its address.
fn prometheus(folder: &str, agent: &str, console: &Console) -> (Running, String) {
    let (file, data) = (format!("{folder}/prometheus.yml"), format!("{folder}/prometheus"));
    let scraped = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n\
         - {{job_name: agent, static_configs: [{{targets: [\"{agent}\"]}}]}}\n\
         - {{job_name: collector, authorization: {{credentials: \"{}\"}}, static_configs: [{{targets: [\"{}\"]}}]}}\n",
        console.token, console.address
    );
    fs::write(&file, scraped).unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new("prometheus");
    command.args(["--config.file", &file, "--storage.tsdb.path", &data, "--web.listen-address", &address]);
    let log = fs::File::create(format!("{folder}/prometheus.log")).unwrap();
    (Running(command.stdin(Stdio::null()).stderr(log).spawn().unwrap()), address)
}

/// The values of an instant query, by job.
fn query(address: &str, query: &str) -> anyhow::Result<Vec<(String, String)>> {
    let request = format!("GET /api/v1/query?query={query} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    let answer: Value = serde_json::from_str(&raw::exchange(address, request.as_bytes())?.text())?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    Ok(found.iter().map(|one| (text(&one["metric"]["job"]), text(&one["value"][1]))).collect())
}

#[test]
fn prometheus_reads_both_programs_and_promtool_finds_nothing() {
    if !installed("promtool") || !installed("prometheus") {
        return unproved("prometheus", "Debian's prometheus is not installed");
    }
    let targets = Arc::new(Targets::start(4, &Clock::machine().unwrap()).unwrap());
    let mut stage = gateway::stage(STAGE, &targets, "1s").unwrap();
    let agent = format!("127.0.0.1:{}", free_port());
    stage.change_plan(|plan| plan.listen = Some(agent.parse().unwrap())).unwrap();
    let console = stage.start_collector().unwrap();
    stage.start_agent().unwrap();
    let scrape = format!("GET /metrics HTTP/1.0\r\nHost: {agent}\r\n\r\n");
    let page = wait("the agent to have measured something", 60, || {
        let answer = raw::exchange(&agent, scrape.as_bytes())?;
        Ok(Some(answer.text()).filter(|page| page.contains("probe_success{")))
    })
    .unwrap();
    assert_eq!(remarks(&page), [""; 0], "of the agent");
    let (_, page) = console.request("GET", "/metrics", "").unwrap();
    assert_eq!(remarks(&page), [""; 0], "of the collector");
    assert_eq!(remarks("# TYPE x counter\nx 1\n").len(), 2, "promtool says what is wrong");

    let (_prometheus, address) = prometheus(&stage.path("."), &agent, &console);
    wait("Prometheus to have scraped both", 60, || {
        let mut up = query(&address, "up")?;
        up.sort();
        let both = [("agent", "1"), ("collector", "1")].map(|(job, up)| (job.to_owned(), up.to_owned()));
        Ok((up == both).then_some(()))
    })
    .unwrap();
    let seen = query(&address, "count(probe_success)by(job)").unwrap();
    assert!(seen.iter().any(|(job, count)| job == "agent" && count != "0"), "{seen:?}");
}

//! A client of the console port, as small as a test needs: one request a connection, JSON answers.

use anyhow::{Context, bail};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The console port of a running collector, with a token.
#[derive(Clone, Debug)]
pub struct Console {
    /// `127.0.0.1:port`.
    pub address: String,
    /// Bearer token.
    pub token: String,
}

impl Console {
    /// The JSON at a path.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let (status, body) = self.request("GET", path, "")?;
        if status != 200 {
            bail!("GET {path}: {status} {body}");
        }
        serde_json::from_str(&body).with_context(|| format!("GET {path}: {body}"))
    }

    /// Status and body of a request; `body` is JSON, or empty.
    pub fn request(&self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
        let mut stream =
            TcpStream::connect(&self.address).with_context(|| format!("connect {}", self.address))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let bearer = if self.token.is_empty() {
            String::new()
        } else {
            format!("Authorization: Bearer {}\r\n", self.token)
        };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{bearer}{kind}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}",
            self.address
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).with_context(|| format!("{method} {path}"))?;
        parse(&answer).with_context(|| format!("{method} {path}: not an HTTP answer"))
    }

    /// All incidents kept, also closed ones.
    pub fn incidents(&self) -> anyhow::Result<Vec<Value>> {
        let list = self.get("/api/v1/incidents")?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// Sites in a state.
    pub fn sites_in(&self, state: &str) -> anyhow::Result<Vec<String>> {
        let all = self.get("/api/v1/state")?;
        let sites = all["sites"].as_array().cloned().unwrap_or_default();
        let name = |site: &Value| site["id"].as_str().unwrap_or_default().to_owned();
        Ok(sites.iter().filter(|site| site["state"] == state).map(name).collect())
    }
}

fn parse(answer: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Some((status, if chunked { unchunk(body)? } else { body.to_owned() }))
}

fn unchunk(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.push_str(rest.get(..size)?);
        body = rest.get(size + 2..)?;
    }
}

//! What a program needs to be a program, for the agent and the collector alike.
//!
//! Nothing here knows a site, a probe's result or an incident. Each file is one concern:
//!
//! | file        | promise                                                                        |
//! |-------------|--------------------------------------------------------------------------------|
//! | [`clock`]   | the only reader of clocks; monotonic across suspend, honest about UTC          |
//! | [`yaml`]    | configuration text to structs; every error is `file:line:col: message`         |
//! | [`reload`]  | says *that* the configuration's content changed, never what it says            |
//! | [`datagrams`] | many datagrams by one call, stamped by the kernel; the only `unsafe` code               |
//! | [`listen`]  | bound sockets and TLS; nothing beyond loopback in plain text unless asked for  |
//! | [`pem`]     | certificates as text, without a key among them                                 |
//! | [`serve`]   | HTTP/1 under limits and time-outs; `/healthz`, `/readyz`, `/metrics`           |
//! | [`metrics`] | counters and gauges as OpenMetrics text, with the process's own                |
//! | [`log`]     | key=value lines on stderr                                                      |
//! | [`room`]    | as many open files as the limits on connections need                           |
//! | [`stop`]    | SIGINT and SIGTERM as a future everybody can wait for                          |
//!
//! All of it runs on one tokio thread; the only other thread is the file watcher's own.

pub mod clock;
pub mod datagrams;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod pem;
pub mod reload;
pub mod room;
pub mod serve;
pub mod stop;
pub mod yaml;

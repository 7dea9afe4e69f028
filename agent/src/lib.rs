//! The agent: it stands at a site, asks what its plan says, keeps what it saw through every outage, and
//! brings it to the collector.
//!
//! | file           | promise                                                                              |
//! |----------------|--------------------------------------------------------------------------------------|
//! | [`by_id`]      | a table by check id                                                                  |
//! | [`fault`]      | a panic ends the program, and what it was at rests after the next start               |
//! | [`place`]      | who a target's text means, also `@default-gateway` and `@resolver`                   |
//! | [`dial`]       | connections out, from a chosen source, with TLS                                      |
//! | [`timestamps`] | readings of both clocks for STAMP packets                                            |
//! | [`figures`]    | what the packets of one run say together: loss, round trips, jitter                  |
//! | [`icmp`]       | echoes for thousands of targets: kernel stamps, no task per run                      |
//! | [`stamp`]      | trains to reflectors: loss, delay and variation of each way, how a call would sound  |
//! | [`path`]       | the way to a target, hop by hop: on demand, on doubt, and whether it changed          |
//! | [`probe`]      | one probe a file: how each kind of check is asked                                    |
//! | [`portal`]     | a look at a page for defacement: fingerprints, signs, the page that is known          |
//! | [`snmp`]       | devices asked by SNMP: profiles, tables, limits                                      |
//! | [`schedule`]   | which check is due: spread, skip, never queue                                        |
//! | [`gateway`]    | the machine's own events: boot, start, stop, links                                   |
//! | [`machine`]    | what the kernel tells of the machine: load, memory, disks, heat, why it booted        |
//! | [`spool`]      | numbered, durable batches; no number used twice, nothing numbered lost or doubled    |
//! | [`expose`]     | the figures `/metrics` shows                                                         |
//! | [`uplink`]     | batches out, acknowledgements back: live first, backlog after                        |
//! | [`gather`]     | when a batch is due                                                                  |
//! | [`keeper`]     | from a finished run to the spool                                                     |
//! | [`quality`]    | each minute: the longest packet an uplink carries, and its bottleneck                |
//! | [`liveness`]   | the up and down STAMP sessions of an uplink                                          |
//! | [`listen`]     | what arrives unasked: syslog, traps, neighbours, DHCP servers; each a typed event    |
//! | [`plan`]       | the agent's file, judged whole; what a new one changes                               |
//! | [`identity`]   | who an enrolled agent is; its certificate, renewed in time                          |
//! | [`enrol`]      | a device becomes the agent of a site                                                 |
//! | [`fetch`]      | when the collector's orders are fetched                                              |
//! | [`run`]        | all of it together                                                                   |

pub mod by_id;
pub mod fault;
pub mod place;
pub mod dial;
pub mod timestamps;
pub mod figures;
pub mod icmp;
pub mod stamp;
pub mod path;
pub mod probe;
pub mod portal;
pub mod snmp;
pub mod schedule;
pub mod gateway;
pub mod machine;
pub mod spool;
pub mod expose;
pub mod uplink;
pub mod gather;
pub mod keeper;
pub mod quality;
pub mod liveness;
pub mod listen;
pub mod plan;
pub mod identity;
pub mod enrol;
pub mod fetch;
pub mod run;

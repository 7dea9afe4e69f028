//! What the kernel tells of this machine, from `/proc` and `/sys`: a sample for each thing it has, none for what it has
//! not.
//!
//! ```text
//! /proc  stat · loadavg · meminfo · net/route · sys/net/netfilter/nf_conntrack_*     here
//!        self/mountinfo, statvfs of each                                             storage
//! /sys   class/thermal · class/hwmon                                                 heat
//!        class/watchdog · fs/pstore                                                  boot
//! ```
//!
//! Every reading is of one small file that the kernel makes up as it is read; how many parts (disks, sensors, routes)
//! are told of is limited, the rest is left out.

pub mod boot;
mod heat;
mod storage;

use haidang_probe::metric::Metric;
use haidang_probe::outcome::Sample;
use procfs::{FromRead as _, LoadAverage, Meminfo};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// Default routes told of.
pub const ROUTES: usize = 8;

/// Columns of `cpu` in `/proc/stat` (proc_stat(5)), in ticks. Guests are counted in `user` and `nice` already.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

/// `RTF_UP` (`linux/route.h`).
const ROUTE_UP: u16 = 0x1;

/// Where the kernel tells of the machine.
#[derive(Clone, Debug)]
pub struct Kernel {
    root: PathBuf,
}

impl Default for Kernel {
    fn default() -> Kernel {
        Kernel::at(Path::new("/"))
    }
}

impl Kernel {
    /// One whose `proc` and `sys` stand below `root`.
    pub fn at(root: &Path) -> Kernel {
        Kernel { root: root.into() }
    }

    /// All that is to be had now. May wait for a disk.
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples = self.processors();
        samples.extend(self.load());
        samples.extend(self.memory());
        samples.extend(self.connections());
        samples.extend(self.default_routes());
        samples.extend(heat::samples(&self.root.join("sys/class")));
        samples.extend(storage::samples(&self.proc("self/mountinfo")));
        samples
    }

    fn proc(&self, name: &str) -> PathBuf {
        self.root.join("proc").join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.proc(name)).unwrap_or_default()
    }

    fn processors(&self) -> Vec<Sample> {
        let mut line = String::new();
        // The sum of all comes first; behind it a line a processor and a long one of interrupts.
        let read = File::open(self.proc("stat")).and_then(|file| BufReader::new(file).read_line(&mut line));
        let Some(("cpu", ticks)) = read.ok().and_then(|_| line.split_once(' ')) else { return Vec::new() };
        let per_second = procfs::ticks_per_second() as f64;
        let ticks = ticks.split_ascii_whitespace().map_while(|count| count.parse::<u64>().ok());
        let told = MODES.into_iter().zip(ticks);
        told.map(|(mode, ticks)| sample(Metric::Cpu, mode, ticks as f64 / per_second)).collect()
    }

    fn load(&self) -> Vec<Sample> {
        let Ok(load) = LoadAverage::from_file(self.proc("loadavg")) else { return Vec::new() };
        let means = [(Metric::Load1, load.one), (Metric::Load5, load.five), (Metric::Load15, load.fifteen)];
        means.map(|(metric, mean)| sample(metric, "", f64::from(mean))).into()
    }

    fn memory(&self) -> Vec<Sample> {
        let Ok(memory) = Meminfo::from_file(self.proc("meminfo")) else { return Vec::new() };
        let available = memory.mem_available.unwrap_or(memory.mem_free);
        vec![
            sample(Metric::MemoryTotal, "", memory.mem_total as f64),
            sample(Metric::MemoryAvailable, "", available as f64),
        ]
    }

    fn connections(&self) -> Vec<Sample> {
        let files = [
            (Metric::ConntrackEntries, "sys/net/netfilter/nf_conntrack_count"),
            (Metric::ConntrackLimit, "sys/net/netfilter/nf_conntrack_max"),
        ];
        let told = files.into_iter().filter_map(|(metric, name)| {
            self.text(name).trim().parse::<u32>().ok().map(|count| sample(metric, "", f64::from(count)))
        });
        told.collect()
    }

    /// The interfaces that default routes leave by, the one in use first (IPv4, `/proc/net/route`).
    fn default_routes(&self) -> Vec<Sample> {
        let text = self.text("net/route");
        let mut routes: Vec<(u32, &str)> = text.lines().skip(1).filter_map(default_route).collect();
        // Of equal ones the kernel takes the one it lists first.
        routes.sort_by_key(|(metric, _)| *metric);
        let mut told: Vec<&str> = Vec::new();
        for (_, interface) in routes {
            if !told.contains(&interface) && told.len() < ROUTES {
                told.push(interface);
            }
        }
        let one =
            |(place, interface)| sample(Metric::DefaultRoute, interface, f64::from(u8::from(place == 0)));
        told.into_iter().enumerate().map(one).collect()
    }
}

/// Metric and interface of a line that is a usable default route; a point-to-point one has no gateway.
fn default_route(line: &str) -> Option<(u32, &str)> {
    let field: Vec<&str> = line.split_ascii_whitespace().collect();
    let hex = |at: usize| u32::from_str_radix(field.get(at)?, 16).ok();
    let up = u16::from_str_radix(field.get(3)?, 16).ok()? & ROUTE_UP != 0;
    let metric = field.get(6)?.parse().ok()?;
    (up && hex(1)? == 0 && hex(7)? == 0).then_some((metric, *field.first()?))
}

fn sample(metric: Metric, part: &str, value: f64) -> Sample {
    Sample { metric, part: part.into(), value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Kernel) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let kernel = Kernel::at(root.path());
        (root, kernel)
    }

    fn told(samples: &[Sample]) -> Vec<(Metric, &str, f64)> {
        samples.iter().map(|sample| (sample.metric, sample.part.as_str(), sample.value)).collect()
    }

    #[test]
    fn processors_are_told_together_by_what_they_did() {
        let text = "cpu  1000 5 200 90000 10 0 3 7 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\nintr 9\n";
        let (_root, kernel) = machine(&[("proc/stat", text)]);
        let samples = kernel.processors();
        let ticks = procfs::ticks_per_second() as f64;
        assert_eq!(samples.len(), MODES.len());
        assert_eq!(told(&samples)[3], (Metric::Cpu, "idle", 90_000.0 / ticks));
        for garbled in ["", "cpu\n", "intr 3\n", "cpu x y\n"] {
            let (_root, kernel) = machine(&[("proc/stat", garbled)]);
            assert_eq!(kernel.processors(), [], "{garbled:?}");
        }
    }

    #[test]
    fn the_route_in_use_is_one_and_the_next_is_nought() {
        let routes = "\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
wwan0\t00000000\t0102A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0
ppp0\t00000000\t00000000\t0001\t0\t0\t100\t00000000\t0\t0\t0
eth9\t00000000\t0101A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
garbled
";
        let (_root, kernel) = machine(&[("proc/net/route", routes)]);
        let samples = kernel.default_routes();
        let expected = [(Metric::DefaultRoute, "ppp0", 1.0), (Metric::DefaultRoute, "wwan0", 0.0)];
        assert_eq!(told(&samples), expected);
    }

    #[test]
    fn a_full_table_of_connections_shows() {
        let (_root, kernel) = machine(&[
            ("proc/sys/net/netfilter/nf_conntrack_count", "15990\n"),
            ("proc/sys/net/netfilter/nf_conntrack_max", "16384\n"),
        ]);
        let values: Vec<f64> = kernel.connections().iter().map(|sample| sample.value).collect();
        assert_eq!(values, [15_990.0, 16_384.0]);
    }

    #[test]
    fn what_is_not_there_is_not_told() {
        let (_root, kernel) = machine(&[("proc/loadavg", "0.50 0.25 0.10 1/100 4242\n")]);
        let samples = kernel.samples();
        let expected = [(Metric::Load1, "", 0.5), (Metric::Load5, "", 0.25), (Metric::Load15, "", 0.1)];
        assert_eq!(samples.len(), 3);
        for (told, expected) in told(&samples).into_iter().zip(expected) {
            assert!(told.0 == expected.0 && (told.2 - expected.2).abs() < 1e-6, "{told:?}");
        }
    }
}

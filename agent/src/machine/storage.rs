//! File systems on disks and flash: size, room, and whether they still take writes.
//!
//! Those of the network are left out: asking one whose server is gone waits for ever. Read-only images (squashfs) are
//! always full and say nothing.

use super::sample;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Sample;
use rustix::fs::StatVfsMountFlags;
use std::path::Path;

/// File systems told of.
pub const DISKS: usize = 16;

/// Kinds that keep what is written on this machine.
const KINDS: [&str; 12] =
    ["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "ubifs", "jffs2", "vfat", "exfat", "overlay", "zfs"];

/// The file systems in a `mountinfo` (proc_pid_mountinfo(5)).
pub(super) fn samples(mountinfo: &Path) -> Vec<Sample> {
    let text = std::fs::read_to_string(mountinfo).unwrap_or_default();
    let mut devices: Vec<&str> = Vec::new();
    let mut samples = Vec::new();
    for (device, place) in text.lines().filter_map(mounted) {
        if devices.contains(&device) || devices.len() == DISKS {
            continue;
        }
        devices.push(device);
        samples.extend(told(&place));
    }
    samples
}

/// Device number and place of a line that is a file system we tell of.
fn mounted(line: &str) -> Option<(&str, String)> {
    let (mount, source) = line.split_once(" - ")?;
    let mut field = mount.split(' ');
    let (device, place) = (field.nth(2)?, field.nth(1)?);
    KINDS.contains(&source.split(' ').next()?).then(|| (device, unescape(place)))
}

fn told(place: &str) -> Vec<Sample> {
    let Ok(disk) = rustix::fs::statvfs(place) else { return Vec::new() };
    let bytes = |blocks: u64| blocks as f64 * disk.f_frsize as f64;
    let readonly = disk.f_flag.contains(StatVfsMountFlags::RDONLY);
    vec![
        sample(Metric::FilesystemSize, place, bytes(disk.f_blocks)),
        sample(Metric::FilesystemAvailable, place, bytes(disk.f_bavail)),
        sample(Metric::FilesystemReadonly, place, f64::from(u8::from(readonly))),
    ]
}

/// Blank, tab, line end and backslash stand as `\ooo`.
fn unescape(place: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(place.to_owned(), |place, (escape, meant)| place.replace(escape, meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_disk_is_told_once_and_network_disks_never() {
        let folder = tempfile::tempdir().unwrap();
        let blank = folder.path().join("a b");
        std::fs::create_dir(&blank).unwrap();
        let (place, blank) = (folder.path().display(), blank.display().to_string().replace(' ', "\\040"));
        let text = format!(
            "22 1 8:1 / {place} rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
             23 22 8:1 /etc {place}/twice rw - ext4 /dev/sda1 rw\n\
             24 22 8:2 / {blank} rw - overlay overlayfs:/overlay rw\n\
             25 22 0:50 / {place} rw - nfs4 10.0.0.1:/share rw\n\
             26 22 0:51 / {place} ro - squashfs /dev/root ro\n\
             27 22 8:3 / /nowhere/at/all rw - ext4 /dev/sdb1 rw\n\
             garbled\n"
        );
        let file = folder.path().join("mountinfo");
        std::fs::write(&file, text).unwrap();
        let samples = samples(&file);
        let sizes: Vec<&Sample> =
            samples.iter().filter(|sample| sample.metric == Metric::FilesystemSize).collect();
        let places: Vec<&str> = sizes.iter().map(|sample| sample.part.as_str()).collect();
        assert_eq!(places, [place.to_string(), format!("{place}/a b")]);
        assert!(sizes.iter().all(|sample| sample.value > 0.0));
        assert_eq!(samples.len(), 6);
    }
}

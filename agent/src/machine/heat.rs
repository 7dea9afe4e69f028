//! Temperatures: thermal zones and hardware monitors (kernel `Documentation/ABI/testing/sysfs-class-thermal`,
//! `-hwmon`), in thousandths of a degree.

use super::sample;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Sample;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Sensors told of, zones and monitors each.
pub const SENSORS: usize = 16;

/// What a sensor that works can show, °C: those without a diode say -273 or 255.
const SENSIBLE: RangeInclusive<f64> = -60.0..=150.0;

/// The sensors below a `/sys/class`.
pub(super) fn samples(class: &Path) -> Vec<Sample> {
    let zones = below(&class.join("thermal"), "thermal_zone").into_iter().filter_map(|zone| {
        let (place, kind) = (name(&zone)?, word(&zone.join("type")).unwrap_or_default());
        told(&format!("{kind}/{place}"), &zone.join("temp"))
    });
    let monitors = below(&class.join("hwmon"), "hwmon").into_iter().flat_map(|monitor| {
        let chip = word(&monitor.join("name")).unwrap_or_default();
        let inputs = below(&monitor, "temp").into_iter();
        inputs.filter_map(move |input| {
            let sensor = name(&input)?.strip_suffix("_input")?.to_owned();
            told(&format!("{chip}/{sensor}"), &input)
        })
    });
    zones.take(SENSORS).chain(monitors.take(SENSORS)).collect()
}

fn told(part: &str, file: &Path) -> Option<Sample> {
    let thousandths: i32 = word(file)?.parse().ok()?;
    let degrees = f64::from(thousandths) / 1_000.0;
    SENSIBLE.contains(&degrees).then(|| sample(Metric::Temperature, part, degrees))
}

/// Entries whose name begins so, in order.
fn below(folder: &Path, begins: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| name(path).is_some_and(|name| name.starts_with(begins))).collect();
    found.sort();
    found
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

fn word(file: &Path) -> Option<String> {
    std::fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensors_that_work_are_told_by_name() {
        let class = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("thermal/thermal_zone0/temp", "48312\n"),
            ("thermal/thermal_zone1/temp", "-273000\n"),
            ("thermal/cooling_device0/temp", "1000\n"),
            ("hwmon/hwmon0/name", "coretemp\n"),
            ("hwmon/hwmon0/temp1_input", "51000\n"),
            ("hwmon/hwmon0/temp1_max", "90000\n"),
            ("hwmon/hwmon0/temp2_input", "broken\n"),
        ] {
            let path = class.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let samples = samples(class.path());
        let told: Vec<(&str, i64)> =
            samples.iter().map(|sample| (sample.part.as_str(), (sample.value * 1e3) as i64)).collect();
        assert_eq!(told, [("cpu-thermal/thermal_zone0", 48_312), ("coretemp/temp1", 51_000)]);
    }
}

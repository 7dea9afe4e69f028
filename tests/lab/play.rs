//! A scenario from its topology to its score.
//!
//! ```text
//! up ─▶ plan? ─▶ targets ─▶ configuration ─▶ programs, every line up ─▶ scenario ─▶ incidents.jsonl ─▶ score
//!                                                  API, maintenance.json ◀─┘ every half second
//!
//! Before the score stands the truth against the evidence that the collector keeps of it.
//! ```

use crate::announce::Announced;
use crate::backfill::{self, Backfill};
use crate::centre::Centre;
use crate::evidence;
use crate::lab::Lab;
use crate::naming::{self, Told};
use crate::record::CORE;
use crate::scene::{Gap, Scene};
use crate::table;
use crate::targets::Targets;
use anyhow::Context;
use haidang_daemon::clock::Clock;
use haidang_tests::console::Console;
use haidang_tests::process::load;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

/// Between two looks at the scenario.
const LOOK: Duration = Duration::from_millis(500);
/// From the plan of a scenario with service hours to its start, seconds: every line must be up by then.
const AHEAD: u32 = 120;
/// How long after the last event evidence of it is waited for, seconds: several runs of each check.
const AFTERMATH: f64 = 45.0;
/// Frames that the emulator may deliver late before a run is suspect.
const LATE_FRAMES: u64 = 5;

/// Takes the lab down, however the play ends.
struct Standing<'a>(&'a Lab);

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.down() {
            eprintln!("{error:#}");
        }
    }
}

/// Plays a scenario; everything of it is kept in a folder named after it in `out`.
///
/// # Errors
/// When something broke; a bad score is none.
pub fn play(lab: &Lab, said: &str, out: &Path) -> anyhow::Result<()> {
    let file = lab.scenario_file(said)?;
    let scene = Scene::read(&file)?;
    println!("{}: {}", scene.id, scene.title);
    let folder = std::path::absolute(out)?.join(&scene.id);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("clear {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    let _standing = Standing(lab);
    lab.up(&scene.topology)?;
    if scene.hours.is_some() {
        lab.plan(&file, AHEAD)?;
    }
    let targets = lab.targets()?;
    let centre = Centre::new(lab, &folder);
    centre.configure(&targets)?;
    let _inside = lab.enter(CORE)?;
    let console = centre.start(&targets)?;
    println!("every line is up; load average {}", load());
    lab.lag(true)?;
    let running = lab.scenario(&file, &std::env::current_exe()?, &folder)?;
    let mut stage = Stage { lab, scene: &scene, console: &console, targets, backfill: None };
    stage.watch(running)?;
    stage.tell(&file, &folder)
}

/// A scenario under way.
struct Stage<'a> {
    lab: &'a Lab,
    scene: &'a Scene,
    console: &'a Console,
    targets: Targets,
    backfill: Option<Backfill>,
}

impl Stage<'_> {
    /// Looks on until the scenario ends, tells of announced work, counts a gap's samples when it is time.
    fn watch(&mut self, mut running: Child) -> anyhow::Result<()> {
        let clock = Clock::machine()?;
        let mut announced = Announced::default();
        let mut complained = false;
        loop {
            if let Some(status) = running.try_wait()? {
                anyhow::ensure!(status.success(), "the scenario ended: {status}");
                return Ok(());
            }
            let followed = announced.follow(self.console, &self.targets, &self.lab.maintenance());
            if let Err(error) = followed
                && !std::mem::replace(&mut complained, true)
            {
                eprintln!("announced work was not told: {error:#}");
            }
            if let (Some(gap), None, Ok(t0)) = (&self.scene.expect.data, self.backfill, self.t0())
                && clock.utc_ms() as f64 / 1000.0 >= t0 + gap.gap[1] + gap.within_s
            {
                let counted = backfill::count(self.console, &self.targets, gap, t0)?;
                tell_backfill(counted, gap);
                self.backfill = Some(counted);
            }
            sleep(LOOK);
        }
    }

    /// Writes down what came out, scores it and says it.
    fn tell(&self, file: &Path, folder: &Path) -> anyhow::Result<()> {
        let t0 = self.t0()?;
        let mut incidents = self.console.incidents()?;
        incidents.sort_by_key(|incident| naming::text(&incident["noticed"]));
        let told = incidents.iter().map(|incident| naming::told(&self.targets, incident));
        let told: Vec<Told> = told.filter_map(Result::transpose).collect::<anyhow::Result<_>>()?;
        let mut lines = String::new();
        for one in &told {
            lines += &serde_json::to_string(one)?;
            lines.push('\n');
        }
        let written = folder.join("incidents.jsonl");
        fs::write(&written, lines)?;
        fs::write(folder.join("told.json"), serde_json::to_string_pretty(&incidents)?)?;
        table::rows(&self.targets, &incidents, &self.lab.truth(), t0)?
            .iter()
            .for_each(|row| println!("{row}"));
        self.evidence(folder, t0)?;
        let score = self.lab.score(file, &written, t0)?;
        fs::write(folder.join("score.json"), serde_json::to_string_pretty(&score)?)?;
        println!("{}", score["detail"]);
        self.lag()?;
        let notifications: u64 = told.iter().map(|one| one.notifications).sum();
        println!("score {} scenario {} notifications {notifications}", score["score"], self.scene.id);
        Ok(())
    }

    /// Holds the truth against what the collector keeps of what agents saw.
    fn evidence(&self, folder: &Path, t0: f64) -> anyhow::Result<()> {
        let truth = self.lab.truth();
        // The lab heals what is still broken as it ends; that is seen after it.
        let last = truth.iter().filter_map(|event| event["ts"].as_f64()).fold(t0, f64::max);
        let now = Clock::machine()?.utc_ms() as f64 / 1000.0;
        sleep(Duration::from_secs_f64((last + AFTERMATH - now).clamp(0.0, AFTERMATH)));
        let seen = evidence::read(&folder.join("collector"))?;
        // With both the table can be made again on a desk.
        fs::write(folder.join("truth.json"), serde_json::to_string_pretty(&truth)?)?;
        let table = evidence::table(&self.targets, &seen, &truth, t0);
        fs::write(folder.join("evidence.txt"), table.rows.join("\n") + "\n")?;
        table.rows.iter().for_each(|row| println!("{row}"));
        println!("evidence {} of {}", table.found, table.of);
        Ok(())
    }

    /// A run whose emulator was late says little.
    fn lag(&self) -> anyhow::Result<()> {
        let lag = self.lab.lag(false)?;
        println!("lag {lag}; load average {}", load());
        if lag["late_20ms"].as_u64().context("lag without `late_20ms`")? > LATE_FRAMES {
            eprintln!("warning: the emulator delivered late; this run is suspect");
        }
        Ok(())
    }

    /// When the scenario began, seconds since 1970.
    fn t0(&self) -> anyhow::Result<f64> {
        let truth = self.lab.truth();
        let began = truth.iter().rfind(|line| line["event"] == "scenario" && line["id"] == *self.scene.id);
        began.and_then(|line| line["t0"].as_f64()).context("the truth does not say when the scenario began")
    }
}

fn tell_backfill(counted: Backfill, gap: &Gap) {
    let Backfill { expected, arrived, enough } = counted;
    println!(
        "data: {arrived} of {expected} outcomes of {} in the gap within {} s of its end: {}",
        gap.commune,
        gap.within_s,
        if enough { "enough" } else { "TOO FEW" }
    );
}

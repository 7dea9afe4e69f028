//! `init` and `import`: what changes is shown before it is written. The terminal is the administrator's, so it shows
//! addresses and VLANs too; nothing of them is logged.

use crate::Import;
use anyhow::{Context, bail};
use haidang_collector::import::plan::{Kind, What};
use haidang_collector::import::show::{Item, Shown, items, summary};
use haidang_collector::import::{FILE_MAX, Preview, init as first, preview};
use std::fs::File;
use std::io::{IsTerminal, Read, Write, stderr, stdin, stdout};
use std::path::Path;

/// Makes a first configuration and says how to go on.
pub fn init(directory: &Path, province: Option<&str>) -> anyhow::Result<()> {
    let mut out = stdout();
    for file in first::init(directory, province)? {
        writeln!(out, "{}", file.display())?;
    }
    let directory = directory.display();
    writeln!(
        out,
        "\nNext: fill in carriers and hand-offs in {directory}/network.yml and the lines in {directory}/{sheet}, then\n\
         haidang-collector import {directory}/{sheet} --config {directory}",
        sheet = first::SHEET
    )?;
    Ok(())
}

/// Shows what a sheet changes, asks, and writes it.
pub fn import(wish: &Import) -> anyhow::Result<()> {
    let name = wish.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let seen = preview(&wish.config, &name, &read(&wish.file)?, wish.remove)?;
    let mut out = stdout();
    for warning in &seen.problems.warnings {
        writeln!(out, "{name}: warning: {warning}")?;
    }
    for error in &seen.problems.errors {
        writeln!(out, "{name}: {error}")?;
    }
    if !seen.problems.errors.is_empty() {
        bail!("{name}: {} wrong; nothing was written", seen.problems.errors.len());
    }
    tell(&seen, &mut out)?;
    if wish.dry_run {
        return Ok(());
    }
    if seen.plan.writes() && !wish.yes && !agreed(&wish.config)? {
        bail!("nothing was written");
    }
    for file in seen.write(&wish.config)? {
        writeln!(out, "wrote {}", wish.config.join(file).display())?;
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    // One more than is taken: the import itself says that it is too much.
    file.take(FILE_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("read {}", path.display()))?;
    Ok(bytes)
}

fn tell(seen: &Preview, out: &mut impl Write) -> anyhow::Result<()> {
    for item in items(&seen.plan) {
        writeln!(out, "{}", headline(&item))?;
        let changed = item.kind == Kind::Changed;
        for Shown { key, old, new, .. } in item.fields.iter().filter(|_| changed) {
            writeln!(out, "    {key}: {} -> {new}", old.as_deref().unwrap_or("nothing"))?;
        }
    }
    writeln!(out, "{}: {}", seen.name, summary(&seen.plan))?;
    Ok(())
}

/// As in `+ line 28249-tt-1 DTP-VNPT-000123`.
fn headline(item: &Item) -> String {
    let sign = match item.kind {
        Kind::Added => '+',
        Kind::Changed => '~',
        Kind::Gone => '?',
        Kind::Removed => '-',
    };
    let indent = if item.what == What::Line { "  " } else { "" };
    let stays =
        if item.kind == Kind::Gone { " (no longer in the sheet; stays without --remove)" } else { "" };
    format!("{indent}{sign} {} {} {}{stays}", item.what.name(), item.id, item.name)
}

fn agreed(directory: &Path) -> anyhow::Result<bool> {
    if !stdin().is_terminal() {
        bail!("nothing was written: say --yes to write, or --dry-run to look only");
    }
    write!(stderr(), "write this to {}? [y/N] ", directory.join("sites").display())?;
    stderr().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "c" | "có"))
}

//! Random edits of a configuration, in every manner in which people and machines replace files.
//!
//! ```text
//! what      good (another text each time) · bad (four ways to be wrong) · the same again · only a nudge
//! how       in place · in two steps, cut in the middle · new file renamed over the old (vim) ·
//!           old one renamed to `file~`, then written anew (emacs) · `..data` symlink swapped (mounted map)
//! ```
//!
//! Everything is a function of the seed.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// Longest pause in the middle of a write in two steps; longer than a reload waits for quiet.
const HALFWAY_MS: u64 = 120;

/// What an edit leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Other content, which must be taken over.
    Good,
    /// Content that must not.
    Bad,
    /// What stood there before: nothing may happen.
    Same,
    /// SIGHUP, and nothing else.
    Nudge,
}

/// One file that is edited, of a program that reads it.
pub struct Editor {
    file: PathBuf,
    /// The program's process id.
    process: u32,
    random: u64,
    versions: u64,
}

impl Editor {
    /// Edits `file`, which `process` reads.
    pub fn new(file: impl Into<PathBuf>, process: u32, seed: u64) -> Editor {
        Editor { file: file.into(), process, random: seed | 1, versions: 0 }
    }

    /// Another edit: `good` makes the content of a version. Gives what it was, once it is done.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn edit(&mut self, good: impl Fn(u64) -> String) -> anyhow::Result<What> {
        match self.draw(10) {
            0 => {
                Command::new("kill").args(["-HUP", &self.process.to_string()]).status()?;
                Ok(What::Nudge)
            }
            1 => {
                let same = fs::read_to_string(&self.file)?;
                self.replace(&same)?;
                Ok(What::Same)
            }
            2..=4 => {
                let text = good(self.versions);
                let bad = self.spoilt(&text);
                self.replace(&bad)?;
                Ok(What::Bad)
            }
            _ => {
                self.good(good)?;
                Ok(What::Good)
            }
        }
    }

    /// A good edit.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn good(&mut self, good: impl Fn(u64) -> String) -> anyhow::Result<()> {
        self.versions += 1;
        let text = good(self.versions);
        self.replace(&text)
    }

    /// The good version last written.
    pub fn version(&self) -> u64 {
        self.versions
    }

    fn spoilt(&mut self, text: &str) -> String {
        match self.draw(4) {
            0 => format!("{text}\nkey_of_nobody: 1\n"),
            1 => text.chars().take(text.chars().count() / 2).chain("\": [".chars()).collect(),
            2 => format!("{text}\n]]]\n"),
            _ => String::new(),
        }
    }

    fn replace(&mut self, text: &str) -> anyhow::Result<()> {
        let (file, name) = (self.file.clone(), self.name());
        match self.draw(5) {
            0 => fs::write(file, text)?,
            1 => {
                // Perhaps in the middle of a letter, as a copy under way leaves it.
                let half = text.len() / 2;
                let mut open = fs::File::create(file)?;
                open.write_all(&text.as_bytes()[..half])?;
                sleep(Duration::from_millis(self.draw(HALFWAY_MS)));
                open.write_all(&text.as_bytes()[half..])?;
            }
            2 => {
                let new = self.beside(&format!(".{name}.swp"));
                fs::write(&new, text)?;
                fs::rename(new, file)?;
            }
            3 => {
                fs::rename(&file, self.beside(&format!("{name}~")))?;
                fs::write(file, text)?;
            }
            _ => self.swap(text)?,
        }
        Ok(())
    }

    /// As a mounted map is replaced: a new directory, and one rename of the link to it.
    fn swap(&mut self, text: &str) -> anyhow::Result<()> {
        let (name, data) = (self.name(), self.beside("..data"));
        let before = fs::read_link(&data).ok();
        let version = format!("..{}", self.draw(u64::MAX));
        fs::create_dir(self.beside(&version))?;
        fs::write(self.beside(&version).join(&name), text)?;
        link(Path::new(&version), &data)?;
        let through = Path::new("..data").join(&name);
        if fs::read_link(&self.file).ok().as_deref() != Some(&through) {
            link(&through, &self.file)?;
        }
        if let Some(before) = before {
            fs::remove_dir_all(self.beside(&before.to_string_lossy()))?;
        }
        Ok(())
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.file.with_file_name(name)
    }

    fn name(&self) -> String {
        self.file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A number below `most` (xorshift64).
    fn draw(&mut self, most: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % most
    }
}

/// A symlink at `at`, in the stead of whatever was there.
fn link(to: &Path, at: &Path) -> anyhow::Result<()> {
    let mut new = at.as_os_str().to_owned();
    new.push("_tmp");
    symlink(to, &new)?;
    Ok(fs::rename(new, at)?)
}

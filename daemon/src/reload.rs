//! Says *that* the configuration's content changed. Never what it says: whoever hears it reads it anew.
//!
//! ```text
//! inotify on the directories ─┐
//! SIGHUP ─────────────────────┼─► nudge ─► quiet for DEBOUNCE ─► SHA-256 of all files ─► differs? ─► changed()
//! every LOOK_EVERY ───────────┘
//! ```
//!
//! Directories are watched, not files: editors save by renaming a new file into place, and a mounted
//! configuration map swaps its `..data` symlink, after both of which a watch on the file would see nothing.
//! ```no_run
//! # async fn example(stop: haidang_daemon::stop::Stop) -> std::io::Result<()> {
//! # fn load() {}
//! let mut reload = haidang_daemon::reload::Reload::start("/etc/haidang/agent.yml".as_ref())?;
//! load();
//! loop {
//!     tokio::select! { () = reload.changed() => load(), () = stop.wait() => break }
//! }
//! # Ok(()) }
//! ```
//!
//! When the system grants no watch (its inotify limit), SIGHUP and the look once a minute remain.

mod reading;

use crate::yaml;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

pub use reading::Reading;

/// Quiet needed before the files are read: editors and `git pull` write several.
///
/// What is read half-written is at worst a bad reading that the next one mends, so this need not be long.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// Longest wait for that quiet.
const MAX_DEBOUNCE: Duration = Duration::from_secs(1);
/// Times that [`steadily`] reads files which change meanwhile; after that the next nudge has to do.
const TRIES: usize = 5;
/// Time between looks when nothing nudges.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Most directories watched; changes in others are found by the look once a minute.
const MAX_WATCHED: usize = 1024;

/// SHA-256 over names and bytes of all files of a configuration.
pub type Digest = [u8; 32];

/// Hears of changes of one configuration file or directory. Dropping it ends the watching.
#[derive(Debug)]
pub struct Reload(watch::Receiver<u64>);

impl Reload {
    /// Starts watching `path`; SIGHUP stops ending the process. Start before the first read, so that no change
    /// falls between the two. Needs a tokio runtime.
    ///
    /// # Errors
    /// When SIGHUP cannot be taken over.
    pub fn start(path: &Path) -> std::io::Result<Reload> {
        let hangup = signal(SignalKind::hangup())?;
        let (nudge, nudges) = mpsc::channel(1);
        let (changes, receiver) = watch::channel(0);
        let mut watched = Watched::new(path, nudge);
        watched.refresh();
        let content = Content::of(path);
        tokio::spawn(look(watched, content, nudges, hangup, changes));
        Ok(Reload(receiver))
    }

    /// Returns when the content differs from what it was at the start or at the last return. Cancel safe.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // The watching ended, which only the end of the runtime does: nothing will ever change again.
            std::future::pending::<()>().await;
        }
    }
}

async fn look(
    mut watched: Watched,
    mut content: Content,
    mut nudges: mpsc::Receiver<()>,
    mut hangup: Signal,
    changes: watch::Sender<u64>,
) {
    loop {
        let why = tokio::select! {
            () = changes.closed() => return,
            Some(()) = nudges.recv() => "file event",
            Some(()) = hangup.recv() => "SIGHUP",
            () = tokio::time::sleep(LOOK_EVERY) => "look",
        };
        settle(&mut nudges).await;
        let looked = tokio::task::spawn_blocking(move || {
            watched.refresh();
            let differs = content.differs();
            (watched, content, differs)
        });
        let Ok((next_watched, next_content, differs)) = looked.await else { return };
        (watched, content) = (next_watched, next_content);
        tracing::debug!(why, differs, path = %content.path.display(), "looked at the configuration");
        if differs {
            changes.send_modify(|count| *count += 1);
        }
    }
}

/// Waits until nothing nudged for [`DEBOUNCE`], at most [`MAX_DEBOUNCE`].
async fn settle(nudges: &mut mpsc::Receiver<()>) {
    let quiet = async { while let Ok(Some(())) = tokio::time::timeout(DEBOUNCE, nudges.recv()).await {} };
    let _ = tokio::time::timeout(MAX_DEBOUNCE, quiet).await;
}

/// The content last seen, as a hash over names and bytes of all files.
#[derive(Debug)]
struct Content {
    path: PathBuf,
    hash: Digest,
}

impl Content {
    fn of(path: &Path) -> Content {
        Content { path: path.into(), hash: digest(path) }
    }

    /// Whether the content is another than at the last call.
    fn differs(&mut self) -> bool {
        let before = std::mem::replace(&mut self.hash, digest(&self.path));
        before != self.hash
    }
}

/// What `read` gives of the configuration at `path`, and the digest of exactly that: when files change while they
/// are read, they are read again. Files that change in each of [`TRIES`] readings are given as the last one found
/// them, with the digest of just before it; their next change is heard as any other.
pub fn steadily<T>(path: &Path, mut read: impl FnMut() -> T) -> (T, Digest) {
    let mut before = digest(path);
    let mut got = read();
    for _ in 1..TRIES {
        let after = digest(path);
        if after == before {
            break;
        }
        before = after;
        got = read();
    }
    (got, before)
}

/// Digest of the configuration at `path`. What cannot be read counts as content too: the change must be heard, so
/// that the fault is told.
pub fn digest(path: &Path) -> Digest {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    match yaml::files(path) {
        Ok(files) => {
            for file in files {
                part(file.as_os_str().as_encoded_bytes());
                match yaml::text(&file) {
                    Ok(text) => part(text.as_bytes()),
                    Err(fault) => part(fault.to_string().as_bytes()),
                }
            }
        }
        Err(fault) => part(fault.to_string().as_bytes()),
    }
    hash.finalize().into()
}

/// The directories under watch.
struct Watched {
    path: PathBuf,
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
}

impl Watched {
    fn new(path: &Path, nudge: mpsc::Sender<()>) -> Watched {
        let name = path.file_name().map(ToOwned::to_owned);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !matters(&event, name.as_deref())) {
                return;
            }
            // A full channel holds a nudge already, and a nudge carries nothing.
            let _ = nudge.try_send(());
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "no file events; the configuration is looked at once a minute and at SIGHUP");
        }
        Watched { path: path.into(), watcher: watcher.ok(), directories: BTreeSet::new() }
    }

    /// Watches what has to be watched now: symlinks may point elsewhere than before, directories come and go.
    fn refresh(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted = directories(&self.path);
        for gone in self.directories.difference(&wanted) {
            // The system has already dropped the watch of a directory that no longer exists.
            let _ = watcher.unwatch(gone);
        }
        let mut now = BTreeSet::new();
        for directory in wanted {
            // Again for those already watched: a directory swapped for another of the same name has a new inode.
            match watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => _ = now.insert(directory),
                Err(error) => tracing::debug!(%error, directory = %directory.display(), "cannot watch"),
            }
        }
        self.directories = now;
    }
}

/// Where a change of `path` shows: the directory that holds it, itself and those below it when it is one, and
/// where the symlinks among them lead.
fn directories(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let files = yaml::files(path).unwrap_or_default();
    for entry in std::iter::once(path).chain(files.iter().map(PathBuf::as_path)) {
        found.extend(holder(entry));
        found.extend(entry.canonicalize().ok().as_deref().and_then(holder));
    }
    found.extend(yaml::directories(path));
    found.into_iter().take(MAX_WATCHED).collect()
}

fn holder(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.into() })
}

/// Whether an event may mean other content. Reading never does (or our own reading would nudge us), and
/// writing only to what is configuration: a journal may grow in the same directory.
fn matters(event: &notify::Event, name: Option<&std::ffi::OsStr>) -> bool {
    let configuration = |path: &PathBuf| path.file_name() == name || yaml::is_yaml(path);
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => {
            event.paths.iter().any(configuration)
        }
        EventKind::Access(_) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests;

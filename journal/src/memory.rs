//! A disk in memory that loses power on demand, for tests of zero loss.
//!
//! ```text
//!  what the program sees        what survives Memory::power_loss(seed)
//!  names ───── sync_names ────▶ every synced name; of later changes, each by a toss
//!  content ─── sync ──────────▶ every synced byte; of later ones a prefix torn at any byte, perhaps
//!                               zero-filled to its full length, perhaps with sectors missing in it
//! ```
//!
//! It also breaks in the middle of an operation ([`Memory::lose_power_after`]), outlives the process that wrote
//! to it ([`Memory::kill`]: the system keeps all that was written, synced or not), runs full
//! ([`Memory::limit`]), fails a sync ([`Memory::fail_next_sync`]) and lies about it ([`Memory::lying`]).

use crate::{Disk, DiskFile, Entry};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Content of an unsynced tail is lost in pieces of this size, bytes.
const SECTOR: usize = 512;

/// The disk; clones are the same disk.
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

/// A file of [`Memory`] open for appending.
pub struct MemoryFile {
    state: Arc<Mutex<State>>,
    inode: u64,
}

#[derive(Default)]
struct State {
    inodes: BTreeMap<u64, Content>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    next_inode: u64,
    lock: Weak<()>,
    dark: bool,
    operations: u64,
    fuse: Option<u64>,
    limit: Option<usize>,
    sync_fails: bool,
    lies: bool,
    /// The file that was being written when it went dark, and its length before.
    torn: Option<(u64, usize)>,
}

#[derive(Default, Clone)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
}

impl Memory {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty disk that says of content it was synced, and syncs none: with it, a proof that nothing is lost must
    /// fail.
    pub fn lying() -> Self {
        let state = State { lies: true, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Cuts the power: this disk answers errors from now on, and what survived is on the returned one.
    /// The same seed on the same history leaves the same bytes.
    pub fn power_loss(&self, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut state = self.state();
        state.dark = true;
        let mut names = state.durable_names.clone();
        for (name, &inode) in &state.names {
            if names.get(name) != Some(&inode) && dice.coin() {
                names.insert(name.clone(), inode);
            }
        }
        names.retain(|name, _| state.names.contains_key(name) || dice.coin());
        let survive = |content: &Content| {
            let bytes = content.survive(&mut dice);
            Content { now: bytes.clone(), durable: bytes }
        };
        let inodes = state.inodes.values().map(survive);
        let inodes: BTreeMap<_, _> = state.inodes.keys().copied().zip(inodes).collect();
        let (next_inode, lies) = (state.next_inode, state.lies);
        let after =
            State { inodes, durable_names: names.clone(), names, next_inode, lies, ..State::default() };
        Self { state: Arc::new(Mutex::new(after)) }
    }

    /// Kills the process that writes: this disk answers errors from now on, and the returned one holds all that was
    /// written, of what was being written a prefix torn at any byte. What was not synced still is not: a later
    /// [`Memory::power_loss`] may take it.
    pub fn kill(&self, seed: u64) -> Self {
        let mut state = self.state();
        state.dark = true;
        let mut inodes = state.inodes.clone();
        if let Some((inode, before)) = state.torn
            && let Some(content) = inodes.get_mut(&inode)
        {
            let written = content.now.len().saturating_sub(before);
            content.now.truncate(before + Dice(seed).below(written + 1));
        }
        let (names, durable_names) = (state.names.clone(), state.durable_names.clone());
        let (next_inode, lies) = (state.next_inode, state.lies);
        let after = State { inodes, names, durable_names, next_inode, lies, ..State::default() };
        Self { state: Arc::new(Mutex::new(after)) }
    }

    /// Lets `operations` more changes succeed; the one after them is done in part, fails, and so does
    /// everything later. Then see [`Memory::power_loss`].
    pub fn lose_power_after(&self, operations: u64) {
        self.state().fuse = Some(operations);
    }

    /// Changes made so far: appends, syncs, cuts, replacements, removals.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// From now on all content together is at most `bytes` (or anything, with `None`); what does not fit
    /// fails as a full disk does, half written.
    pub fn limit(&self, bytes: Option<usize>) {
        self.state().limit = bytes;
    }

    /// The next sync of a file fails, once.
    pub fn fail_next_sync(&self) {
        self.state().sync_fails = true;
    }

    /// Every file and its content as a program sees it.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        let now = |inode| state.inodes.get(inode).map(|c: &Content| c.now.clone()).unwrap_or_default();
        state.names.iter().map(|(name, inode)| (name.clone(), now(inode))).collect()
    }

    /// Another disk with these files, all durable.
    pub fn with(contents: BTreeMap<String, Vec<u8>>) -> Self {
        let mut state = State::default();
        for (name, bytes) in contents {
            let inode = state.inode(&name);
            state.inodes.insert(inode, Content { now: bytes.clone(), durable: bytes });
        }
        state.durable_names = state.names.clone();
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn alive(&self) -> io::Result<()> {
        if self.dark { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    /// Counts one change; `true` if the power goes off in the middle of it.
    fn change(&mut self) -> io::Result<bool> {
        self.alive()?;
        self.operations += 1;
        match &mut self.fuse {
            Some(0) => self.dark = true,
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(self.dark)
    }

    fn inode(&mut self, name: &str) -> u64 {
        if let Some(&inode) = self.names.get(name) {
            return inode;
        }
        self.next_inode += 1;
        self.names.insert(name.to_owned(), self.next_inode);
        self.inodes.insert(self.next_inode, Content::default());
        self.next_inode
    }

    fn content(&self, name: &str) -> io::Result<&Content> {
        let inode = self.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.inodes.get(inode).ok_or(io::ErrorKind::NotFound)?)
    }

    /// How many of `wanted` further bytes fit the limit.
    fn room(&self, wanted: usize) -> usize {
        let used = self.names.values().filter_map(|i| self.inodes.get(i)).map(|c| c.now.len()).sum();
        self.limit.map_or(wanted, |limit| limit.saturating_sub(used).min(wanted))
    }
}

impl Content {
    fn survive(&self, dice: &mut Dice) -> Vec<u8> {
        if self.now == self.durable || dice.below(4) == 0 {
            return self.durable.clone();
        }
        let same = self.now.iter().zip(&self.durable).take_while(|(a, b)| a == b).count();
        let mut bytes = self.now.clone();
        let torn = same + dice.below(bytes.len() - same + 1);
        match dice.below(3) {
            0 => bytes.truncate(torn),
            1 => bytes.iter_mut().skip(torn).for_each(|b| *b = 0),
            _ => {
                let sectors = bytes.chunks_mut(SECTOR).enumerate();
                let unsynced = sectors.filter(|(i, _)| (i + 1) * SECTOR > same);
                for (i, sector) in unsynced.filter(|_| dice.coin()) {
                    sector.iter_mut().skip(same.saturating_sub(i * SECTOR)).for_each(|b| *b = 0);
                }
            }
        }
        bytes
    }
}

impl Disk for Memory {
    type File = MemoryFile;
    type Lock = Arc<()>;

    fn lock(&self) -> io::Result<Arc<()>> {
        let mut state = self.state();
        state.alive()?;
        if state.lock.upgrade().is_some() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let lock = Arc::new(());
        state.lock = Arc::downgrade(&lock);
        Ok(lock)
    }

    fn list(&self) -> io::Result<Vec<Entry>> {
        self.state().alive()?;
        Ok(self.contents().into_iter().map(|(name, b)| Entry { name, bytes: b.len() as u64 }).collect())
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.state();
        state.alive()?;
        let rest = state.content(name)?.now.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        Ok(length)
    }

    fn open_cut(&self, name: &str, length: u64) -> io::Result<MemoryFile> {
        let mut state = self.state();
        state.change()?;
        let inode = state.inode(name);
        if let Some(content) = state.inodes.get_mut(&inode) {
            content.now.resize(length as usize, 0);
        }
        state.alive()?;
        Ok(MemoryFile { state: Arc::clone(&self.state), inode })
    }

    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let dark = state.change()?;
        if state.room(content.len()) < content.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // A new inode under the old name, as a rename makes it; in the dark the rename may not arrive.
        state.names.remove(name);
        let inode = state.inode(name);
        let content = Content { now: content.to_vec(), durable: content.to_vec() };
        state.inodes.insert(inode, content);
        if !dark {
            state.durable_names.insert(name.to_owned(), inode);
        }
        state.alive()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.alive()
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.state();
        if !state.change()? {
            state.durable_names = state.names.clone();
        }
        state.alive()
    }

    fn path(&self, name: &str) -> String {
        format!("memory/{name}")
    }
}

impl DiskFile for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let dark = state.change()?;
        let room = state.room(bytes.len());
        if let Some(content) = state.inodes.get_mut(&self.inode) {
            let before = content.now.len();
            content.now.extend(bytes.iter().take(room));
            state.torn = dark.then_some((self.inode, before));
        }
        if room < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.alive()
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let dark = state.change()?;
        if std::mem::take(&mut state.sync_fails) {
            return Err(io::Error::other("the sync failed"));
        }
        let honest = !dark && !state.lies;
        if let Some(content) = state.inodes.get_mut(&self.inode).filter(|_| honest) {
            content.durable = content.now.clone();
        }
        state.alive()
    }
}

/// SplitMix64 (Steele et al., 2014): small, seeded, no dependency.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn coin(&mut self) -> bool {
        self.roll() & 1 == 0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound.max(1) as u64) as usize
    }
}

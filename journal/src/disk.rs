//! What the journal asks of storage: one flat directory of named files.
//!
//! Two implementations: [`crate::Files`] (a real directory) and [`crate::memory::Memory`] (which loses power
//! on demand). Everything the journal believes about durability is said here, so a new implementation
//! has one page to satisfy.

use std::io;

/// A file of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without the directory.
    pub name: String,
    /// Its length, bytes.
    pub bytes: u64,
}

/// One flat directory. Methods take `&self`: readers on other threads share it with the one writer.
pub trait Disk: Send + Sync {
    /// A file open for appending.
    type File: DiskFile;
    /// Keeps other writers out until dropped.
    type Lock: Send;

    /// Makes the directory if it is missing and takes its writer's lock, or fails with
    /// [`io::ErrorKind::WouldBlock`] when another writer holds it.
    fn lock(&self) -> io::Result<Self::Lock>;
    /// Every file, in no particular order.
    fn list(&self) -> io::Result<Vec<Entry>>;
    /// Reads at `offset` until `buffer` is full or the file ends; returns the bytes read.
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Opens `name` for appending, made if missing and cut to `length` bytes. The name is durable after
    /// [`Disk::sync_names`], the cut after [`DiskFile::sync`].
    fn open_cut(&self, name: &str, length: u64) -> io::Result<Self::File>;
    /// Replaces the content of `name` at once and durably: after a power cut it is the old or the new one.
    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()>;
    /// Removes `name`; durable after [`Disk::sync_names`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes created and removed names durable.
    fn sync_names(&self) -> io::Result<()>;
    /// How messages should call `name`.
    fn path(&self, name: &str) -> String;
}

/// A file open for appending.
pub trait DiskFile: Send {
    /// Appends all of `bytes`. After an error any part of them may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes content and length durable.
    fn sync(&mut self) -> io::Result<()>;
}

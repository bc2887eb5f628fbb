//! What can go wrong with files, and what to do about it.

use std::path::PathBuf;

use crate::disk::FORMAT;
use crate::value::VERSION;

/// Why a store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message of each variant says what it is and names its fields")]
pub enum Failure {
    #[error(
        "another process has the store in {} open; stop it, or use another data directory",
        .directory.display()
    )]
    Locked { directory: PathBuf },
    #[error(
        "the store in {} has format {found} and this version knows formats up to {FORMAT}; open it \
         with the version that wrote it, or import an export of it",
        .directory.display()
    )]
    Format { directory: PathBuf, found: u32 },
    #[error(
        "the store in {} does not say its format: it is damaged; restore it from an export",
        .directory.display()
    )]
    NoFormat { directory: PathBuf },
    #[error("there is a store in {} already; import into a new directory", .directory.display())]
    Present { directory: PathBuf },
    #[error("there is no store in {}; check the data directory", .directory.display())]
    NoStore { directory: PathBuf },
    #[error(
        "a row of table {table} has version {found} and this version knows up to {VERSION}; open \
         the store with the version that wrote it"
    )]
    Version { table: &'static str, found: u8 },
    #[error("a row of table {table} cannot be decoded; restore the store from an export")]
    Row { table: &'static str, source: postcard::Error },
    #[error(
        "the disk of {} is full; nothing acknowledged is lost: give it room and start again",
        .directory.display()
    )]
    Full { directory: PathBuf, source: Box<Failure> },
    #[error("line {line}: {reason}")]
    Line { line: u64, reason: String },
    #[error("{doing}")]
    Engine { doing: &'static str, source: fjall::Error },
    #[error("{doing}")]
    Io { doing: &'static str, source: std::io::Error },
}

impl Failure {
    /// The whole chain of causes on one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// Says what was being done when the engine failed.
pub(crate) fn engine(doing: &'static str) -> impl Fn(fjall::Error) -> Failure {
    move |source| Failure::Engine { doing, source }
}

/// Says what was being done when a file failed.
pub(crate) fn io(doing: &'static str) -> impl Fn(std::io::Error) -> Failure {
    move |source| Failure::Io { doing, source }
}

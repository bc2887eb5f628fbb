//! The store on disk: fjall, one writer thread, group commit with fsync.

//! The console page, as files in the binary.

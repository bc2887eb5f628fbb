//! The client shell: tokio and SQLite around client-core.

//! The client's state machine, without I/O.

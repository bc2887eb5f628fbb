//! The load tool behind nightjar bench.

//! The simulated world: real cores on a virtual clock, from one seed.

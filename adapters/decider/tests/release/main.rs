//! The decider thread over a store whose safety the test decides.

mod ending;
mod pushes;
mod safety;
mod stage;

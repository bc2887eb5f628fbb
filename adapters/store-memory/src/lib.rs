//! The store in memory: the model every store is held against.

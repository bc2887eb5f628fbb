//! What every store promises, as tests a store runs.

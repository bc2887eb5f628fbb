//! Why a decision did not come about.

use nightjar_model::Reject;

use crate::store::Missing;

/// A decision ends early: refused, or in need of rows. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The caller's fault.
    Reject(Reject),
    /// Load these rows and ask again.
    Missing(Missing),
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

impl From<Missing> for Stop {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

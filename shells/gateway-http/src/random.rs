//! Ids for callers who gave none.

use nightjar_model::Reject;

use crate::error::ApiError;

/// 128 random bits as 32 hex digits.
pub(crate) fn random_id() -> Result<String, ApiError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Reject::Internal)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

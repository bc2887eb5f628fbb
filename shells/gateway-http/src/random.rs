//! Ids for callers who gave none.

use nightjar_model::Reject;

use crate::error::ApiError;

/// 128 random bits as 32 hex digits.
pub(crate) fn random_id() -> Result<String, ApiError> {
    Ok(random_bytes::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Random bytes of the operating system.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Reject::Internal)?;
    Ok(bytes)
}

//! What providers report later: that a push arrived, was opened, or could not be shown.

use http::HeaderMap;
pub use nightjar_model::limits::RECEIPTS_MAX;
pub use nightjar_model::{Receipt, ReceiptEvent};

/// One report of a provider, as it came.
#[derive(Debug, Clone, Copy)]
pub struct ReceiptRequest<'a> {
    /// What stands behind the `?` of the address the vendor was given; empty without.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, as bytes: signatures are over these.
    pub body: &'a [u8],
}

/// Why a report was not taken. Nothing of it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The vendor has no receipts.
    #[error("this provider sends no receipts")]
    NotOffered,
    /// The signature, or the secret in the address, is missing or wrong.
    #[error("the report does not prove that it comes from the vendor; check the receipt secret")]
    Forged,
    /// It was signed too long ago.
    #[error("the report was signed too long ago")]
    Stale,
    /// More than [`RECEIPTS_MAX`] or the vendor's own limit.
    #[error("the report holds too many receipts")]
    TooMany,
    /// It is not of the vendor's form.
    #[error("the report is not of the vendor's form")]
    Malformed,
}

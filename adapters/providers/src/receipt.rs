//! What providers report later: that a push arrived, was opened, or could not be shown.

use http::HeaderMap;
use nightjar_model::{MessageId, Secret, WallMs};

/// Receipts of one report; a vendor sends a hundred at most.
pub const RECEIPTS_MAX: usize = 1_000;

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

/// What became of one message on one device. Both are found by what every vendor repeats: the
/// tag of the request, which is the `mid`, and the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The message.
    pub mid: MessageId,
    /// Where it went.
    pub token: Secret<String>,
    /// What.
    pub event: ReceiptEvent,
    /// When, as the vendor says it; `None` is now.
    pub at: Option<WallMs>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptEvent {
    /// It is on the device.
    Arrived,
    /// A person opened it.
    Clicked,
    /// It will not arrive; the vendor's word for why, shortened.
    Failed(String),
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

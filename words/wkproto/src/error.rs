//! Why bytes are no packet.

/// What is wrong with what came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WkError {
    /// The length field has more than four bytes, or says 0.
    #[error("the packet's length field cannot be read")]
    BadLength,
    /// More than [`crate::PACKET_BYTES_MAX`].
    #[error("the packet has more than {max} bytes", max = crate::PACKET_BYTES_MAX)]
    TooLarge,
    /// No such packet type.
    #[error("there is no packet of type {0}")]
    UnknownKind(u8),
    /// The packet ends within a field.
    #[error("the packet ends within '{0}'")]
    Truncated(&'static str),
    /// A text is not UTF-8, or longer than 32767 bytes.
    #[error("'{0}' is no text of at most 32767 bytes")]
    BadText(&'static str),
    /// JSON-RPC: not a JSON object of the profile.
    #[error("no JSON-RPC message: {0}")]
    BadJson(String),
}

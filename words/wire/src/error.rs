//! What cannot be read, and how it is answered.

use nightjar_model::Reject;

use crate::packet::Kind;

/// Why bytes or text are not a packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Fewer bytes than the header or its length field says.
    #[error("the packet ends before its length says")]
    Truncated,
    /// The length field is below 16 or above the limit.
    #[error("the packet's length field is {length}")]
    BadLength {
        /// What it says.
        length: i32,
    },
    /// A JSON packet above the limit.
    #[error("the packet is larger than its limit")]
    TooLarge,
    /// A serial nobody may choose.
    #[error("the serial {serial} is not one this side may use")]
    BadSerial {
        /// What it says.
        serial: i32,
    },
    /// A command this version does not know, in an otherwise whole packet.
    #[error("unknown command '{command}'")]
    UnknownCommand {
        /// Its number or name.
        command: String,
        /// The packet's serial.
        serial: i32,
    },
    /// The body is not what the command says.
    #[error("the body of '{}' cannot be read", kind.name())]
    BadBody {
        /// The command.
        kind: Kind,
        /// The packet's serial.
        serial: i32,
    },
    /// Not the JSON form of a packet.
    #[error("not the JSON form of a packet: {0}")]
    BadJson(String),
}

impl WireError {
    /// The reject to answer with.
    #[must_use]
    pub fn reject(&self) -> Reject {
        match self {
            Self::Truncated | Self::BadSerial { .. } | Self::BadJson(_) | Self::BadBody { .. } => {
                Reject::BadFrame
            }
            Self::BadLength { .. } => Reject::BadLength,
            Self::TooLarge => Reject::TooLarge,
            Self::UnknownCommand { .. } => Reject::UnknownCommand,
        }
    }

    /// The serial to answer under, where it could be read.
    #[must_use]
    pub fn serial(&self) -> Option<i32> {
        match self {
            Self::UnknownCommand { serial, .. } | Self::BadBody { serial, .. } => Some(*serial),
            _ => None,
        }
    }

    /// The command, where it could be read.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::BadBody { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    /// Whether the connection cannot go on. A request with a command of a later version is
    /// answered and forgotten.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::UnknownCommand { serial, .. } if *serial > 0)
    }
}

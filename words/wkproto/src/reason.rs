//! Why something was refused, as a number on the wire.

use nightjar_model::Reject;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// A reason code of CONNACK, SENDACK, SUBACK and DISCONNECT.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $name = $number,)* }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

reasons! {
    /// Not told apart.
    Unknown = 0,
    /// Done.
    Success = 1,
    /// The token is wrong.
    AuthFail = 2,
    /// The sender is no member of the channel.
    NotSubscriber = 3,
    /// The receiver wants nothing from the sender.
    InBlacklist = 4,
    /// No such channel.
    NoChannel = 5,
    /// The payload cannot be read: wrong signature, wrong encryption, or too large.
    PayloadDecode = 9,
    /// Sending is not allowed.
    NotAllowed = 11,
    /// Kicked.
    Kicked = 12,
    /// The channel takes messages of named senders only.
    NotInWhitelist = 13,
    /// The server failed or cannot take more now.
    System = 15,
    /// The channel's id cannot be one.
    BadChannelId = 16,
    /// The channel or the user is banned.
    Banned = 19,
    /// The version or a header is not spoken here.
    UnsupportedHeader = 20,
    /// The client's key is missing or is none.
    NoClientKey = 21,
    /// Too much at a time.
    RateLimited = 22,
    /// Channels of this type are not offered.
    UnsupportedChannelType = 23,
    /// The channel was disbanded.
    Disbanded = 24,
}

impl Reason {
    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Reads the number; one that is not known here is [`Reason::Unknown`].
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        Self::ALL.iter().copied().find(|reason| reason.number() == number).unwrap_or(Self::Unknown)
    }

    /// How a reject of the lanes is said here.
    #[must_use]
    pub fn of(reject: Reject) -> Self {
        match reject {
            Reject::BadToken
            | Reject::TokenExpired
            | Reject::TokenRevoked
            | Reject::Unauthorized
            | Reject::UnknownUser => Self::AuthFail,
            Reject::NotMember => Self::NotSubscriber,
            Reject::Blocked => Self::InBlacklist,
            Reject::UnknownGroup | Reject::UnknownConversation => Self::NoChannel,
            Reject::TooLarge | Reject::BadRequest | Reject::BadFrame => Self::PayloadDecode,
            Reject::Forbidden => Self::NotAllowed,
            Reject::RateLimited | Reject::LimitReached => Self::RateLimited,
            Reject::UnsupportedVersion => Self::UnsupportedHeader,
            _ => Self::System,
        }
    }
}

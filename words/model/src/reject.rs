//! The closed list of what can be refused, with everything each protocol needs to say it.

use std::fmt;

/// Why a request was refused: the sender's fault, or a limit it met.
///
/// `docs/protocol.md` prints this table; `cargo xtask check` fails when the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reject {
    /// The packet or JSON could not be read.
    BadFrame,
    /// The length field is below the header's 16 bytes or above the limit.
    BadLength,
    /// The packet, body or content is larger than its limit.
    TooLarge,
    /// No such command.
    UnknownCommand,
    /// A field is missing or has a value that is not allowed.
    BadRequest,
    /// The first packet was not `hello`, or a second `hello` came.
    HelloExpected,
    /// No whole `hello` within the time allowed.
    HelloTimeout,
    /// The client speaks a protocol newer than this server.
    UnsupportedVersion,
    /// The token is missing, malformed, forged or for somebody else.
    BadToken,
    /// The token's time is over.
    TokenExpired,
    /// The token was issued before a kick or a password change.
    TokenRevoked,
    /// The key of the HTTP API is missing or wrong.
    Unauthorized,
    /// The caller may not do this.
    Forbidden,
    /// No such user.
    UnknownUser,
    /// No such group.
    UnknownGroup,
    /// No such conversation, or the viewer cannot see it.
    UnknownConversation,
    /// No such message, or the viewer cannot see it.
    UnknownMessage,
    /// No such device.
    UnknownDevice,
    /// No provider keys of that name.
    UnknownCredential,
    /// No push template of that name.
    UnknownTemplate,
    /// No webhook of that name.
    UnknownWebhook,
    /// The sender is not a member.
    NotMember,
    /// The thing exists already.
    Exists,
    /// The receiver wants nothing from the sender.
    Blocked,
    /// Nobody asked for what is agreed to.
    NotAsked,
    /// A user names themselves where only another makes sense.
    Oneself,
    /// The token is older than what is kept, or of another life of this store.
    TooOld,
    /// A count would pass its limit.
    LimitReached,
    /// Too many attempts from this address.
    RateLimited,
    /// The server cannot take more work now.
    Busy,
    /// The server is going away.
    Draining,
    /// Ours: something broke inside the server.
    Internal,
}

impl Reject {
    /// Every reject, in the order of the documentation.
    pub const ALL: [Self; 32] = [
        Self::BadFrame,
        Self::BadLength,
        Self::TooLarge,
        Self::UnknownCommand,
        Self::BadRequest,
        Self::HelloExpected,
        Self::HelloTimeout,
        Self::UnsupportedVersion,
        Self::BadToken,
        Self::TokenExpired,
        Self::TokenRevoked,
        Self::Unauthorized,
        Self::Forbidden,
        Self::UnknownUser,
        Self::UnknownGroup,
        Self::UnknownConversation,
        Self::UnknownMessage,
        Self::UnknownDevice,
        Self::UnknownCredential,
        Self::UnknownTemplate,
        Self::UnknownWebhook,
        Self::NotMember,
        Self::Exists,
        Self::Blocked,
        Self::NotAsked,
        Self::Oneself,
        Self::TooOld,
        Self::LimitReached,
        Self::RateLimited,
        Self::Busy,
        Self::Draining,
        Self::Internal,
    ];

    /// `(number on the wire, HTTP status, name, whether a retry can help)`.
    const fn row(self) -> (i32, u16, &'static str, bool) {
        match self {
            Self::BadFrame => (1, 400, "bad_frame", false),
            Self::BadLength => (2, 400, "bad_length", false),
            Self::TooLarge => (3, 413, "too_large", false),
            Self::UnknownCommand => (4, 404, "unknown_command", false),
            Self::BadRequest => (5, 400, "bad_request", false),
            Self::HelloExpected => (6, 400, "hello_expected", false),
            Self::HelloTimeout => (7, 408, "hello_timeout", true),
            Self::UnsupportedVersion => (8, 400, "unsupported_version", false),
            Self::BadToken => (10, 401, "bad_token", false),
            Self::TokenExpired => (11, 401, "token_expired", false),
            Self::TokenRevoked => (12, 401, "token_revoked", false),
            Self::Unauthorized => (13, 401, "unauthorized", false),
            Self::Forbidden => (14, 403, "forbidden", false),
            Self::UnknownUser => (20, 404, "unknown_user", false),
            Self::UnknownGroup => (21, 404, "unknown_group", false),
            Self::UnknownConversation => (22, 404, "unknown_conversation", false),
            Self::UnknownMessage => (23, 404, "unknown_message", false),
            Self::UnknownDevice => (24, 404, "unknown_device", false),
            Self::UnknownCredential => (25, 400, "unknown_credential", false),
            Self::NotMember => (26, 403, "not_member", false),
            Self::Exists => (27, 409, "exists", false),
            Self::Blocked => (28, 403, "blocked", false),
            Self::TooOld => (29, 410, "too_old", false),
            Self::LimitReached => (30, 409, "limit_reached", false),
            Self::RateLimited => (31, 429, "rate_limited", true),
            Self::Busy => (32, 503, "busy", true),
            Self::Draining => (33, 503, "draining", true),
            Self::NotAsked => (34, 409, "not_asked", false),
            Self::UnknownTemplate => (35, 404, "unknown_template", false),
            Self::UnknownWebhook => (36, 404, "unknown_webhook", false),
            Self::Oneself => (37, 400, "oneself", false),
            Self::Internal => (40, 500, "internal", true),
        }
    }

    /// The number in a packet's `code`; never 0.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.row().0
    }

    /// The status of the HTTP API.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        self.row().1
    }

    /// The stable name, on every protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().2
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn retry(self) -> bool {
        self.row().3
    }

    /// What happened and what to do, in one sentence.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::BadFrame => "the packet could not be read; see docs/protocol.md for its form",
            Self::BadLength => "the packet's length must be from 16 bytes to 1 MiB",
            Self::TooLarge => "a packet may have 1 MiB and a message's content 64 KiB; send less",
            Self::UnknownCommand => "this server does not know the command; see docs/protocol.md",
            Self::BadRequest => "a field is missing or has a value that is not allowed",
            Self::HelloExpected => "the first packet, and only the first, must be hello",
            Self::HelloTimeout => {
                "no whole hello came within 10 s; connect again and send it first"
            }
            Self::UnsupportedVersion => "the highest protocol this server speaks is 1",
            Self::BadToken => {
                "the token is not valid for this server, user or device; get a new one"
            }
            Self::TokenExpired => "the token has expired; get a new one from your back end",
            Self::TokenRevoked => "the token was issued before a kick; sign in again",
            Self::Unauthorized => "send the admin key as 'Authorization: Bearer KEY'",
            Self::Forbidden => "this caller may not do this",
            Self::UnknownUser => "no user has this uid; create it with PUT /v1/users/{uid}",
            Self::UnknownGroup => "no group has this id; create it with POST /v1/groups",
            Self::UnknownConversation => "no conversation has this id, or it is not visible here",
            Self::UnknownMessage => "no message has this id, or it is not visible here",
            Self::UnknownDevice => "the user has no device of this id",
            Self::UnknownCredential => {
                "no provider keys have this name; name them in [push.PROVIDER.NAME]"
            }
            Self::UnknownTemplate => {
                "no push template has this name; create it with POST /v1/push/templates/{name}"
            }
            Self::UnknownWebhook => {
                "no webhook has this name; set it up with POST /v1/webhooks/{id}"
            }
            Self::NotMember => "only members of the conversation may do this",
            Self::Exists => "something with this id exists already",
            Self::Blocked => "the receiver takes no messages from this sender",
            Self::NotAsked => "this user has not asked to be a contact; send a request",
            Self::Oneself => "nobody is a contact of their own; name another user",
            Self::TooOld => "what changed since this token is not kept; sync without 'since'",
            Self::LimitReached => "a limit of docs/protocol.md was reached",
            Self::RateLimited => "too many attempts from this address; wait a second and try again",
            Self::Busy => "the server has no room for more work now; try again soon",
            Self::Draining => "the server is going away; connect again in a moment",
            Self::Internal => "the server failed; the operator finds the cause in its log",
        }
    }

    /// The reason of the `bye` that follows when the connection cannot go on.
    #[must_use]
    pub const fn bye(self) -> Option<&'static str> {
        match self {
            Self::BadFrame
            | Self::BadLength
            | Self::HelloExpected
            | Self::HelloTimeout
            | Self::UnsupportedVersion
            | Self::BadToken => Some("protocol"),
            Self::TokenExpired => Some("expired"),
            Self::TokenRevoked => Some("kicked"),
            Self::Draining => Some("drain"),
            Self::RateLimited | Self::Busy => Some("slow"),
            _ => None,
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.message())
    }
}

impl std::error::Error for Reject {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        let numbers: BTreeSet<i32> = Reject::ALL.iter().map(|r| r.number()).collect();
        let names: BTreeSet<&str> = Reject::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(numbers.len(), Reject::ALL.len());
        assert_eq!(names.len(), Reject::ALL.len());
        assert!(!numbers.contains(&0));
    }
}

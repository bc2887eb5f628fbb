//! Contacts: what two people are to each other, as each of them sees it.

use serde::{Deserialize, Serialize};

use crate::Uid;

/// What another user is to this one. Being blocked is a flag beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ContactState {
    /// No contact.
    None,
    /// This user asked and has no answer.
    Requested,
    /// The other asked and waits for an answer.
    Asked,
    /// Both agreed.
    Accepted,
}

impl ContactState {
    /// Every state, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::None, Self::Requested, Self::Asked, Self::Accepted];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Requested => "requested",
            Self::Asked => "asked",
            Self::Accepted => "accepted",
        }
    }
}

/// What somebody wants of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactAction {
    /// Ask the other to be a contact.
    Request,
    /// Agree to what the other asked.
    Accept,
    /// No longer be contacts; also takes a request back, or declines one.
    Remove,
    /// Want nothing from the other.
    Block,
    /// Take that back.
    Unblock,
    /// Both are contacts, asked or not. For operators.
    Join,
}

impl ContactAction {
    /// Every action, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Request, Self::Accept, Self::Remove, Self::Block, Self::Unblock, Self::Join];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Accept => "accept",
            Self::Remove => "remove",
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::Join => "join",
        }
    }

    /// The action of this name, if a client may want it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|action| action.as_str() == name);
        found.filter(|action| *action != Self::Join)
    }
}

/// A contact as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactView {
    /// The other.
    pub uid: Uid,
    /// What they are to this user.
    pub state: ContactState,
    /// This user wants nothing from them.
    pub blocked: bool,
    /// This user's counter at the last change; only grows.
    pub ver: u64,
}

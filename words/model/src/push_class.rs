//! How urgent a push is beside others.

/// Classes of pushes, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PushClass {
    /// Somebody rings.
    Call,
    /// The message names its reader, or everybody.
    Mention,
    /// People write to each other; also what takes notifications back.
    Chat,
    /// What a system says, and what goes to very many people at once.
    System,
}

impl PushClass {
    /// Every class, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Call, Self::Mention, Self::Chat, Self::System];

    /// The word in documentation and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Mention => "mention",
            Self::Chat => "chat",
            Self::System => "system",
        }
    }
}

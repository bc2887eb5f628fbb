//! Conversation lanes and user lanes: decisions over loaded rows.

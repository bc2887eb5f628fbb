//! The push decision, its text, its queue and the life of a token, without I/O.

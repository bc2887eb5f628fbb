//! Key material: a file of this machine, or the text itself.

use std::path::PathBuf;

use nightjar_model::Secret;
use serde::{Deserialize, Serialize};

/// A key or an account file. In a configuration file it is a path; what an operator gives over the
/// API holds the text, so that the key need not lie on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "the path of a file")]
pub enum KeyFile {
    /// The path of a file.
    Path(PathBuf),
    /// `{"text": "…"}`.
    Text {
        /// What the file would hold.
        text: Secret<String>,
    },
}

impl<P: Into<PathBuf>> From<P> for KeyFile {
    fn from(path: P) -> Self {
        Self::Path(path.into())
    }
}

impl KeyFile {
    /// What it holds; the error says why not, and repeats none of it.
    pub(crate) fn read(&self) -> Result<Secret<Vec<u8>>, String> {
        match self {
            Self::Path(path) => {
                std::fs::read(path).map(Secret::new).map_err(|error| error.to_string())
            }
            Self::Text { text } => Ok(Secret::new(text.expose().clone().into_bytes())),
        }
    }
}

//! What Apple knows us by: a token signed with a key, or a TLS client certificate.

use ring::error::Unspecified;

use super::token::{Bearer, ProviderToken};
use crate::config::Table;
use crate::transport::Identity;
use crate::{ApnsConfig, ProviderConfigError};

/// One of the two.
pub(super) enum Auth {
    /// Shown with each request.
    Token(Box<ProviderToken>),
    /// Shown when a connection is opened.
    Certificate,
}

impl Auth {
    /// Reads the files.
    pub(super) fn new(
        table: Table<'_>,
        config: &ApnsConfig,
    ) -> Result<(Self, Option<Identity>), ProviderConfigError> {
        let key = config.key_file.read().map_err(|reason| table.error("key_file", reason))?;
        let ids = [("team_id", &config.team_id), ("key_id", &config.key_id)];
        if let Some(file) = &config.cert_file {
            for (option, id) in ids {
                if id.is_some() {
                    return Err(table.error(option, "does not go with cert_file; leave it out"));
                }
            }
            let chain = file.read().map_err(|reason| table.error("cert_file", reason))?;
            let identity = Identity::from_pem(chain.expose(), key.expose())
                .map_err(|reason| table.error("cert_file", reason))?;
            return Ok((Self::Certificate, Some(identity)));
        }
        let [team_id, key_id] = ids.map(|(option, id)| match id.as_deref() {
            None | Some("") => Err(table.error(option, "is missing; the developer account has it")),
            Some(id) if id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Ok(id),
            Some(_) => Err(table.error(option, "holds something else than letters and digits")),
        });
        let token = ProviderToken::new(team_id?, key_id?, key.expose())
            .map_err(|reason| table.error("key_file", reason))?;
        Ok((Self::Token(Box::new(token)), None))
    }

    /// What to send with, if anything.
    pub(super) fn current(&self) -> Result<Option<Bearer>, Unspecified> {
        match self {
            Self::Token(token) => token.current().map(Some),
            Self::Certificate => Ok(None),
        }
    }

    /// Whether there is something else to send with than what Apple rejected.
    pub(super) fn replace(&self, rejected: Option<&Bearer>) -> Result<bool, Unspecified> {
        match (self, rejected) {
            (Self::Token(token), Some(bearer)) => Ok(token.replace(bearer.number)?.is_some()),
            _ => Ok(false),
        }
    }

    /// Apple says there were too many tokens.
    pub(super) fn hold(&self) {
        if let Self::Token(token) = self {
            token.hold();
        }
    }
}

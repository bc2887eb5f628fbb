//! Addresses: `local@domain/resource` (RFC 7622, in the form of RFC 6122 that clients send).

use std::borrow::Cow;
use std::fmt;

/// The longest part of an address, in bytes.
const PART_BYTES_MAX: usize = 1_023;

/// An address whose parts are in their canonical form, so that equal ones are the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Jid {
    local: Option<String>,
    domain: String,
    resource: Option<String>,
}

/// Text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no XMPP address (RFC 7622)")]
pub struct JidError;

impl Jid {
    /// Reads an address.
    ///
    /// # Errors
    /// [`JidError`] when a part is empty, too long, or holds what it may not hold.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        let (bare, resource) = match text.split_once('/') {
            Some((bare, resource)) => (bare, Some(resource)),
            None => (text, None),
        };
        let (local, domain) = match bare.split_once('@') {
            Some((local, domain)) => (Some(local), domain),
            None => (None, bare),
        };
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        Ok(Self {
            local: local.map(|local| part(local, stringprep::nodeprep)).transpose()?,
            domain: part(domain, stringprep::nameprep).and_then(named)?,
            resource: resource.map(|text| part(text, stringprep::resourceprep)).transpose()?,
        })
    }

    /// The address of an account; `local` is already in its canonical form.
    #[must_use]
    pub fn account(local: &str, domain: &str) -> Self {
        Self { local: Some(local.to_owned()), domain: domain.to_owned(), resource: None }
    }

    /// The same address with a resource in its canonical form.
    #[must_use]
    pub fn at(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    /// The same address without a resource.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self { resource: None, ..self.clone() }
    }

    /// The part before `@`.
    #[must_use]
    pub fn local(&self) -> Option<&str> {
        self.local.as_deref()
    }

    /// The part between `@` and `/`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The part behind `/`.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }
}

/// A resource in its canonical form.
///
/// # Errors
/// [`JidError`] when it is empty, too long, or holds what it may not hold.
pub fn resource(text: &str) -> Result<String, JidError> {
    part(text, stringprep::resourceprep)
}

fn part(
    text: &str,
    prepare: impl Fn(&str) -> Result<Cow<'_, str>, stringprep::Error>,
) -> Result<String, JidError> {
    let prepared = prepare(text).map_err(|_| JidError)?;
    if prepared.is_empty() || prepared.len() > PART_BYTES_MAX {
        return Err(JidError);
    }
    Ok(prepared.into_owned())
}

/// A domain names a host; it holds neither white space nor the marks of the other parts.
fn named(domain: String) -> Result<String, JidError> {
    let is_wrong = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '/');
    if domain.contains(is_wrong) { Err(JidError) } else { Ok(domain.to_lowercase()) }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(local) = &self.local {
            write!(f, "{local}@")?;
        }
        f.write_str(&self.domain)?;
        if let Some(resource) = &self.resource {
            write!(f, "/{resource}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_addresses_are_the_same() {
        let jid = Jid::parse("Juliet@Example.COM./Balcony/@1").unwrap();
        assert_eq!(jid.to_string(), "juliet@example.com/Balcony/@1");
        assert_eq!(jid.bare(), Jid::account("juliet", "example.com"));
        assert_eq!(jid.bare().at("Balcony/@1"), jid);
        assert_eq!(Jid::parse("localhost").unwrap().local(), None);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@a", "x".repeat(PART_BYTES_MAX + 1));
        for text in ["", "@", "@a", "a@", "a@b/", "/r", "a b@c", "a@b c", "a@b@c", "a\"@b", &long] {
            assert_eq!(Jid::parse(text), Err(JidError), "{text:.30}");
        }
    }
}

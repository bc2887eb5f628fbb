//! What a client writes: a stream of elements within one that never ends (RFC 6120 §4), or one
//! element a WebSocket message (RFC 7395).

use rxml::error::EndOrError;
use rxml::{AttrMap, Event, NcNameStr, Options, Parse, Parser, QName, WithOptions};

use crate::{Element, ns};

/// The longest name of an element or attribute, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// The longest attribute value, in bytes; longer text comes in pieces.
const TOKEN_BYTES_MAX: usize = 8 << 10;
/// Attributes of one element.
const ATTRIBUTES_MAX: usize = 64;
/// An element that is too large is read to its end and dropped, up to so many times its limit.
const SKIP_TIMES: usize = 16;

/// How large what is read may be. An account that is not known yet gets little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one element of the stream.
    pub element_bytes: usize,
    /// Elements in one element of the stream, itself among them.
    pub elements: usize,
    /// How deep they stand in each other, the stream not counted.
    pub depth: usize,
}

impl Limits {
    /// Before somebody is logged in.
    pub const STRANGER: Self = Self { element_bytes: 8 << 10, elements: 32, depth: 8 };
    /// Afterwards.
    pub const USER: Self = Self { element_bytes: 256 << 10, elements: 4_096, depth: 64 };
}

/// What stood in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// `<stream:stream …>`: its attributes as an element without content.
    Open(Element),
    /// One element, whole.
    Element(Element),
    /// One element that was too large, without its content.
    TooLarge(Element),
    /// `</stream:stream>`.
    Close,
}

/// Why a stream cannot be read on (RFC 6120 §4.9.3, §11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// It is no XML.
    #[error("what came is not well-formed XML")]
    NotWellFormed,
    /// XML that XMPP forbids: a comment, a processing instruction, a document type, an entity.
    #[error("comments, processing instructions, document types and entities are not allowed")]
    RestrictedXml,
    /// A prefix that was never declared.
    #[error("a namespace prefix is not declared")]
    BadNamespacePrefix,
    /// XML that means nothing here: text between stanzas, a stream within the stream.
    #[error("only elements may stand in a stream")]
    BadFormat,
    /// The stream itself is in another namespace than that of streams.
    #[error("the stream is in a namespace that is not that of XMPP streams")]
    InvalidNamespace,
    /// Not UTF-8.
    #[error("the stream is not UTF-8")]
    UnsupportedEncoding,
    /// A limit that cannot be stepped over.
    #[error("an element, a name, an attribute or a depth is beyond the server's limits")]
    PolicyViolation,
}

impl StreamError {
    /// The name of its condition on the wire.
    #[must_use]
    pub fn condition(self) -> &'static str {
        match self {
            Self::NotWellFormed => "not-well-formed",
            Self::RestrictedXml => "restricted-xml",
            Self::BadNamespacePrefix => "bad-namespace-prefix",
            Self::BadFormat => "bad-format",
            Self::InvalidNamespace => "invalid-namespace",
            Self::UnsupportedEncoding => "unsupported-encoding",
            Self::PolicyViolation => "policy-violation",
        }
    }
}

/// Turns bytes into the items of one stream, however the bytes are cut.
///
/// Contract: after an error or [`Item::Close`] nothing more may be read. A restarted stream gets a
/// new reader; what was not read yet may go on to it only if nothing secret changed between.
#[derive(Debug)]
pub struct Reader {
    parser: Parser,
    limits: Limits,
    /// Whether the stream's own element is one that never ends.
    is_stream: bool,
    is_open: bool,
    /// The elements that are open, the outermost first; the stream itself is not among them.
    open: Vec<Element>,
    /// Bytes and elements of the first of [`Self::open`], and how deep it goes on while it is
    /// skipped.
    bytes: usize,
    elements: usize,
    skipped: Option<Skipped>,
}

#[derive(Debug)]
struct Skipped {
    head: Element,
    depth: usize,
}

impl Reader {
    /// For a stream whose first byte is still to come.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::starting(limits, true)
    }

    fn starting(limits: Limits, is_stream: bool) -> Self {
        let options = Options { max_token_length: TOKEN_BYTES_MAX, ..Options::default() };
        let mut parser = Parser::with_options(options);
        // White space that keeps a connection alive would otherwise wait for the next element.
        parser.set_text_buffering(false);
        Self {
            parser,
            limits,
            is_stream,
            is_open: !is_stream,
            open: Vec::new(),
            bytes: 0,
            elements: 0,
            skipped: None,
        }
    }

    /// Reads one WebSocket message: exactly one element.
    ///
    /// # Errors
    /// [`StreamError`]; every message stands for itself, so the next one can still be read.
    pub fn message(text: &str, limits: Limits) -> Result<Item, StreamError> {
        let mut reader = Self::starting(limits, false);
        let mut left = text.as_bytes();
        let item = reader.take(&mut left, true)?.ok_or(StreamError::NotWellFormed)?;
        match reader.take(&mut left, true)? {
            None => Ok(item),
            Some(_) => Err(StreamError::BadFormat),
        }
    }

    /// Takes from `bytes` up to the end of the next item; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`StreamError`] ends the stream.
    pub fn read(&mut self, bytes: &mut &[u8]) -> Result<Option<Item>, StreamError> {
        self.take(bytes, false)
    }

    /// Gives back memory that only reading needs, when nothing is to be read for a while.
    pub fn rest(&mut self) {
        self.parser.release_temporaries();
        if self.open.is_empty() {
            self.open = Vec::new();
        }
    }

    fn take(&mut self, bytes: &mut &[u8], at_end: bool) -> Result<Option<Item>, StreamError> {
        loop {
            let before = bytes.len();
            let event = self.parser.parse(bytes, at_end);
            self.bytes += before - bytes.len();
            self.check_size()?;
            match event {
                Ok(Some(event)) => {
                    if let Some(item) = self.event(event)? {
                        self.bytes = 0;
                        self.elements = 0;
                        return Ok(Some(item));
                    }
                }
                Ok(None) | Err(EndOrError::NeedMoreData) => return Ok(None),
                Err(EndOrError::Error(error)) => return Err(named(&error)),
            }
        }
    }

    /// Too many bytes: what is whole as far as its head goes is skipped, anything else ends it.
    fn check_size(&mut self) -> Result<(), StreamError> {
        if self.bytes > self.limits.element_bytes.saturating_mul(SKIP_TIMES) {
            return Err(StreamError::PolicyViolation);
        }
        if self.bytes <= self.limits.element_bytes || self.skipped.is_some() {
            return Ok(());
        }
        if self.open.is_empty() {
            return Err(StreamError::PolicyViolation);
        }
        self.skip();
        Ok(())
    }

    fn skip(&mut self) {
        let depth = self.open.len();
        let mut head = self.open.swap_remove(0);
        head.empty();
        self.open.clear();
        self.skipped = Some(Skipped { head, depth });
    }

    fn event(&mut self, event: Event) -> Result<Option<Item>, StreamError> {
        match event {
            Event::XmlDeclaration(..) => Ok(None),
            Event::StartElement(_, name, attributes) => self.started(name, attributes),
            Event::EndElement(_) => Ok(self.ended()),
            Event::Text(_, text) => self.said(text),
        }
    }

    fn started(&mut self, name: QName, attributes: AttrMap) -> Result<Option<Item>, StreamError> {
        let is_long = |name: &NcNameStr| name.len() > NAME_BYTES_MAX;
        let mut names = attributes.iter().map(|((_, name), _)| name);
        if attributes.len() > ATTRIBUTES_MAX || is_long(&name.1) || names.any(|name| is_long(name))
        {
            return Err(StreamError::PolicyViolation);
        }
        if let Some(skipped) = &mut self.skipped {
            skipped.depth += 1;
            return Ok(None);
        }
        let element = Element::read(name, attributes);
        if !self.is_open {
            if !element.is(ns::STREAM, "stream") {
                return Err(StreamError::InvalidNamespace);
            }
            self.is_open = true;
            return Ok(Some(Item::Open(element)));
        }
        if self.is_stream && element.ns() == ns::STREAM && element.name() == "stream" {
            return Err(StreamError::BadFormat);
        }
        if self.open.len() >= self.limits.depth {
            return Err(StreamError::PolicyViolation);
        }
        self.elements += 1;
        self.open.push(element);
        if self.elements > self.limits.elements {
            self.skip();
        }
        Ok(None)
    }

    fn ended(&mut self) -> Option<Item> {
        if let Some(skipped) = &mut self.skipped {
            skipped.depth -= 1;
            if skipped.depth > 0 {
                return None;
            }
            return self.skipped.take().map(|skipped| Item::TooLarge(skipped.head));
        }
        let Some(element) = self.open.pop() else { return Some(Item::Close) };
        match self.open.last_mut() {
            Some(parent) => {
                parent.push(element);
                None
            }
            None => Some(Item::Element(element)),
        }
    }

    fn said(&mut self, text: String) -> Result<Option<Item>, StreamError> {
        if let Some(element) = self.open.last_mut() {
            element.push_text(text);
        } else if self.skipped.is_none() {
            // Between stanzas white space keeps the connection alive, and costs nothing.
            if !text.bytes().all(|byte| byte.is_ascii_whitespace()) {
                return Err(StreamError::BadFormat);
            }
            self.bytes = 0;
        }
        Ok(None)
    }
}

/// The condition for what the parser found.
fn named(error: &rxml::Error) -> StreamError {
    use rxml::Error;
    match error {
        // The last is `<!` before anything but a comment or text: a document type, say.
        Error::RestrictedXml(_) | Error::UndeclaredEntity | Error::InvalidSyntax(_) => {
            StreamError::RestrictedXml
        }
        Error::UndeclaredNamespacePrefix(_) | Error::ReservedNamespacePrefix => {
            StreamError::BadNamespacePrefix
        }
        Error::InvalidUtf8Byte(_) => StreamError::UnsupportedEncoding,
        _ => StreamError::NotWellFormed,
    }
}

#[cfg(test)]
mod tests;

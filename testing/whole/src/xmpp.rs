//! An XMPP client that does only what a test says: until it is told to read, it is frozen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use nightjar_xmpp::{Element, Item, Limits, Reader};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Server, within};

const HEADER: &str = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' \
                      xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// A connection to the plain XMPP listener of a server.
#[derive(Debug)]
pub struct XmppClient {
    socket: TcpStream,
    reader: Reader,
    bytes: Vec<u8>,
    /// Stanzas read since stream management was turned on.
    handled: u32,
}

impl XmppClient {
    /// Connects and opens a stream; nobody is logged in.
    ///
    /// # Panics
    /// When the server cannot be reached.
    pub async fn connect(server: &Server) -> Self {
        let socket = TcpStream::connect(server.xmpp()).await.expect("the server listens");
        let reader = Reader::new(Limits::USER);
        let mut client = Self { socket, reader, bytes: Vec::new(), handled: 0 };
        client.open().await;
        client
    }

    /// Logs in with SCRAM-SHA-256 and binds a resource; sends no presence.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn log_in(server: &Server, user: &str, password: &str, resource: &str) -> Self {
        let mut client = Self::connect(server).await;
        let answer = client.prove(user, password).await;
        assert_eq!(answer.name(), "success", "{answer:?}");
        client.reader = Reader::new(Limits::USER);
        client.open().await;
        client
            .write(&format!(
                "<iq id='bind' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                 <resource>{resource}</resource></bind></iq>"
            ))
            .await;
        let bound = client.read_until("the bind", |it| it.get("id") == Some("bind")).await;
        assert_eq!(bound.get("type"), Some("result"), "{bound:?}");
        client
    }

    /// Opens the stream; reads its header and features.
    async fn open(&mut self) -> Element {
        self.write(HEADER).await;
        self.read_until("features", |it| it.name() == "features").await
    }

    /// Tries to log in with SCRAM-SHA-256; answers `success` or `failure`.
    pub async fn prove(&mut self, user: &str, password: &str) -> Element {
        let bare = format!("n={user},r=nonce");
        let first = STANDARD.encode(format!("n,,{bare}"));
        self.write(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>\
             {first}</auth>"
        ))
        .await;
        let challenge = self.read().await;
        if challenge.name() != "challenge" {
            return challenge;
        }
        let first = STANDARD.decode(challenge.text()).expect("a challenge is base64");
        let first = String::from_utf8(first).expect("a challenge is text");
        let field = |name: &str| {
            let value = first.split(',').find_map(|field| field.strip_prefix(name));
            value.expect("RFC 5802 names it").to_owned()
        };
        let salt = STANDARD.decode(field("s=")).expect("a salt is base64");
        let rounds = field("i=").parse().expect("iterations are a number");
        let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), &salt, rounds);
        let without_proof = format!("c=biws,r={}", field("r="));
        let covered = format!("{bare},{first},{without_proof}");
        let client_key = mac(&salted, b"Client Key");
        let signature = mac(&Sha256::digest(&client_key), covered.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let last = STANDARD.encode(format!("{without_proof},p={}", STANDARD.encode(proof)));
        self.write(&format!(
            "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{last}</response>"
        ))
        .await;
        self.read().await
    }

    /// Turns stream management on.
    pub async fn manage(&mut self) {
        self.write("<enable xmlns='urn:xmpp:sm:3'/>").await;
        self.read_until("enabled", |it| it.name() == "enabled").await;
        self.handled = 0;
    }

    /// Writes XML as it is.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn write(&mut self, xml: &str) {
        self.socket.write_all(xml.as_bytes()).await.expect("the connection lives");
    }

    /// Says that everything read so far was handled.
    pub async fn acknowledge(&mut self) {
        let handled = self.handled;
        self.write(&format!("<a xmlns='urn:xmpp:sm:3' h='{handled}'/>")).await;
    }

    /// The next element.
    ///
    /// # Panics
    /// When the stream ends instead.
    pub async fn read(&mut self) -> Element {
        self.next().await.expect("the stream goes on")
    }

    /// The next element that is one of those; the others are passed over.
    pub async fn read_until(&mut self, what: &str, is_it: impl Fn(&Element) -> bool) -> Element {
        let found = async {
            loop {
                let element = self.read().await;
                if is_it(&element) {
                    return element;
                }
            }
        };
        within(what, found).await
    }

    /// The next element; `None` once the stream has ended.
    ///
    /// # Panics
    /// When what came is no XML.
    pub async fn next(&mut self) -> Option<Element> {
        loop {
            let mut left = &self.bytes[..];
            let item = self.reader.read(&mut left).expect("the server writes XML");
            let taken = self.bytes.len() - left.len();
            self.bytes.drain(..taken);
            match item {
                Some(Item::Element(element)) => {
                    let is_stanza = matches!(element.name(), "message" | "presence" | "iq");
                    self.handled += u32::from(is_stanza);
                    return Some(element);
                }
                Some(Item::Close) => return None,
                Some(_) => {}
                None => {
                    let read = self.socket.read_buf(&mut self.bytes);
                    if within("bytes of the server", read).await.unwrap_or(0) == 0 {
                        return None;
                    }
                }
            }
        }
    }
}

fn mac(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.chain_update(bytes).finalize().into_bytes().to_vec()
}

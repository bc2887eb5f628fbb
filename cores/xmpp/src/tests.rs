//! A client's words and the server's, without sockets and lanes.

mod entries;
mod login;
mod management;
mod people;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use nightjar_model::{
    Backlog, Command, HelloReply, Mono, Now, Reject, Reply, ScramKeys, Secret, Uid, WallMs,
};
use nightjar_xmpp::{Hash, Item, Limits, Reader};
use sha2::{Digest, Sha256};

use crate::{Bindings, Framing, Input, Output, RequestId, Security, Stream, StreamConfig};

const HEADER: &str = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' \
                      xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const SALT: &[u8] = b"0123456789abcdef";
const ITERATIONS: u32 = 4_096;

fn at(ms: u64) -> Now {
    Now { mono: Mono(ms), wall: WallMs(1_700_000_000_000 + ms) }
}

/// One client, what it was told and what the lanes were asked.
struct Talk {
    stream: Stream,
    ms: u64,
    told: String,
    commands: Vec<(RequestId, Command)>,
    asks: Vec<Output>,
}

impl Talk {
    fn new(security: Security) -> Self {
        let config = Arc::new(StreamConfig { domain: "localhost".into() });
        let seed = Secret::new([7; 32]);
        let stream = Stream::new(Framing::Socket, security, config, seed, at(0));
        Self { stream, ms: 0, told: String::new(), commands: Vec::new(), asks: Vec::new() }
    }

    /// Alice at her phone, logged in, bound and present.
    fn live() -> Self {
        let mut talk = Self::bound();
        talk.says("<presence/>");
        talk.commands.clear();
        talk.told();
        talk
    }

    /// The same before its first presence.
    fn bound() -> Self {
        let mut talk = Self::new(Security::Plain);
        talk.log_in("SCRAM-SHA-256", "n,,", b"", "pencil");
        talk.says(HEADER);
        talk.says(
            "<iq id='b' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                   <resource>phone</resource></bind></iq>",
        );
        talk.greet(Vec::new());
        talk.told();
        talk
    }

    fn input(&mut self, input: Input<'_>) {
        self.stream.handle(input, at(self.ms));
        while let Some(output) = self.stream.poll() {
            match output {
                Output::Send(bytes) => self.told += std::str::from_utf8(&bytes).unwrap(),
                Output::Command(id, command) => self.commands.push((id, command)),
                other => self.asks.push(other),
            }
        }
    }

    fn says(&mut self, text: &str) {
        self.input(Input::Bytes(text.as_bytes()));
    }

    /// What was told since the last look.
    fn told(&mut self) -> String {
        std::mem::take(&mut self.told)
    }

    /// The newest command, which is answered so.
    fn answer(&mut self, result: Result<Reply, Reject>) -> Command {
        let (id, command) = self.commands.pop().expect("a command");
        self.input(Input::Reply(id, result));
        command
    }

    fn greet(&mut self, backlog: Vec<Backlog>) {
        let reply = HelloReply {
            uid: Uid::parse("alice").unwrap(),
            session: String::new(),
            resume: String::new(),
            resumed: false,
            unread: 0,
            bv: 0,
            backlog,
            withdraw: Vec::new(),
        };
        let hello = self.answer(Ok(Reply::Hello(Box::new(reply))));
        assert!(matches!(hello, Command::Hello(_)), "{hello:?}");
    }

    /// Opens the stream and logs in; answers what the server said to the proof.
    fn log_in(&mut self, mechanism: &str, gs2: &str, binding: &[u8], password: &str) -> String {
        self.says(HEADER);
        self.told();
        self.prove(mechanism, gs2, binding, password)
    }

    fn prove(&mut self, mechanism: &str, gs2: &str, binding: &[u8], password: &str) -> String {
        let bare = "n=alice,r=nonce";
        self.says(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{}</auth>",
            STANDARD.encode(format!("{gs2}{bare}"))
        ));
        if !matches!(self.asks.pop(), Some(Output::FindKeys { hash: Hash::Sha256, .. })) {
            return self.told();
        }
        self.input(Input::Keys(keys()));
        let challenge = self.told();
        let text = challenge.split(['>', '<']).nth(2).expect("a challenge");
        let first = String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
        let nonce = first.split(',').next().unwrap().trim_start_matches("r=");
        let bound = STANDARD.encode([gs2.as_bytes(), binding].concat());
        let without_proof = format!("c={bound},r={nonce}");
        let covered = format!("{bare},{first},{without_proof}");
        let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), SALT, ITERATIONS);
        let client_key = mac(&salted, b"Client Key");
        let signature = mac(&Sha256::digest(&client_key), covered.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let last = format!("{without_proof},p={}", STANDARD.encode(proof));
        self.says(&format!(
            "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</response>",
            STANDARD.encode(last)
        ));
        self.told()
    }
}

fn keys() -> ScramKeys {
    let password = Secret::new("pencil".to_owned());
    nightjar_xmpp::keys(Hash::Sha256, &password, SALT.to_vec(), ITERATIONS).unwrap()
}

fn mac(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.chain_update(bytes).finalize().into_bytes().to_vec()
}

/// The elements of a text, one a line.
fn lines(text: &str) -> String {
    let whole = format!("{HEADER}{}", text.replace("<?xml version='1.0'?>", ""));
    let (mut bytes, mut reader) = (whole.as_bytes(), Reader::new(Limits::USER));
    let mut lines = String::new();
    while let Ok(Some(item)) = reader.read(&mut bytes) {
        match item {
            Item::Element(element) => lines += &format!("{element:?}\n"),
            Item::Close => lines += "</stream>\n",
            _ => {}
        }
    }
    lines
}

fn exporter() -> Security {
    let exporter = Some(Secret::new(b"exported".to_vec()));
    Security::Tls(Bindings { exporter, end_point: Some(b"certificate".to_vec()) })
}

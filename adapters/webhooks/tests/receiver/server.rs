//! A receiver that records what comes and answers by a script.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Far above what anything here takes; only a defect waits so long.
pub(crate) const WITHIN: Duration = Duration::from_secs(30);

pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(WITHIN, what).await.expect("it comes soon")
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    /// The only header of this name.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, value) = found.next().unwrap_or_else(|| panic!("no {name} in {self:?}"));
        assert!(found.next().is_none(), "{name} twice in {self:?}");
        value
    }
}

/// What the receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Status(u16),
    /// These bytes, whatever they are.
    Raw(&'static str),
    /// Ends the connection without a word.
    Close,
    /// Says this, then this again and again for as long as somebody listens.
    Endless(&'static str, &'static str),
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) requests: mpsc::UnboundedReceiver<Request>,
    /// Requests whose body holds this are answered with 422.
    refused: Arc<Mutex<Option<&'static str>>>,
    /// Bytes written by an endless answer, once nobody listens.
    pub(crate) endless: mpsc::UnboundedReceiver<u64>,
}

impl Server {
    /// Answers requests by the script, and with 200 after it.
    pub(crate) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let refused: Arc<Mutex<Option<&'static str>>> = Arc::default();
        let refuses = Arc::clone(&refused);
        let script: VecDeque<Act> = script.into_iter().collect();
        let script = Arc::new(Mutex::new(script));
        let (request_in, requests) = mpsc::unbounded_channel();
        let (endless_in, endless) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, requests) = (Arc::clone(&script), request_in.clone());
                let (endless, refuses) = (endless_in.clone(), Arc::clone(&refuses));
                tokio::spawn(async move {
                    let Some((request, stream)) = read(stream).await else { return };
                    let is_refused =
                        refuses.lock().unwrap().is_some_and(|word| request.body.contains(word));
                    let act = match is_refused {
                        true => Act::Status(422),
                        false => script.lock().unwrap().pop_front().unwrap_or(Act::Status(200)),
                    };
                    let _ = requests.send(request);
                    answer(stream, act, &endless).await;
                });
            }
        });
        Self { address, requests, refused, endless }
    }

    /// Refuses every event with this word in it, and takes all others.
    pub(crate) async fn refusing(word: &'static str) -> Self {
        let server = Self::start([]).await;
        *server.refused.lock().unwrap() = Some(word);
        server
    }

    pub(crate) fn refuse_nobody(&self) {
        *self.refused.lock().unwrap() = None;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn read(mut stream: TcpStream) -> Option<(Request, TcpStream)> {
    let mut bytes = Vec::new();
    let (head, body_start) = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break (String::from_utf8(bytes[..end].to_vec()).ok()?, end + 4);
        }
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
        // The first byte of TLS; HTTP begins with a letter.
        (bytes[0] != 0x16).then_some(())?;
    };
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut request = Request { line, headers, body: String::new() };
    let length: usize = request.header("content-length").parse().ok()?;
    while bytes.len() < body_start + length {
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    }
    request.body = String::from_utf8(bytes[body_start..].to_vec()).ok()?;
    Some((request, stream))
}

async fn answer(mut stream: TcpStream, act: Act, endless: &mpsc::UnboundedSender<u64>) {
    match act {
        Act::Status(status) => {
            let text = format!("HTTP/1.1 {status} It\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Act::Raw(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Act::Close => {}
        Act::Endless(first, again) => {
            let _ = stream.write_all(first.as_bytes()).await;
            let mut written = 0;
            while stream.write_all(again.as_bytes()).await.is_ok() {
                written += again.len() as u64;
            }
            let _ = endless.send(written);
        }
    }
}

//! The HTTP API, as far as a run needs it: tokens and a group.

use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::future::try_join_all;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use nightjar_model::Secret;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::wire::Socket;

/// Connections that ask for tokens at a time.
const CONNECTIONS: usize = 8;

/// A server's HTTP API and the key to it.
pub(crate) struct Admin {
    /// Host, as in the URL.
    pub(crate) host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    key: Secret<String>,
}

impl Admin {
    /// Reads the address of `--server`.
    ///
    /// # Errors
    /// It is no `http://` or `https://` address.
    pub(crate) fn new(
        url: &str,
        key: Secret<String>,
        tls: &Arc<ClientConfig>,
    ) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("--server: '{url}' is no address"))?;
        let (default_port, tls) = match uri.scheme_str() {
            Some("http") => (80, None),
            Some("https") => (443, Some(Arc::clone(tls))),
            _ => bail!("--server: give the HTTP address, such as http://127.0.0.1:7300"),
        };
        let host = uri.host().context("--server: the address has no host")?.to_owned();
        Ok(Self { host, port: uri.port_u16().unwrap_or(default_port), tls, key })
    }

    /// A token for each user.
    pub(crate) async fn tokens(&self, uids: &[String]) -> anyhow::Result<Vec<Secret<String>>> {
        let share = uids.len().div_ceil(CONNECTIONS).max(1);
        let shares = uids.chunks(share).map(|uids| async move {
            let mut connection = self.connect().await?;
            let mut tokens = Vec::with_capacity(uids.len());
            for uid in uids {
                let path = format!("/v1/users/{uid}/tokens");
                let answer = self.call(&mut connection, &path, &json!({})).await?;
                let token = answer["token"].as_str().context("an answer without a token")?;
                tokens.push(Secret::new(token.to_owned()));
            }
            anyhow::Ok(tokens)
        });
        Ok(try_join_all(shares).await?.into_iter().flatten().collect())
    }

    /// Makes a group; the first member owns it.
    pub(crate) async fn make_group(&self, id: &str, members: &[String]) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        let body = json!({"id": id, "name": "load", "owner": members[0], "members": members});
        self.call(&mut connection, "/v1/groups", &body).await?;
        Ok(())
    }

    /// Writes one message to each user.
    pub(crate) async fn write_to(
        &self,
        from: &str,
        uids: &[String],
        content: &Value,
    ) -> anyhow::Result<()> {
        let share = uids.len().div_ceil(CONNECTIONS).max(1);
        let shares = uids.chunks(share).map(|uids| async move {
            let mut connection = self.connect().await?;
            for uid in uids {
                let body = json!({"from": from, "to": {"user": uid}, "content": content});
                self.call(&mut connection, "/v1/messages", &body).await?;
            }
            anyhow::Ok(())
        });
        try_join_all(shares).await?;
        Ok(())
    }

    /// The server's counters now.
    pub(crate) async fn metrics(&self) -> anyhow::Result<Metrics> {
        let mut connection = self.connect().await?;
        let bytes = self.ask(&mut connection, Method::GET, "/metrics", Bytes::new()).await?;
        Ok(Metrics(String::from_utf8_lossy(&bytes).into_owned()))
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let place = format!("{}:{}", self.host, self.port);
        let stream = TcpStream::connect(&place).await.with_context(|| {
            format!("no server answers at {place}; start it, or leave --server away")
        })?;
        stream.set_nodelay(true)?;
        let socket: Box<dyn Socket> = match &self.tls {
            None => Box::new(stream),
            Some(config) => {
                let name = ServerName::try_from(self.host.clone()).context("--server: host")?;
                let connector = TlsConnector::from(Arc::clone(config));
                Box::new(connector.connect(name, stream).await.with_context(|| {
                    format!("{place}: no TLS; is its certificate one of --ca-file?")
                })?)
            }
        };
        let (sender, connection) = handshake(TokioIo::new(socket)).await?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }

    async fn call(
        &self,
        connection: &mut SendRequest<Full<Bytes>>,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let bytes = self.ask(connection, Method::POST, path, body.to_string().into()).await?;
        serde_json::from_slice(&bytes).context("the answer is no JSON")
    }

    async fn ask(
        &self,
        connection: &mut SendRequest<Full<Bytes>>,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", format!("{}:{}", self.host, self.port))
            .header("authorization", format!("Bearer {}", self.key.expose()))
            .header("content-type", "application/json")
            .body(Full::new(body))
            .context("a request could not be made")?;
        connection.ready().await.context("the server ended the connection")?;
        let answer = connection.send_request(request).await.context("the server did not answer")?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await?.to_bytes();
        if status == StatusCode::UNAUTHORIZED {
            bail!("the server refused the admin key; give its own with --admin-key");
        }
        if !status.is_success() {
            bail!("{path} was answered {status}: {}", String::from_utf8_lossy(&bytes));
        }
        Ok(bytes)
    }
}

/// What `GET /metrics` answered.
pub(crate) struct Metrics(String);

impl Metrics {
    /// One without labels; 0 if the server does not have it.
    pub(crate) fn value(&self, name: &str) -> u64 {
        let line = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok()).map_or(0, |value| value as u64)
    }
}

//! The listeners for WuKongIM's clients and back ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyhow::Context;
use nightjar_access::HandshakeRate;
use nightjar_decider::Handle;
use nightjar_gateway_wukong::{Addresses, Webhook, WukongApi, WukongGateway};
use nightjar_session::wukong::WkSessionConfig;
use tokio::sync::watch;

use crate::config::{Config, WukongSection};
use crate::listen;
use crate::serve::{address_of, bind_unless_taken};

/// A listener's name in the ready file, and where it is if it is on.
type Listening = (&'static str, Option<SocketAddr>);

/// Starts those that are on. Connections are counted together with the native ones.
pub(crate) async fn start(
    config: &Config,
    handle: &Handle,
    connections: &Arc<AtomicUsize>,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<[Listening; 3]> {
    let section = &config.wukong;
    let after_s = section.push_if_unread_after_s;
    let gateway = Arc::new(WukongGateway::new(
        handle.clone(),
        WkSessionConfig { push_if_unread_after_s: Some(after_s).filter(|after_s| *after_s > 0) },
        Arc::new(HandshakeRate::new(config.limits.handshakes_per_s)),
        config.limits.connections,
        Arc::clone(connections),
    ));
    if !section.webhook.url.is_empty() {
        let webhook = Webhook::parse(&section.webhook.url).context("wukong.webhook.url")?;
        tokio::spawn(Arc::clone(&gateway).tell(webhook));
    }
    let tcp = bind_unless_taken(&section.tcp, "wukong.tcp", WukongSection::TCP).await?;
    let websocket = bind_unless_taken(&section.ws, "wukong.ws", WukongSection::WS).await?;
    let http = bind_unless_taken(&section.http, "wukong.http", WukongSection::HTTP).await?;
    let addresses =
        Addresses { tcp: address_of(tcp.as_ref())?, websocket: address_of(websocket.as_ref())? };
    let http_address = address_of(http.as_ref())?;
    if let Some(listener) = tcp {
        tokio::spawn(Arc::clone(&gateway).serve_tcp(listener, stopping.clone()));
    }
    if let Some(listener) = websocket {
        tokio::spawn(Arc::clone(&gateway).serve_websocket(listener, stopping.clone()));
    }
    if let Some(listener) = http {
        if section.manager_token.is_none() {
            tracing::warn!("wukong.manager_token is not set: every program here may call its API");
        }
        let api = WukongApi::new(gateway, section.manager_token.clone(), addresses);
        let router = nightjar_gateway_wukong::router(api);
        tokio::spawn(listen::http(listener, router, stopping.clone()));
    }
    Ok([
        ("wukong_tcp", addresses.tcp),
        ("wukong_ws", addresses.websocket),
        ("wukong_http", http_address),
    ])
}

//! WuKongIM's HTTP API, as back ends already call it.
//!
//! Handlers translate its JSON into commands and back; they decide nothing. What the protocol page
//! calls internal is not offered and says so.

mod channels;
mod connections;
mod conversations;
mod error;
mod guard;
mod history;
mod messages;
mod users;
mod view;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use nightjar_model::{Command, Reply, Secret};

use crate::gateway::WukongGateway;
use error::Failure;
pub(crate) use view::message as message_view;

/// What the handlers share.
#[derive(Clone)]
pub struct WukongApi {
    gateway: Arc<WukongGateway>,
    /// What back ends send in the header `token`; without one only this machine may call.
    manager_token: Option<Secret<String>>,
    /// Where clients are sent.
    addresses: Addresses,
}

/// Where clients are sent by `/route`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Addresses {
    /// WKProto.
    pub tcp: Option<SocketAddr>,
    /// WebSocket.
    pub websocket: Option<SocketAddr>,
}

impl WukongApi {
    /// The API over a gateway.
    #[must_use]
    pub fn new(
        gateway: Arc<WukongGateway>,
        manager_token: Option<Secret<String>>,
        addresses: Addresses,
    ) -> Self {
        Self { gateway, manager_token, addresses }
    }

    /// Asks the lanes.
    async fn call(&self, command: Command) -> Result<Reply, Failure> {
        Ok(self.gateway.handle.call(command).await?)
    }

    /// Asks the lanes for something whose answer says no more than that it is done.
    async fn tell(&self, command: Command) -> Result<(), Failure> {
        self.call(command).await.map(|_| ())
    }
}

/// Bytes of a request's body, at most.
const BODY_BYTES_MAX: usize = 4 << 20;

/// The routes.
pub fn router(api: WukongApi) -> Router {
    let users = Router::new()
        .route("/user/token", post(users::token))
        .route("/user/device_quit", post(users::device_quit))
        .route("/user/onlinestatus", post(users::online_status))
        .route("/user/systemuids_add", post(users::add_system_uids))
        .route("/user/systemuids_remove", post(users::remove_system_uids))
        .route("/user/systemuids_add_to_cache", post(users::done))
        .route("/user/systemuids_remove_from_cache", post(users::done))
        .route("/user/update_plugin_no", post(users::done))
        .route("/user/systemuids", get(users::system_uids))
        .route("/user/app_state", post(users::app_state));
    let messages = Router::new()
        .route("/message/send", post(messages::send))
        .route("/message/sendbatch", post(messages::send_batch))
        .route("/channel/messagesync", post(history::sync))
        .route("/messages", post(history::several))
        .route("/message", post(history::one))
        .route("/message/byclientmsgno", get(history::by_client_msg_no))
        .route("/channel/max_message_seq", get(history::newest_seq))
        .route("/channel/last_message", get(history::newest));
    let channels = Router::new()
        .route("/channel", post(channels::put))
        .route("/channel/info", post(channels::info))
        .route("/channel/delete", post(channels::delete))
        .route("/channel/subscriber_add", post(channels::add))
        .route("/channel/subscriber_remove", post(channels::remove))
        .route("/channel/subscriber_remove_all", post(channels::remove_all))
        .route("/tmpchannel/subscriber_set", post(channels::set_temporary))
        .route("/channel/blacklist_add", post(channels::blacklist_add))
        .route("/channel/blacklist_remove", post(channels::blacklist_remove));
    let conversations = Router::new()
        .route("/conversation/sync", post(conversations::sync))
        .route("/conversation/channels", post(conversations::channels))
        .route("/conversation/syncByChannels", post(conversations::sync_by_channels))
        .route("/conversations/clearUnread", post(conversations::clear_unread))
        .route("/conversations/setUnread", post(conversations::set_unread))
        .route("/conversations/delete", post(conversations::delete));
    Router::new()
        .merge(users)
        .merge(messages)
        .merge(channels)
        .merge(conversations)
        .route("/route", get(connections::route))
        .route("/route/batch", post(connections::route_batch))
        .fallback(error::unknown_route)
        .layer(axum::middleware::from_fn_with_state(api.clone(), guard::manager))
        .route("/health", get(connections::health))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn_with_state(api.clone(), guard::origin))
        .with_state(api)
}

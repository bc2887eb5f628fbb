//! The HTTP API of operators and back ends, and the files of the console page.
//!
//! Handlers translate JSON into commands and replies into JSON; they decide nothing.
//!
//! Deliberately absent: rules about messaging, and the page's own code (`nightjar-web`).
//!
//! Read [`Api`] and [`router`] first.

mod contacts;
mod credentials;
mod devices;
mod error;
mod fetch;
mod groups;
mod guard;
mod hooks;
mod messages;
mod openapi;
mod operations;
mod page;
mod push;
mod push_body;
mod random;
mod settings;
mod statistics;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get, post, put};
use nightjar_access::{AdminKeys, Passwords, Tokens};
use nightjar_decider::Handle;
use nightjar_providers::Console;

pub use credentials::Credentials;
pub use guard::Development;
pub use hooks::Webhooks;
pub use page::PageFile;

/// What the handlers share.
#[derive(Clone)]
pub struct Api {
    /// The way to the lanes.
    pub handle: Handle,
    /// Issues user tokens.
    pub tokens: Arc<Tokens>,
    /// Makes keys of passwords.
    pub passwords: Arc<Passwords>,
    /// Who may call.
    pub admin: Arc<AdminKeys>,
    /// The provider keys.
    pub credentials: Arc<Credentials>,
    /// Where events go.
    pub webhooks: Arc<Webhooks>,
    /// The pushes development mode catches; `None` outside of it.
    pub console: Option<Arc<Console>>,
    /// Files of the console page.
    pub page: &'static [PageFile],
    /// The page's Content-Security-Policy.
    pub csp: &'static str,
    /// Renders the metrics.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whether the listener is loopback and Host and Origin are checked.
    pub development: Option<Development>,
}

/// Bytes of a request's body, at most: a message's content and what frames it.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The routes of the API and the page.
pub fn router(api: Api) -> Router {
    let keyed = Router::new()
        .route("/v1/users/{uid}", put(users::put_user))
        .route("/v1/users/{uid}/tokens", post(users::issue_token))
        .route("/v1/users/{uid}/password", put(users::put_password))
        .route("/v1/users/{uid}/unread", get(users::unread))
        .route("/v1/users/{uid}/contacts", get(contacts::list))
        .route("/v1/users/{uid}/contacts/{other}", put(contacts::put).delete(contacts::remove))
        .route("/v1/users/{uid}/blocked/{other}", put(contacts::block).delete(contacts::unblock))
        .route("/v1/users/{uid}/devices", get(devices::list))
        .route(
            "/v1/users/{uid}/devices/{device_id}/push",
            put(devices::bind).delete(devices::unbind),
        )
        .route("/v1/users/{uid}/devices/{device_id}/kick", post(devices::kick))
        .route("/v1/users/{uid}/devices/{device_id}/app-state", post(devices::app_state))
        .route("/v1/groups", post(groups::create))
        .route(
            "/v1/groups/{id}/members",
            get(groups::members).post(groups::add).delete(groups::remove),
        )
        .route("/v1/messages", post(messages::send))
        .route("/v1/messages/{message_id}/trace", get(messages::trace))
        .route("/v1/conversations/{conversation}/messages", get(messages::history))
        .route("/v1/users/{uid}/push-settings", get(settings::settings).put(settings::put_settings))
        .route("/v1/push/policy", get(settings::policy).put(settings::put_policy))
        .route("/v1/push/explain", post(push::explain))
        .route("/v1/push/credentials", get(credentials::list))
        .route(
            "/v1/push/credentials/{name}",
            get(credentials::get).post(credentials::put).delete(credentials::remove),
        )
        .route("/v1/push/credentials/{name}/test", post(credentials::test))
        .route("/v1/push/statistics", get(statistics::statistics))
        .route("/v1/push/outcomes", get(push::outcomes))
        .route(
            "/v1/push/templates/{name}",
            get(settings::template).post(settings::put_template).delete(settings::delete_template),
        )
        .route("/v1/webhooks", get(hooks::list))
        .route("/v1/webhooks/{id}", get(hooks::get).post(hooks::put).delete(hooks::remove))
        .route("/v1/events", get(operations::events))
        .route("/v1/dev/pushes", get(push::dev_pushes))
        .layer(axum::middleware::from_fn_with_state(api.clone(), guard::admin_key));
    let open_in_development = Router::new()
        .route("/metrics", get(operations::metrics))
        .route("/openapi.json", get(openapi::document))
        .layer(axum::middleware::from_fn_with_state(
            api.clone(),
            guard::admin_key_outside_development,
        ));
    Router::new()
        .merge(keyed)
        .merge(open_in_development)
        .route("/v1/push/receipts/{provider}/{credential}", post(statistics::receipts))
        .route("/v1/fetch", get(fetch::fetch))
        .route("/v1/fetch/ack", post(fetch::ack))
        .route("/healthz", get(operations::healthz))
        .route("/readyz", get(operations::readyz))
        .route("/native.proto", get(operations::schema))
        .route("/v1/{*rest}", any(error::unknown_route))
        .fallback(page::file)
        .method_not_allowed_fallback(error::unknown_route)
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(guard::body_limit))
        .with_state(api)
}

/// Wraps the whole port: in development mode a page elsewhere must not reach it.
pub fn guarded(router: Router, development: Option<Development>) -> Router {
    match development {
        Some(development) => {
            router.layer(axum::middleware::from_fn_with_state(development, guard::host_and_origin))
        }
        None => router,
    }
}

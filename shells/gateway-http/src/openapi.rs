//! The API described for machines.

use axum::Json;
use serde_json::{Map, Value, json};

/// `(method, path, what it does)` of every route.
const ROUTES: &[(&str, &str, &str)] = &[
    ("get", "/healthz", "The process answers."),
    ("get", "/readyz", "The server takes work."),
    ("get", "/metrics", "Prometheus text."),
    ("get", "/native.proto", "The native protocol's schema."),
    ("put", "/v1/users/{uid}", "Creates or changes a user."),
    ("post", "/v1/users/{uid}/tokens", "Issues a token."),
    ("put", "/v1/users/{uid}/password", "Replaces a password; the user may log in over XMPP."),
    ("get", "/v1/users/{uid}/unread", "The badge, its version, unread by conversation."),
    ("get", "/v1/users/{uid}/contacts", "Contacts and blocked users."),
    ("put", "/v1/users/{uid}/contacts/{other}", "Asks another user, or makes both contacts."),
    ("delete", "/v1/users/{uid}/contacts/{other}", "Both are no longer contacts."),
    ("put", "/v1/users/{uid}/blocked/{other}", "The user wants nothing from the other."),
    ("delete", "/v1/users/{uid}/blocked/{other}", "Takes that back."),
    ("get", "/v1/users/{uid}/devices", "Devices, their app state and bindings."),
    ("put", "/v1/users/{uid}/devices/{device_id}/push", "Upserts a push binding."),
    ("delete", "/v1/users/{uid}/devices/{device_id}/push", "Removes one binding, or all."),
    ("post", "/v1/users/{uid}/devices/{device_id}/kick", "Ends a device's session for good."),
    ("post", "/v1/users/{uid}/devices/{device_id}/app-state", "Reports the app's state."),
    ("post", "/v1/groups", "Creates a group."),
    ("get", "/v1/groups/{id}/members", "Members of a group, or what changed since a token."),
    ("post", "/v1/groups/{id}/members", "Adds members."),
    ("delete", "/v1/groups/{id}/members", "Removes members."),
    ("post", "/v1/messages", "Writes a message in a user's name."),
    ("get", "/v1/messages/{message_id}/trace", "The recorded life of a message for one user."),
    ("get", "/v1/conversations/{conversation}/messages", "The log as one user sees it."),
    ("get", "/v1/fetch", "The messages of a push, with a push-scoped token."),
    ("post", "/v1/fetch/ack", "What an extension did with it, with a push-scoped token."),
    ("get", "/v1/users/{uid}/push-settings", "What a user chose about pushes."),
    ("put", "/v1/users/{uid}/push-settings", "Replaces what a user chose about pushes."),
    ("get", "/v1/push/policy", "What holds for all users' pushes."),
    ("put", "/v1/push/policy", "Replaces what holds; what is left out is as configured."),
    ("get", "/v1/push/templates/{name}", "A push template in all its languages."),
    ("post", "/v1/push/templates/{name}", "Creates or replaces a push template in one language."),
    ("delete", "/v1/push/templates/{name}", "Removes one language of a template, or all."),
    ("get", "/v1/push/credentials", "Every credential, and how it fares."),
    ("get", "/v1/push/credentials/{name}", "One credential; keys are not given back."),
    ("post", "/v1/push/credentials/{name}", "Creates, replaces or turns off a credential."),
    ("delete", "/v1/push/credentials/{name}", "Removes a credential that was created here."),
    ("post", "/v1/push/credentials/{name}/test", "Sends one push and answers its outcome."),
    ("post", "/v1/push/receipts/{provider}/{credential}", "What a vendor reports, as it proves."),
    ("get", "/v1/push/statistics", "What became of pushes, by day and credential."),
    ("get", "/v1/push/outcomes", "What providers answered, one row an attempt."),
    ("post", "/v1/push/explain", "Who would be notified, and why not; nothing is sent."),
    ("get", "/v1/webhooks", "Every webhook, how far it is and how it fares."),
    ("get", "/v1/webhooks/{id}", "One webhook; its secret is not given back."),
    ("post", "/v1/webhooks/{id}", "Sets up a webhook, or changes what is given of it."),
    ("delete", "/v1/webhooks/{id}", "Removes a webhook."),
    ("get", "/v1/events", "Webhook events above a number."),
    ("get", "/v1/dev/pushes", "Pushes development mode caught."),
];

/// `GET /openapi.json`.
pub(crate) async fn document() -> Json<Value> {
    let mut paths = Map::new();
    for (method, path, summary) in ROUTES {
        let parameters: Vec<Value> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| {
                json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
            })
            .collect();
        let operation = json!({
            "summary": summary,
            "parameters": parameters,
            "responses": {"default": {"description": "The answer, or an error object."}},
        });
        let entry = paths.entry((*path).to_owned()).or_insert_with(|| json!({}));
        entry[*method] = operation;
    }
    Json(json!({
        "openapi": "3.1.0",
        "info": {"title": "Nightjar", "version": env!("CARGO_PKG_VERSION")},
        "components": {"securitySchemes": {"adminKey": {"type": "http", "scheme": "bearer"}}},
        "security": [{"adminKey": []}],
        "paths": paths,
    }))
}

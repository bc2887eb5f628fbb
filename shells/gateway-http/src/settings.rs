//! What operators and users choose about pushes: the policy, push settings, templates.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use nightjar_model::{Command, PushTemplate, Reply, Uid};
use nightjar_push::{
    choice_from_json, policy_to_json, settings_from_json, settings_to_json, template_from_json,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Api;
use crate::error::{ApiResult, unexpected};

/// `GET /v1/push/policy`: what holds for all users.
pub(crate) async fn policy(State(api): State<Api>) -> ApiResult {
    answer_policy(&api, Command::PushPolicy).await
}

/// `PUT /v1/push/policy`: what is left out is as in the configuration.
pub(crate) async fn put_policy(
    State(api): State<Api>,
    body: Result<Json<Value>, JsonRejection>,
) -> ApiResult {
    let Json(document) = body?;
    answer_policy(&api, Command::PutPushPolicy(choice_from_json(&document)?)).await
}

async fn answer_policy(api: &Api, command: Command) -> ApiResult {
    match api.handle.call(command).await? {
        Reply::PushPolicy(policy) => Ok(Json(policy_to_json(&policy)).into_response()),
        _ => Err(unexpected()),
    }
}

/// `GET /v1/users/{uid}/push-settings`.
pub(crate) async fn settings(State(api): State<Api>, Path(uid): Path<String>) -> ApiResult {
    let uid = Uid::parse(&uid)?;
    answer_settings(&api, Command::PushSettings { uid }).await
}

/// `PUT /v1/users/{uid}/push-settings`: replaces the document.
pub(crate) async fn put_settings(
    State(api): State<Api>,
    Path(uid): Path<String>,
    body: Result<Json<Value>, JsonRejection>,
) -> ApiResult {
    let Json(document) = body?;
    let uid = Uid::parse(&uid)?;
    let settings = settings_from_json(&document, api.handle.clock.now().wall)?;
    answer_settings(&api, Command::PutPushSettings { uid, settings: Box::new(settings) }).await
}

async fn answer_settings(api: &Api, command: Command) -> ApiResult {
    match api.handle.call(command).await? {
        Reply::PushSettings(settings) => Ok(Json(settings_to_json(&settings)).into_response()),
        _ => Err(unexpected()),
    }
}

/// `GET /v1/push/templates/{name}`: the template, and all its languages.
pub(crate) async fn template(State(api): State<Api>, Path(name): Path<String>) -> ApiResult {
    answer_template(&api, Command::PushTemplate { name }).await
}

/// `POST /v1/push/templates/{name}`: creates or replaces it in one language.
pub(crate) async fn put_template(
    State(api): State<Api>,
    Path(name): Path<String>,
    body: Result<Json<Value>, JsonRejection>,
) -> ApiResult {
    let Json(document) = body?;
    let template = template_from_json(&name, &document)?;
    answer_template(&api, Command::PutPushTemplate(Box::new(template))).await
}

async fn answer_template(api: &Api, command: Command) -> ApiResult {
    let Reply::PushTemplates(templates) = api.handle.call(command).await? else {
        return Err(unexpected());
    };
    let Some(first) = templates.first() else { return Err(unexpected()) };
    let mut answer = template_json(first);
    answer["locales"] = templates.iter().map(template_json).collect();
    Ok(Json(answer).into_response())
}

fn template_json(template: &PushTemplate) -> Value {
    let PushTemplate { name, locale, title, body } = template;
    let mut object = json!({"name": name, "title": title, "body": body});
    if let Some(locale) = locale {
        object["locale"] = locale.as_str().into();
    }
    object
}

#[derive(Deserialize)]
pub(crate) struct TemplateQuery {
    locale: Option<String>,
}

/// `DELETE /v1/push/templates/{name}?locale=`: one language, or all without a query.
pub(crate) async fn delete_template(
    State(api): State<Api>,
    Path(name): Path<String>,
    query: Result<Query<TemplateQuery>, QueryRejection>,
) -> ApiResult {
    let Query(TemplateQuery { locale }) = query?;
    match api.handle.call(Command::DeletePushTemplate { name, locale }).await? {
        Reply::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        _ => Err(unexpected()),
    }
}

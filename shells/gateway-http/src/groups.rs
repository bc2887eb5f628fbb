//! Groups and their members.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use nightjar_model::{Command, GroupId, IdError, Reply, Uid};
use serde::Deserialize;
use serde_json::json;

use crate::Api;
use crate::error::{ApiResult, unexpected};
use crate::random::random_id;

#[derive(Deserialize)]
pub(crate) struct GroupBody {
    id: Option<String>,
    #[serde(default)]
    name: String,
    owner: String,
    #[serde(default)]
    members: Vec<String>,
}

fn uids(texts: &[String]) -> Result<Vec<Uid>, IdError> {
    texts.iter().map(|text| Uid::parse(text)).collect()
}

/// `POST /v1/groups`: creates a group; without an id the server makes one.
pub(crate) async fn create(
    State(api): State<Api>,
    body: Result<Json<GroupBody>, JsonRejection>,
) -> ApiResult {
    let Json(body) = body?;
    let id = match body.id {
        Some(id) => id,
        None => random_id()?,
    };
    let command = Command::CreateGroup {
        group: GroupId::parse(&id)?,
        name: body.name,
        owner: Uid::parse(&body.owner)?,
        members: uids(&body.members)?,
    };
    changed(&api, command).await
}

#[derive(Deserialize)]
pub(crate) struct MembersBody {
    members: Vec<String>,
}

/// `POST /v1/groups/{id}/members`: adds members.
pub(crate) async fn add(
    State(api): State<Api>,
    Path(id): Path<String>,
    body: Result<Json<MembersBody>, JsonRejection>,
) -> ApiResult {
    let Json(body) = body?;
    let (group, add) = (GroupId::parse(&id)?, uids(&body.members)?);
    changed(&api, Command::ChangeMembers { group, add, remove: Vec::new() }).await
}

/// `DELETE /v1/groups/{id}/members`: removes members.
pub(crate) async fn remove(
    State(api): State<Api>,
    Path(id): Path<String>,
    body: Result<Json<MembersBody>, JsonRejection>,
) -> ApiResult {
    let Json(body) = body?;
    let (group, remove) = (GroupId::parse(&id)?, uids(&body.members)?);
    changed(&api, Command::ChangeMembers { group, add: Vec::new(), remove }).await
}

async fn changed(api: &Api, command: Command) -> ApiResult {
    match api.handle.call(command).await? {
        Reply::Group(group) => Ok(Json(json!({
            "id": group.group.as_str(), "conversation": group.conversation.as_str(),
        }))
        .into_response()),
        _ => Err(unexpected()),
    }
}

#[derive(Deserialize)]
pub(crate) struct MembersQuery {
    since: Option<String>,
}

/// `GET /v1/groups/{id}/members?since=`.
pub(crate) async fn members(
    State(api): State<Api>,
    Path(id): Path<String>,
    query: Result<Query<MembersQuery>, QueryRejection>,
) -> ApiResult {
    let Query(query) = query?;
    let command = Command::Members { group: GroupId::parse(&id)?, since: query.since };
    match api.handle.call(command).await? {
        Reply::Members(page) => {
            let members: Vec<_> = page
                .members
                .iter()
                .map(|member| {
                    let (uid, role) = (member.uid.as_str(), member.role.as_str());
                    json!({"uid": uid, "role": role, "ver": member.ver})
                })
                .collect();
            let removed: Vec<_> = page.removed.iter().map(Uid::as_str).collect();
            let answer = json!({"members": members, "removed": removed, "next": page.next});
            Ok(Json(answer).into_response())
        }
        _ => Err(unexpected()),
    }
}

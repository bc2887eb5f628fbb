//! Channels and who is in them.

use axum::extract::State;
use bytes::Bytes;
use nightjar_model::{Command, ContactAction, GroupId, Reject, Reply, Uid};
use nightjar_wkproto::{Channel, system_uid};
use serde::Deserialize;

use super::WukongApi;
use super::error::{Answer, Failure, ok, read, unexpected};

/// A person channel.
const PERSON: u8 = 1;

#[derive(Deserialize)]
struct ChannelBody {
    channel_id: String,
    #[serde(default)]
    channel_type: u8,
    #[serde(default)]
    reset: u8,
    #[serde(default)]
    temp_subscriber: u8,
    #[serde(default)]
    subscribers: Vec<String>,
}

impl ChannelBody {
    fn group(&self) -> Result<GroupId, Failure> {
        // The reference takes a missing type for a group.
        let kind = if self.channel_type == 0 { 2 } else { self.channel_type };
        Ok(Channel::new(self.channel_id.as_str(), kind).group()?)
    }

    fn subscribers(&self) -> Result<Vec<Uid>, Failure> {
        Ok(self.subscribers.iter().map(|uid| Uid::parse(uid)).collect::<Result<_, _>>()?)
    }
}

/// `POST /channel`: creates a channel, or changes who is in it.
pub(super) async fn put(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: ChannelBody = read(&body)?;
    if body.channel_type == PERSON {
        return if body.subscribers.is_empty() {
            ok()
        } else {
            Err(Failure::bad("a person channel has no subscribers of its own"))
        };
    }
    let (group, subscribers) = (body.group()?, body.subscribers()?);
    join(&api, &group, subscribers, body.reset != 0).await?;
    ok()
}

/// `POST /channel/info`: a channel without a record of its own has nothing to change.
pub(super) async fn info(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: ChannelBody = read(&body)?;
    if body.channel_type != PERSON {
        join(&api, &body.group()?, Vec::new(), false).await?;
    }
    ok()
}

/// `POST /channel/delete`: everybody leaves, and nobody can write any more.
pub(super) async fn delete(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: ChannelBody = read(&body)?;
    if body.channel_type != PERSON {
        leave_all(&api, body.group()?).await?;
    }
    ok()
}

/// `POST /channel/subscriber_add`.
pub(super) async fn add(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: ChannelBody = read(&body)?;
    if body.temp_subscriber != 0 {
        return Err(Failure::bad("temporary subscribers are not offered"));
    }
    let (group, subscribers) = (body.group()?, body.subscribers()?);
    join(&api, &group, subscribers, body.reset != 0).await?;
    ok()
}

/// `POST /channel/subscriber_remove`.
pub(super) async fn remove(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: ChannelBody = read(&body)?;
    let (group, remove) = (body.group()?, body.subscribers()?);
    match api.tell(Command::ChangeMembers { group, add: Vec::new(), remove }).await {
        Err(failure) if failure.is(Reject::UnknownGroup) => ok(),
        done => done.and_then(|()| ok()),
    }
}

/// `POST /channel/subscriber_remove_all`.
pub(super) async fn remove_all(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: ChannelBody = read(&body)?;
    leave_all(&api, body.group()?).await?;
    ok()
}

#[derive(Deserialize)]
struct UidsBody {
    channel_id: String,
    #[serde(default)]
    channel_type: u8,
    uids: Vec<String>,
}

/// `POST /tmpchannel/subscriber_set`: a channel of type 8.
pub(super) async fn set_temporary(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let body: UidsBody = read(&body)?;
    let uids = body.uids.iter().map(|uid| Uid::parse(uid)).collect::<Result<_, _>>()?;
    join(&api, &Channel::new(body.channel_id, 8).group()?, uids, true).await?;
    ok()
}

/// `POST /channel/blacklist_add`: for a person, whom they want nothing from.
pub(super) async fn blacklist_add(State(api): State<WukongApi>, body: Bytes) -> Answer {
    block(&api, &body, ContactAction::Block).await
}

/// `POST /channel/blacklist_remove`.
pub(super) async fn blacklist_remove(State(api): State<WukongApi>, body: Bytes) -> Answer {
    block(&api, &body, ContactAction::Unblock).await
}

async fn block(api: &WukongApi, body: &Bytes, action: ContactAction) -> Answer {
    let body: UidsBody = read(body)?;
    if body.channel_type != PERSON {
        return Err(Failure::bad(
            "blacklists of groups are not offered; remove the subscriber instead",
        ));
    }
    let uid = Uid::parse(&body.channel_id)?;
    for other in &body.uids {
        let (uid, other) = (uid.clone(), Uid::parse(other)?);
        api.tell(Command::ContactAs { uid, other, action }).await?;
    }
    ok()
}

/// Has these people in the group, and nobody else if it is a `reset`. A group that is not there yet
/// is made; it belongs to the system's account, because WuKongIM's channels belong to nobody.
async fn join(
    api: &WukongApi,
    group: &GroupId,
    subscribers: Vec<Uid>,
    reset: bool,
) -> Result<(), Failure> {
    let owner = system_uid();
    let there = match members(api, group).await {
        Err(failure) if failure.is(Reject::UnknownGroup) => {
            let (group, name) = (group.clone(), String::new());
            let create = Command::CreateGroup { group, name, owner, members: subscribers };
            return api.tell(create).await;
        }
        there => there?,
    };
    let add: Vec<Uid> = subscribers.iter().filter(|uid| !there.contains(uid)).cloned().collect();
    let is_left_out = |uid: &&Uid| reset && **uid != owner && !subscribers.contains(uid);
    let remove: Vec<Uid> = there.iter().filter(is_left_out).cloned().collect();
    if add.is_empty() && remove.is_empty() {
        return Ok(());
    }
    api.tell(Command::ChangeMembers { group: group.clone(), add, remove }).await
}

async fn leave_all(api: &WukongApi, group: GroupId) -> Result<(), Failure> {
    let mut remove = match members(api, &group).await {
        Err(failure) if failure.is(Reject::UnknownGroup) => return Ok(()),
        there => there?,
    };
    remove.retain(|uid| *uid != system_uid());
    if remove.is_empty() {
        return Ok(());
    }
    api.tell(Command::ChangeMembers { group, add: Vec::new(), remove }).await
}

/// Everybody in a group.
pub(super) async fn members(api: &WukongApi, group: &GroupId) -> Result<Vec<Uid>, Failure> {
    let mut all: Vec<Uid> = Vec::new();
    let mut since = None;
    loop {
        let command = Command::Members { group: group.clone(), since };
        let Reply::Members(page) = api.call(command).await? else { return Err(unexpected()) };
        if page.members.is_empty() && page.removed.is_empty() {
            return Ok(all);
        }
        all.retain(|uid| !page.removed.contains(uid));
        all.extend(page.members.into_iter().map(|member| member.uid));
        since = Some(page.next);
    }
}

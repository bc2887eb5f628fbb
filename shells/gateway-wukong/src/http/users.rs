//! Users: tokens, who is online, system accounts, app state.

use std::collections::BTreeSet;

use axum::extract::State;
use bytes::Bytes;
use nightjar_model::{AppStateReport, Command, DeviceId, Reject, Secret, Uid};
use serde::Deserialize;
use serde_json::json;

use super::WukongApi;
use super::error::{Answer, Failure, bare, ok, read};
use crate::tokens::{self, MASTER};

/// Where system accounts are kept.
const SYSTEM: &str = "system/";
/// Uids in one request.
const UIDS_MAX: usize = 10_000;

#[derive(Deserialize)]
struct TokenBody {
    uid: String,
    token: String,
    #[serde(default)]
    device_flag: u8,
    #[serde(default)]
    device_level: u8,
}

/// `POST /user/token`: sets what a user's devices of one kind log in with. For a master those that
/// are in have to log in anew.
pub(super) async fn token(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let TokenBody { uid, token, device_flag, device_level } = read(&body)?;
    let uid = Uid::parse(&uid)?;
    if token.is_empty() {
        return Err(Failure::bad("token is empty"));
    }
    let now = api.gateway.handle.clock.now().wall;
    let (kept, token) = (&api.gateway.kept, Secret::new(token));
    tokens::set(kept, (&uid, device_flag), &token, device_level, now).await?;
    if device_level == MASTER {
        let text = "login in other device";
        api.gateway.logins.log_out(&uid, text, |flag, _| flag == device_flag);
    }
    ok()
}

#[derive(Deserialize)]
struct QuitBody {
    uid: String,
    device_flag: i16,
}

/// `POST /user/device_quit`: ends the sessions of a kind of device for good; -1 is all kinds.
pub(super) async fn device_quit(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let QuitBody { uid, device_flag } = read(&body)?;
    let uid = Uid::parse(&uid)?;
    let flags: Vec<u8> = match device_flag {
        -1 => vec![0, 1, 2],
        flag => vec![u8::try_from(flag).map_err(|_| Failure::bad("device_flag is no kind"))?],
    };
    for flag in flags {
        tokens::blank(&api.gateway.kept, &uid, flag).await?;
        api.gateway.sign_out(&uid, flag, "the back end signed this device out").await?;
    }
    ok()
}

/// `POST /user/onlinestatus`: one item a connection.
pub(super) async fn online_status(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let uids = uids(&read::<Vec<String>>(&body)?)?;
    let online = uids.iter().flat_map(|uid| {
        let flags = api.gateway.logins.of(uid).into_iter();
        flags.map(move |flag| json!({"uid": uid.as_str(), "device_flag": flag, "online": 1}))
    });
    bare(online.collect::<Vec<_>>())
}

fn uids(texts: &[String]) -> Result<Vec<Uid>, Failure> {
    if texts.len() > UIDS_MAX {
        return Err(Failure::bad(format!("at most {UIDS_MAX} uids at a time")));
    }
    Ok(texts.iter().map(|text| Uid::parse(text)).collect::<Result<_, _>>()?)
}

#[derive(Deserialize)]
struct UidsBody {
    uids: Vec<String>,
}

/// `POST /user/systemuids_add`.
pub(super) async fn add_system_uids(State(api): State<WukongApi>, body: Bytes) -> Answer {
    for uid in uids(&read::<UidsBody>(&body)?.uids)? {
        api.gateway.kept.put(format!("{SYSTEM}{uid}"), &true).await?;
    }
    ok()
}

/// `POST /user/systemuids_remove`.
pub(super) async fn remove_system_uids(State(api): State<WukongApi>, body: Bytes) -> Answer {
    for uid in uids(&read::<UidsBody>(&body)?.uids)? {
        api.gateway.kept.remove(format!("{SYSTEM}{uid}")).await?;
    }
    ok()
}

/// `GET /user/systemuids`.
pub(super) async fn system_uids(State(api): State<WukongApi>) -> Answer {
    bare(api.gateway.kept.names(SYSTEM).await?)
}

/// Whether the account is one of the system's, which may write anywhere.
pub(super) async fn is_system(api: &WukongApi, uid: &Uid) -> Result<bool, Failure> {
    if *uid == nightjar_wkproto::system_uid() {
        return Ok(true);
    }
    Ok(api.gateway.kept.get::<bool>(&format!("{SYSTEM}{uid}")).await?.is_some())
}

/// Routes that tell a cluster what this server has nothing to do for.
pub(super) async fn done() -> Answer {
    ok()
}

#[derive(Deserialize)]
struct AppStateBody {
    uid: String,
    device_id: Option<String>,
    device_flag: Option<u8>,
    state: String,
}

/// `POST /user/app_state` (ours): `{uid, device_id? or device_flag?, state}` says whether the app is
/// on the screen, which the protocol cannot.
pub(super) async fn app_state(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let AppStateBody { uid, device_id, device_flag, state } = read(&body)?;
    let uid = Uid::parse(&uid)?;
    let state = match state.as_str() {
        "foreground" => AppStateReport::Foreground { conversation: None },
        "background" => AppStateReport::Background { grace_ms: 0 },
        _ => return Err(Failure::bad("state is 'foreground' or 'background'")),
    };
    let device_ids: BTreeSet<DeviceId> = match device_id {
        Some(id) => [DeviceId::parse(&id)?].into(),
        None => api.gateway.logins.devices(&uid, device_flag),
    };
    for device_id in device_ids {
        let (uid, state) = (uid.clone(), state.clone());
        match api.tell(Command::ReportAppState { uid, device_id, state }).await {
            Err(failure) if failure.is(Reject::UnknownDevice) => {}
            done => done?,
        }
    }
    ok()
}

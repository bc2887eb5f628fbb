//! Requests the tests of this crate push.

use nightjar_model::{
    Binding, BindingKey, ConversationId, DeviceId, Environment, MessageId, NotificationId, Secret,
    Uid, WallMs,
};
use nightjar_push::{Alert, PushData, PushRequest};

/// The token the samples go to.
pub(crate) const TOKEN: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90";
/// The message the samples are about.
pub(crate) const MID: &str = "0192f0c1-2b3c-7d4e-8f50-112233445566";

/// When the samples expire: 2100-01-01, in ms, so that a TTL is always capped.
pub(crate) const EXP: WallMs = WallMs(4_102_444_800_999);

fn request(provider: &str) -> PushRequest {
    let mid = MessageId::parse(MID).unwrap();
    let (alice, bob) = (Uid::parse("alice").unwrap(), Uid::parse("bob").unwrap());
    PushRequest {
        uid: bob.clone(),
        device_id: DeviceId::parse("phone").unwrap(),
        binding: Binding {
            key: BindingKey { provider: provider.into(), credential: "main".into() },
            token: Secret::new(TOKEN.into()),
            locale: None,
            environment: Some(Environment::Production),
            bound_at: WallMs(1),
        },
        alert: None,
        data: PushData {
            mid: Some(mid),
            conv: ConversationId::direct(&alice, &bob),
            seq: 7,
            bv: 12,
            badge: 3,
            exp: EXP,
            nid: Some(NotificationId::message(mid)),
            wd: Vec::new(),
            custom: Some(
                r#"{"thread":"lunch","n":5,"from":"x","aps":{"badge":99},"seq":1}"#.into(),
            ),
        },
        overrides: None,
    }
}

/// A message that shows something, with keys of the sender that try to take ours.
pub(crate) fn alert(provider: &str) -> PushRequest {
    let alert = Alert { title: "Alice".into(), body: "Lunch?".into(), sound: None };
    PushRequest { alert: Some(alert), ..request(provider) }
}

/// The same message taken back.
pub(crate) fn withdrawal(provider: &str) -> PushRequest {
    let mut request = request(provider);
    request.data.wd = vec![NotificationId::message(MessageId::parse(MID).unwrap())];
    request.data.mid = None;
    request.data.nid = None;
    request.data.custom = None;
    request
}

/// The same alert for another token.
pub(crate) fn alert_to(provider: &str, token: &str) -> PushRequest {
    let mut request = alert(provider);
    request.binding.token = Secret::new(token.into());
    request
}

//! One case for the tests of this crate.

use std::sync::Arc;

use nightjar_model::{
    AppState, Binding, BindingKey, ClientMsgId, ConversationId, ConversationKind, DeviceId,
    DueReason, Entry, EntryKind, MessageId, Mono, PushPolicy, PushSettings, PushSpec, Secret, Uid,
    WallMs,
};

use crate::attempts::Choice;
use crate::case::{Elsewhere, PushCase};

pub(crate) fn binding() -> Binding {
    Binding {
        key: BindingKey { provider: "apns".into(), credential: "main".into() },
        token: Secret::new("aabb".into()),
        locale: None,
        environment: None,
        bound_at: WallMs(0),
    }
}

pub(crate) fn case() -> PushCase {
    let (alice, bob) = (Uid::parse("alice").unwrap(), Uid::parse("bob").unwrap());
    let entry = Entry {
        conversation: ConversationId::direct(&alice, &bob),
        seq: 3,
        message_id: MessageId::new(WallMs(1_000), &[7; 10]),
        from: alice,
        client_msg_id: ClientMsgId::parse("c1").unwrap(),
        at: WallMs(1_000),
        kind: EntryKind::Message,
        ordinal: 3,
        own_ordinal: 3,
        content: r#"{"type":"text","text":"hello"}"#.into(),
        sealed: false,
        recalled: false,
        push: None,
        expires_at: None,
    };
    PushCase {
        entry: Arc::new(entry),
        kind: ConversationKind::Direct,
        settings: PushSettings::unset(),
        policy: PushPolicy::default(),
        template: None,
        sender_name: Some("Alice".into()),
        group_name: None,
        uid: bob,
        device_id: DeviceId::parse("phone").unwrap(),
        app_state: AppState::Offline,
        due: DueReason::Offline,
        is_member: true,
        blocked: false,
        signed_out: false,
        unread_wait_ms: None,
        surfaced: false,
        read: false,
        is_filtered: false,
        is_primary: true,
        elsewhere: Elsewhere::default(),
        held_until: None,
        bindings: vec![binding()],
        barred: None,
        choice: Choice::Binding { at: 0, not_before: Mono(0), is_late: false },
        unseen: 1,
        is_shared: None,
        badge: 4,
        bv: 17,
        withdraw: Vec::new(),
    }
}

pub(crate) fn entry(case: &mut PushCase) -> &mut Entry {
    Arc::get_mut(&mut case.entry).unwrap()
}

pub(crate) fn settings(case: &mut PushCase) -> &mut PushSettings {
    Arc::make_mut(&mut case.settings)
}

/// What the sender asks, with this changed.
pub(crate) fn asks(case: &mut PushCase, change: impl FnOnce(&mut PushSpec)) {
    let push = entry(case).push.get_or_insert_default();
    change(push);
}

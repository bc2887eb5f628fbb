//! What `tests/data/format-1` holds: rows of every table, as they were when it was written.

use nightjar_domain::{
    AmendedRow, BindingRow, ContactRow, ContactsHead, ConversationRow, CursorRow, DeviceRow,
    EventCursorRow, EventRow, KeptRow, MemberRow, MessageRow, NoteRow, OutcomeRow, OwnRow,
    PasswordRow, PlaceRow, ProfileChangeRow, PushSettingsRow, RecalledRow, Row, Said, SentRow,
    TokenRow, TraceRow, UserRow, WorkRow,
};
use nightjar_model::{
    Binding, BindingKey, ClientMsgId, ContactState, ConversationId, ConversationKind,
    ConversationRules, Credential, DeviceId, DevicePolicy, Display, Entry, EntryKind, Environment,
    Lane, Mentions, MessageId, PasswordKeys, Platform, PushChoice, PushFilter, PushSettings,
    PushSpec, PushTemplate, QuietHours, QuietInterval, ReminderMode, ScramKeys, Secret, Seq,
    Statistic, Step, TemplateUse, Uid, WallMs, Webhook,
};

fn group() -> ConversationId {
    ConversationId::parse("g:team").unwrap()
}

fn alice() -> Uid {
    Uid::parse("alice").unwrap()
}

fn bob() -> Uid {
    Uid::parse("bob").unwrap()
}

fn phone() -> DeviceId {
    DeviceId::parse("phone").unwrap()
}

fn message_id(seq: Seq) -> MessageId {
    MessageId::new(WallMs(1_700_000_000_000 + seq), &[7; 10])
}

/// In the order of keys.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = conversation();
    rows.extend(user());
    rows
}

fn entry(seq: Seq, kind: EntryKind, content: &[u8]) -> Entry {
    Entry {
        conversation: group(),
        seq,
        message_id: message_id(seq),
        from: alice(),
        client_msg_id: ClientMsgId::parse("c 1").unwrap(),
        at: WallMs(1_700_000_000_000 + seq),
        kind,
        ordinal: 1,
        own_ordinal: 1,
        content: content.to_vec().into(),
        sealed: false,
        recalled: false,
        push: None,
        expires_at: None,
    }
}

fn conversation() -> Vec<Row> {
    let push = PushSpec {
        title: Some("Title".into()),
        body: None,
        sound: Some("ping".into()),
        silent: false,
        mentions: Mentions::Users(vec![bob()]),
        data: Some("{\"k\":1}".into()),
        force: true,
        template: Some(TemplateUse {
            name: "news".into(),
            title_args: vec!["a".into()],
            body_args: vec![],
        }),
        filter: Some(PushFilter {
            ignore_devices: vec![phone()],
            accept_credentials: vec!["main".into()],
            ..PushFilter::default()
        }),
        providers: Some("{\"apns\":{}}".into()),
    };
    vec![
        Row::Conversation(ConversationRow {
            conversation: group(),
            kind: ConversationKind::Group,
            name: Some("Team".into()),
            owner: Some(alice()),
            head: 3,
            floor: 0,
            ordinal: 1,
            last_at: WallMs(1_700_000_000_003),
        }),
        Row::Member(MemberRow {
            conversation: group(),
            uid: bob(),
            is_owner: false,
            joined: 1,
            joined_ordinal: 0,
            left: Some(3),
            changed: 3,
        }),
        Row::Entry(Entry {
            push: Some(Box::new(push)),
            expires_at: Some(WallMs(1_800_000_000_000)),
            ..entry(
                1,
                EntryKind::Message,
                "{ \"type\":\"text\", \"body\":\"caf\u{e9}\\n\" }".as_bytes(),
            )
        }),
        Row::Entry(entry(2, EntryKind::Recall { target: 1 }, b"")),
        Row::Entry(Entry {
            sealed: true,
            recalled: true,
            ..entry(3, EntryKind::Members, &[0, 0xff, 0xfe])
        }),
        Row::Sent(SentRow {
            uid: alice(),
            client_msg_id: ClientMsgId::parse("c 1").unwrap(),
            conversation: group(),
            seq: 1,
            message_id: message_id(1),
            at: WallMs(1_700_000_000_001),
        }),
        Row::Message(MessageRow { message_id: message_id(1), conversation: group(), seq: 1 }),
        Row::Own(OwnRow { conversation: group(), uid: alice(), seq: 1, own_ordinal: 1 }),
        Row::Recalled(RecalledRow { conversation: group(), seq: 1, from: alice() }),
        Row::Amended(AmendedRow { conversation: group(), seq: 1, uid: bob(), count: 2 }),
        Row::Work(WorkRow { lane: Lane(200), conversation: group(), from: 1, head: 3 }),
    ]
}

fn user() -> Vec<Row> {
    vec![
        Row::Note(NoteRow { from: bob(), to: None }),
        Row::Note(NoteRow { from: bob(), to: Some((alice(), Said::Requested)) }),
        Row::User(UserRow {
            uid: bob(),
            name: Some("Bob".into()),
            avatar: None,
            profile_version: 1,
            tokens_born: WallMs(6),
            contacts: ContactsHead {
                version: 10,
                floor: 4,
                rows: 1,
                removed: 0,
                asked: 1,
                blocked: [alice()].into(),
            },
            counter_ceiling: 2048,
            tokens_valid_from: WallMs(5),
        }),
        Row::Password(PasswordRow {
            uid: bob(),
            keys: PasswordKeys { sha1: Some(keys(20)), sha256: Some(keys(32)) },
        }),
        Row::Device(DeviceRow {
            uid: bob(),
            device_id: phone(),
            platform: Some(Platform::Ios),
            created_at: WallMs(1),
            seen_at: WallMs(2),
            session: "s".into(),
            resume_hash: vec![1, 2, 3],
            signed_out: false,
            tokens_valid_from: WallMs(3),
            push_if_unread_after_s: None,
        }),
        Row::Binding(BindingRow {
            uid: bob(),
            device_id: phone(),
            binding: Binding {
                key: BindingKey { provider: "apns".into(), credential: "main".into() },
                token: Secret::new("0a1b".into()),
                locale: Some("de-CH".into()),
                environment: Some(Environment::Sandbox),
                bound_at: WallMs(4),
            },
        }),
        Row::Token(TokenRow {
            provider: "apns".into(),
            credential: "main".into(),
            token: Secret::new("0a1b".into()),
            uid: bob(),
            device_id: phone(),
        }),
        Row::Cursor(CursorRow {
            uid: bob(),
            device_id: phone(),
            conversation: group(),
            stored: 3,
            surfaced: 2,
            settled: 1,
            showing: vec![(1, 1), (3, 3)],
            showing_shared: true,
            held: Some((3, WallMs(1_700_000_000_009))),
        }),
        Row::Place(PlaceRow {
            uid: bob(),
            conversation: group(),
            joined: 0,
            left: Some(3),
            read: 1,
            read_ordinal: 1,
            read_own: 0,
            version: 9,
            version_head: 3,
            offline_said: 1,
            is_owner: false,
            listed: 8,
        }),
        Row::Contact(ContactRow {
            uid: bob(),
            other: alice(),
            state: ContactState::Asked,
            version: 10,
            at: WallMs(1_700_000_000_001),
        }),
        Row::ProfileChange(ProfileChangeRow {
            uid: bob(),
            other: alice(),
            version: 7,
            at: WallMs(1_700_000_000_000),
        }),
        Row::Trace(TraceRow {
            uid: Some(bob()),
            conversation: group(),
            at: WallMs(1_700_000_000_002),
            n: 1,
            device_id: Some(phone()),
            from: 1,
            to: 3,
            step: Step::Decided,
            reason: Some("push".into()),
            detail: None,
        }),
        Row::Event(EventRow { number: 1, json: "{\"event\":\"message.offline\"}".into() }),
        Row::EventCursor(EventCursorRow { receiver: "default".into(), number: 1 }),
        Row::PushSettings(PushSettingsRow { uid: bob(), settings: settings() }),
        Row::PushPolicy(PushChoice {
            devices: Some(DevicePolicy::AllOffline),
            storm: None,
            display: Some(Display::Sender),
        }),
        Row::PushTemplate(PushTemplate {
            name: "news".into(),
            locale: Some("de".into()),
            title: "{$from_name}".into(),
            body: "{0}".into(),
        }),
        Row::Outcome(OutcomeRow { number: 7, json: "{\"outcome\":\"delivered\"}".into() }),
        Row::Credential(Credential {
            key: main_fcm(),
            enabled: false,
            options: Some(Secret::new("{\"service_account_file\":\"a.json\"}".into())),
            changed_at: WallMs(1_700_000_000_020),
        }),
        Row::Webhook(Webhook {
            id: "audit".into(),
            url: "https://example.com/hook".into(),
            secret: Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()),
            types: vec!["push.outcome".into()],
            enabled: true,
            allow_private: false,
            changed_at: WallMs(1_700_000_000_021),
        }),
        Row::Statistic(Statistic {
            day: 19_675,
            key: main_fcm(),
            accepted: 5,
            failed: vec![("UNREGISTERED".into(), 1)],
            arrived: 3,
            clicked: 2,
        }),
        Row::Kept(KeptRow {
            gateway: "wukong".into(),
            key: "token/bob".into(),
            json: Secret::new("{}".into()),
        }),
    ]
}

fn main_fcm() -> BindingKey {
    BindingKey { provider: "fcm".into(), credential: "main".into() }
}

fn keys(bytes: usize) -> ScramKeys {
    ScramKeys {
        salt: vec![1; 16],
        iterations: 10_000,
        stored_key: Secret::new(vec![2; bytes]),
        server_key: Secret::new(vec![3; bytes]),
    }
}

fn settings() -> PushSettings {
    let interval = QuietInterval { start_min: 1_320, end_min: 420, weekdays: 31 };
    let quiet_hours = QuietHours { time_zone: "Asia/Shanghai".into(), intervals: vec![interval] };
    let rules = ConversationRules {
        mode: Some(ReminderMode::At),
        muted_until: Some(WallMs(1_700_000_000_010)),
        quiet_hours: Some(quiet_hours.clone()),
    };
    PushSettings {
        mode: Some(ReminderMode::All),
        muted_until: Some(WallMs(1_700_000_000_011)),
        quiet_hours: Some(quiet_hours),
        display: Some(Display::Preview),
        language: Some("zh".into()),
        policy: Some(DevicePolicy::DelayIfActive { delay_s: 10 }),
        primary_device: Some(phone()),
        nickname: Some("Bobby".into()),
        template: Some("plain".into()),
        blocked: [alice()].into(),
        push_if_unread_after_s: Some(30),
        conversations: [(group(), rules)].into(),
    }
}

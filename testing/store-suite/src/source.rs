//! Rows, names and ranges from a seed: few enough to meet again, and with the ids that are most
//! likely to be mixed up.

use nightjar_domain::{
    AmendedRow, BindingRow, Commit, ContactRow, ContactsHead, ConversationRow, CursorRow,
    DeviceRow, Durability, EventCursorRow, EventRow, KeptRow, Key, MemberRow, MessageRow, NoteRow,
    OutcomeRow, OwnRow, PasswordRow, PlaceRow, ProfileChangeRow, PushSettingsRow, RecalledRow, Row,
    Said, Scan, SentRow, TokenRow, TraceRow, UserRow, WorkRow, Write,
};
use nightjar_model::{
    Binding, BindingKey, ClientMsgId, ContactState, Content, ConversationId, ConversationKind,
    ConversationRules, Credential, DeviceId, DevicePolicy, Display, EVERY_DAY, Entry, EntryKind,
    Environment, Lane, Mentions, MessageId, PasswordKeys, Platform, PushChoice, PushFilter,
    PushSettings, PushSpec, PushTemplate, QuietHours, QuietInterval, ReminderMode, ScramKeys,
    Secret, Seq, Statistic, Step, TemplateUse, Uid, WallMs, Webhook,
};

/// Tables there are.
const TABLES: u8 = 29;
/// Numbers at the edges of their bytes; the small ones come most often.
const EDGES: [u64; 10] =
    [255, 256, 257, 65_535, 65_536, 1 << 32, (1 << 56) - 1, 1 << 63, u64::MAX - 1, u64::MAX];
/// Text that no id may be but a provider, a credential, a token or a receiver might.
const TEXTS: [&str; 9] = ["", "a", "a\0", "a\0\0", "a\u{1}", "a\u{1}\u{2}", "a\u{2}", "ab", "b"];

/// Makes things at random, the same for the same seed.
#[derive(Debug, Clone)]
pub struct Source(fastrand::Rng);

impl Source {
    /// A source of its own for this seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *self.0.choice(from).expect("there is something to choose from")
    }

    fn uid(&mut self) -> Uid {
        let text = self.pick(&["!", "a", "a!", "ab", "b", "\u{e9}", "\u{10fffd}"]);
        Uid::parse(text).expect("a uid")
    }

    fn device(&mut self) -> DeviceId {
        DeviceId::parse(self.pick(&["!", "1", "1/", "10", "2"])).expect("a device id")
    }

    fn conversation(&mut self) -> ConversationId {
        let text = self.pick(&["!", "d:a:b", "d:a:bb", "g:a", "g:a!", "g:ab"]);
        ConversationId::parse(text).expect("a conversation id")
    }

    fn client_msg_id(&mut self) -> ClientMsgId {
        ClientMsgId::parse(self.pick(&[" ", "x", "x ", "xy"])).expect("a client_msg_id")
    }

    fn message_id(&mut self) -> MessageId {
        MessageId::from_bytes([self.0.u8(..4); 16])
    }

    fn text(&mut self) -> String {
        self.pick(&TEXTS).to_owned()
    }

    fn number(&mut self) -> u64 {
        if self.0.u8(..8) == 0 { self.pick(&EDGES) } else { self.0.u64(..12) }
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.0.bool().then(|| make(self))
    }

    fn limit(&mut self) -> usize {
        self.pick(&[0, 1, 2, 5, usize::MAX])
    }

    /// Bytes of any length that fits a test, text or not.
    fn content(&mut self) -> Content {
        let length = if self.0.u8(..16) == 0 { 20_000 } else { self.0.usize(..300) };
        if self.0.bool() {
            std::iter::repeat_with(|| self.0.u8(..)).take(length).collect::<Vec<u8>>().into()
        } else {
            let body: String =
                std::iter::repeat_with(|| self.0.alphanumeric()).take(length).collect();
            format!("{{\"type\":\"text\",\"body\":\"{body}\\n\"}}").into()
        }
    }

    /// A row of any table.
    pub fn row(&mut self) -> Row {
        match self.0.u8(..TABLES) {
            0 => Row::Conversation(self.conversation_row()),
            1 => Row::Member(self.member()),
            2 | 3 => Row::Entry(self.entry()),
            4 => Row::Sent(self.sent()),
            5 => Row::Message(MessageRow {
                message_id: self.message_id(),
                conversation: self.conversation(),
                seq: self.number(),
            }),
            6 => Row::Own(OwnRow {
                conversation: self.conversation(),
                uid: self.uid(),
                seq: self.number(),
                own_ordinal: self.number(),
            }),
            7 if self.0.bool() => Row::Amended(AmendedRow {
                conversation: self.conversation(),
                seq: self.number(),
                uid: self.uid(),
                count: self.0.u32(..),
            }),
            7 => Row::Recalled(RecalledRow {
                conversation: self.conversation(),
                seq: self.number(),
                from: self.uid(),
            }),
            8 => Row::Work(WorkRow {
                lane: Lane(self.pick(&[0, 1, 254, 255])),
                conversation: self.conversation(),
                from: self.number(),
                head: self.number(),
            }),
            9 => Row::User(self.user()),
            10 => Row::Device(self.device_row()),
            11 => Row::Binding(self.binding()),
            12 => Row::Token(TokenRow {
                provider: self.text(),
                credential: self.text(),
                token: Secret::new(self.text()),
                uid: self.uid(),
                device_id: self.device(),
            }),
            13 => Row::Cursor(self.cursor()),
            14 => Row::Place(self.place()),
            15 => Row::Trace(self.trace()),
            16 if self.0.bool() => Row::Contact(self.contact()),
            16 => Row::ProfileChange(ProfileChangeRow {
                uid: self.uid(),
                other: self.uid(),
                version: self.number(),
                at: WallMs(self.number()),
            }),
            17 => Row::Note(self.note()),
            table => self.later_row(table),
        }
    }

    fn later_row(&mut self, table: u8) -> Row {
        match table {
            18 => Row::Event(EventRow { number: self.number(), json: self.text() }),
            19 => Row::PushSettings(PushSettingsRow {
                uid: self.uid(),
                settings: self.push_settings(),
            }),
            20 => Row::PushPolicy(PushChoice {
                devices: self.maybe(Self::device_policy),
                storm: self.maybe(|source| source.0.bool()),
                display: self.maybe(|source| source.pick(&Display::ALL)),
            }),
            21 => Row::PushTemplate(PushTemplate {
                name: self.text(),
                locale: self.maybe(Self::text),
                title: self.text(),
                body: self.text(),
            }),
            27 => Row::Password(PasswordRow {
                uid: self.uid(),
                keys: PasswordKeys {
                    sha1: self.maybe(Self::scram_keys),
                    sha256: self.maybe(Self::scram_keys),
                },
            }),
            22 => Row::Outcome(OutcomeRow { number: self.number(), json: self.text() }),
            23 => Row::Credential(Credential {
                key: self.binding_key(),
                enabled: self.0.bool(),
                options: self.maybe(|source| Secret::new(source.text())),
                changed_at: WallMs(self.number()),
            }),
            24 => Row::Webhook(Webhook {
                id: self.text(),
                url: self.text(),
                secret: Secret::new(self.text()),
                types: vec![self.text()],
                enabled: self.0.bool(),
                allow_private: self.0.bool(),
                changed_at: WallMs(self.number()),
            }),
            25 => Row::Statistic(Statistic {
                day: self.pick(&[0, 1, 20_000, u32::MAX]),
                key: self.binding_key(),
                accepted: self.number(),
                failed: vec![(self.text(), self.number())],
                arrived: self.number(),
                clicked: self.number(),
            }),
            26 => Row::Kept(KeptRow {
                gateway: self.text(),
                key: self.text(),
                json: Secret::new(self.text()),
            }),
            _ => Row::EventCursor(EventCursorRow { receiver: self.text(), number: self.number() }),
        }
    }

    fn binding_key(&mut self) -> BindingKey {
        BindingKey { provider: self.text(), credential: self.text() }
    }

    fn scram_keys(&mut self) -> ScramKeys {
        let mut bytes = || self.text().into_bytes();
        ScramKeys {
            salt: bytes(),
            stored_key: Secret::new(bytes()),
            server_key: Secret::new(bytes()),
            iterations: self.0.u32(..),
        }
    }

    fn conversation_row(&mut self) -> ConversationRow {
        ConversationRow {
            conversation: self.conversation(),
            kind: self.pick(&[
                ConversationKind::Direct,
                ConversationKind::Group,
                ConversationKind::Room,
            ]),
            name: self.maybe(Self::text),
            owner: self.maybe(Self::uid),
            head: self.number(),
            floor: self.number(),
            ordinal: self.number(),
            last_at: WallMs(self.number()),
        }
    }

    fn member(&mut self) -> MemberRow {
        MemberRow {
            conversation: self.conversation(),
            uid: self.uid(),
            is_owner: self.0.bool(),
            joined: self.number(),
            joined_ordinal: self.number(),
            left: self.maybe(Self::number),
            changed: self.number(),
        }
    }

    fn contact(&mut self) -> ContactRow {
        ContactRow {
            uid: self.uid(),
            other: self.uid(),
            state: self.pick(&ContactState::ALL),
            version: self.number(),
            at: WallMs(self.number()),
        }
    }

    fn note(&mut self) -> NoteRow {
        let from = self.uid();
        NoteRow { from, to: self.maybe(|source| (source.uid(), source.pick(&Said::ALL))) }
    }

    fn entry(&mut self) -> Entry {
        let kind = match self.0.u8(..5) {
            0 => EntryKind::Message,
            1 => EntryKind::Recall { target: self.number() },
            2 => EntryKind::Edit { target: self.number() },
            3 => EntryKind::Reaction { target: self.number() },
            _ => EntryKind::Members,
        };
        Entry {
            conversation: self.conversation(),
            seq: self.number(),
            message_id: self.message_id(),
            from: self.uid(),
            client_msg_id: self.client_msg_id(),
            at: WallMs(self.number()),
            kind,
            ordinal: self.number(),
            own_ordinal: self.number(),
            content: self.content(),
            sealed: self.0.bool(),
            recalled: self.0.bool(),
            push: self.maybe(|source| Box::new(source.push())),
            expires_at: self.maybe(|source| WallMs(source.number())),
        }
    }

    fn push(&mut self) -> PushSpec {
        PushSpec {
            title: self.maybe(Self::text),
            body: self.maybe(Self::text),
            sound: self.maybe(Self::text),
            silent: self.0.bool(),
            mentions: match self.0.u8(..3) {
                0 => Mentions::Nobody,
                1 => Mentions::Users(vec![self.uid(), self.uid()]),
                _ => Mentions::All,
            },
            data: self.maybe(Self::text),
            force: self.0.bool(),
            template: self.maybe(|source| TemplateUse {
                name: source.text(),
                title_args: vec![source.text()],
                body_args: Vec::new(),
            }),
            filter: self.maybe(|source| PushFilter {
                accept_devices: vec![source.device()],
                ignore_credentials: vec![source.text()],
                ..PushFilter::default()
            }),
            providers: self.maybe(Self::text),
        }
    }

    fn device_policy(&mut self) -> DevicePolicy {
        let delay_s = self.0.u32(..9);
        self.pick(&[
            DevicePolicy::AnyNotVisible,
            DevicePolicy::AllOffline,
            DevicePolicy::DelayIfActive { delay_s },
            DevicePolicy::PrimaryOnly,
        ])
    }

    fn quiet_hours(&mut self) -> QuietHours {
        let interval = QuietInterval {
            start_min: self.0.u16(..1440),
            end_min: self.0.u16(..1440),
            weekdays: EVERY_DAY,
        };
        QuietHours { time_zone: self.text(), intervals: vec![interval; self.0.usize(..3)] }
    }

    fn rules(&mut self) -> ConversationRules {
        ConversationRules {
            mode: self.maybe(|source| source.pick(&ReminderMode::ALL)),
            muted_until: self.maybe(|source| WallMs(source.number())),
            quiet_hours: self.maybe(Self::quiet_hours),
        }
    }

    fn push_settings(&mut self) -> PushSettings {
        let own = self.rules();
        PushSettings {
            mode: own.mode,
            muted_until: own.muted_until,
            quiet_hours: own.quiet_hours,
            display: self.maybe(|source| source.pick(&Display::ALL)),
            language: self.maybe(Self::text),
            policy: self.maybe(Self::device_policy),
            primary_device: self.maybe(Self::device),
            nickname: self.maybe(Self::text),
            template: self.maybe(Self::text),
            blocked: (0..self.0.usize(..3)).map(|_| self.uid()).collect(),
            push_if_unread_after_s: self.maybe(|source| source.0.u32(..)),
            conversations: (0..self.0.usize(..3))
                .map(|_| (self.conversation(), self.rules()))
                .collect(),
        }
    }

    fn sent(&mut self) -> SentRow {
        SentRow {
            uid: self.uid(),
            client_msg_id: self.client_msg_id(),
            conversation: self.conversation(),
            seq: self.number(),
            message_id: self.message_id(),
            at: WallMs(self.number()),
        }
    }

    fn user(&mut self) -> UserRow {
        UserRow {
            uid: self.uid(),
            name: self.maybe(Self::text),
            avatar: self.maybe(Self::text),
            profile_version: self.number(),
            tokens_born: WallMs(self.number()),
            contacts: ContactsHead {
                version: self.number(),
                floor: self.number(),
                rows: self.0.u32(..),
                removed: self.0.u32(..),
                asked: self.0.u32(..),
                blocked: (0..self.0.u8(..3)).map(|_| self.uid()).collect(),
            },
            counter_ceiling: self.number(),
            tokens_valid_from: WallMs(self.number()),
        }
    }

    fn device_row(&mut self) -> DeviceRow {
        DeviceRow {
            uid: self.uid(),
            device_id: self.device(),
            platform: self.maybe(|source| source.pick(&[Platform::Ios, Platform::Android])),
            created_at: WallMs(self.number()),
            seen_at: WallMs(self.number()),
            session: self.text(),
            resume_hash: self.text().into_bytes(),
            signed_out: self.0.bool(),
            tokens_valid_from: WallMs(self.number()),
            push_if_unread_after_s: self.maybe(|source| source.0.u32(..)),
        }
    }

    fn binding(&mut self) -> BindingRow {
        BindingRow {
            uid: self.uid(),
            device_id: self.device(),
            binding: Binding {
                key: self.binding_key(),
                token: Secret::new(self.text()),
                locale: self.maybe(Self::text),
                environment: self
                    .maybe(|source| source.pick(&[Environment::Production, Environment::Sandbox])),
                bound_at: WallMs(self.number()),
            },
        }
    }

    fn cursor(&mut self) -> CursorRow {
        CursorRow {
            uid: self.uid(),
            device_id: self.device(),
            conversation: self.conversation(),
            stored: self.number(),
            surfaced: self.number(),
            settled: self.number(),
            showing: vec![(self.number(), self.number()); self.0.usize(..3)],
            showing_shared: self.0.bool(),
            held: self.maybe(|source| (source.number(), WallMs(source.number()))),
        }
    }

    fn place(&mut self) -> PlaceRow {
        PlaceRow {
            uid: self.uid(),
            conversation: self.conversation(),
            joined: self.number(),
            left: self.maybe(Self::number),
            read: self.number(),
            read_ordinal: self.number(),
            read_own: self.number(),
            version: self.number(),
            version_head: self.number(),
            offline_said: self.number(),
            is_owner: self.0.bool(),
            listed: self.number(),
        }
    }

    fn trace(&mut self) -> TraceRow {
        TraceRow {
            uid: self.maybe(Self::uid),
            conversation: self.conversation(),
            at: WallMs(self.number()),
            n: self.number(),
            device_id: self.maybe(Self::device),
            from: self.number(),
            to: self.number(),
            step: self.pick(&[Step::Accepted, Step::Decided, Step::Clicked]),
            reason: self.maybe(Self::text),
            detail: self.maybe(Self::text),
        }
    }

    /// The name of a row that may or may not be.
    pub fn key(&mut self) -> Key {
        self.row().key()
    }

    /// A range of any kind.
    pub fn scan(&mut self) -> Scan {
        match self.0.u8(..22) {
            0 => {
                let (after, before): (Seq, Seq) = (self.number(), self.number());
                Scan::Entries {
                    conversation: self.conversation(),
                    after,
                    before,
                    limit: self.limit(),
                    newest: self.0.bool(),
                }
            }
            1 => Scan::Members(self.conversation()),
            2 => Scan::LastOwn(self.conversation(), self.uid(), self.number()),
            3 => Scan::RecalledAbove(self.conversation(), self.number()),
            4 => Scan::Work,
            5 => Scan::Devices(self.uid()),
            6 => Scan::Bindings(self.uid()),
            7 => Scan::Cursors(self.uid()),
            8 => Scan::Places(self.uid()),
            9 => Scan::Trace {
                uid: self.maybe(Self::uid),
                conversation: self.conversation(),
                from: WallMs(self.number()),
                limit: self.limit(),
            },
            10 => Scan::Contacts(self.uid()),
            11 => Scan::ProfileChanges(self.uid()),
            12 => Scan::Notes,
            13 => Scan::Events { after: self.number(), limit: self.limit() },
            14 => Scan::PushTemplates,
            15 => Scan::Outcomes { after: self.number(), limit: self.limit() },
            16 => Scan::LastOutcome,
            17 => Scan::Credentials,
            18 => Scan::Webhooks,
            19 => Scan::Statistics { from: self.pick(&[0, 1, 20_001]), limit: self.limit() },
            20 => Scan::Kept { gateway: self.text(), from: self.text(), limit: self.limit() },
            _ => Scan::LastEvent,
        }
    }

    /// A commit of a few puts and deletes.
    pub fn commit(&mut self) -> Commit {
        let writes = (0..self.0.usize(1..12)).map(|_| self.write()).collect();
        let durability = self.pick(&[Durability::Process, Durability::Power]);
        Commit { writes, durability }
    }

    fn write(&mut self) -> Write {
        if self.0.u8(..4) == 0 { Write::Delete(self.key()) } else { Write::Put(self.row()) }
    }
}

//! Ids, lanes, secrets and entries from outside: what stored rows and clients rely on.

use nightjar_model::{
    ClientMsgId, ConversationId, ConversationKind, DeviceId, Entry, EntryKind, GroupId, IdError,
    Lane, MessageId, NotificationId, Secret, Uid, WallMs, limits,
};
use proptest::prelude::*;

#[test]
fn lanes_never_change_because_stored_rows_depend_on_them() {
    let of = |name: &str| Lane::of_user(&Uid::parse(name).unwrap()).0;
    let lanes = ["alice", "bob", "carol", "日本", "user1", "user2"].map(of);
    assert_eq!(lanes, LANES);
    let chat = ConversationId::parse("d:alice:bob").unwrap();
    assert_eq!(Lane::of_conversation(&chat), Lane(LANE_OF_CHAT));
}

// FNV-1a, 64 bit, of the text, with the upper half laid over the lower one three times.
const LANES: [u8; 6] = [177, 23, 95, 110, 201, 232];
const LANE_OF_CHAT: u8 = 156;

#[test]
fn message_ids_are_ordered_by_time_and_say_which_version_they_are() {
    let early = MessageId::new(WallMs(1_790_000_000_000), &[0xff; 10]);
    let late = MessageId::new(WallMs(1_790_000_000_001), &[0; 10]);
    assert!(early < late && early.to_string() < late.to_string());
    assert_eq!(early.to_string(), "01a0c450-6c00-7fff-bfff-ffffffffffff");
    assert_eq!(MessageId::parse(&early.to_string()), Ok(early));
    assert_eq!(MessageId::from_bytes(*early.as_bytes()), early);
    assert_eq!(MessageId::parse("no"), Err(IdError::NotUuid { what: "message_id" }));
}

#[test]
fn a_conversations_id_says_what_it_is_of() {
    let id = |text: &str| ConversationId::parse(text).unwrap();
    let uid = |text: &str| Uid::parse(text).unwrap();
    assert_eq!(id("d:alice:bob").kind(), Some(ConversationKind::Direct));
    assert_eq!(id("d:alice:bob").peers(), Some((uid("alice"), uid("bob"))));
    assert_eq!(id("g:crew").kind(), Some(ConversationKind::Group));
    assert_eq!(id("g:crew").group_id(), Some(GroupId::parse("crew").unwrap()));
    assert_eq!((id("g:crew").peers(), id("d:a:b").group_id()), (None, None));
    for nonsense in ["crew", "x:crew", "d", "dd:alice:bob"] {
        assert_eq!(id(nonsense).kind(), None, "{nonsense}");
        assert_eq!(id(nonsense).peers(), None, "{nonsense}");
    }
    for half in ["d:alice", "d::bob", "d:alice:", "d:alice:bob:carol"] {
        assert_eq!(id(half).peers(), None, "{half}");
    }
    let me = ConversationId::direct(&uid("alice"), &uid("alice"));
    assert_eq!(me.peers(), Some((uid("alice"), uid("alice"))), "notes to oneself");
}

#[test]
fn a_notification_id_leads_to_its_message() {
    let message = MessageId::new(WallMs(9), &[7; 10]);
    let nid = NotificationId::message(message);
    assert_eq!(nid.message_id(), Some(message));
    assert_eq!(NotificationId::parse(nid.as_str()), Ok(nid));
    let shared = NotificationId::conversation(&ConversationId::parse("g:crew").unwrap());
    assert_eq!((shared.as_str(), shared.message_id()), ("c.g:crew", None));
}

#[test]
fn a_secret_never_prints() {
    #[derive(Debug)]
    #[allow(dead_code, reason = "it is printed")]
    struct Keys {
        token: Secret<String>,
    }
    let token = Secret::new("hunter2".to_owned());
    assert_eq!(
        format!("{token} {token:?} {:#?}", Keys { token: token.clone() }).find("hunter"),
        None
    );
    assert_eq!(token.expose(), "hunter2");
}

fn entry(content: &[u8]) -> Entry {
    Entry {
        conversation: ConversationId::parse("g:crew").unwrap(),
        seq: 1,
        message_id: MessageId::new(WallMs(1), &[0; 10]),
        from: Uid::parse("alice").unwrap(),
        client_msg_id: ClientMsgId::parse("c").unwrap(),
        at: WallMs(1),
        kind: EntryKind::Message,
        ordinal: 1,
        own_ordinal: 1,
        content: content.to_vec().into(),
        sealed: false,
        recalled: false,
        push: None,
        expires_at: None,
    }
}

proptest! {
    #[test]
    fn content_comes_back_byte_for_byte_from_bytes_and_from_text(
        content in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            "\\PC{0,40}".prop_map(String::into_bytes),
            Just(br#"{"hex":"00"}"#.to_vec()),
        ]
    ) {
        let entry = entry(&content);
        let text = serde_json::to_string(&entry).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Entry>(&text).unwrap(), &entry);
        let bytes = postcard::to_stdvec(&entry).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<Entry>(&bytes).unwrap(), &entry);
    }

    #[test]
    fn any_text_is_an_id_or_is_told_why_not(text in prop_oneof!["\\PC{0,20}", "[a-z:/@ ]{0,140}"]) {
        let ids = [
            Uid::parse(&text).map(|id| id.to_string()),
            DeviceId::parse(&text).map(|id| id.to_string()),
            GroupId::parse(&text).map(|id| id.to_string()),
            ClientMsgId::parse(&text).map(|id| id.to_string()),
            ConversationId::parse(&text).map(|id| id.to_string()),
        ];
        for id in ids {
            match id {
                Ok(id) => prop_assert_eq!(&id, &text),
                Err(IdError::Empty { .. }) => prop_assert!(text.is_empty()),
                Err(IdError::TooLong { max, .. }) => prop_assert!(text.len() > max),
                Err(IdError::Character { found, .. }) => prop_assert!(text.contains(found)),
                Err(IdError::NotUuid { .. }) => prop_assert!(false, "not a message id"),
            }
        }
    }

    #[test]
    fn two_users_have_one_conversation_that_names_them(a in "[a-z0-9._-]{1,20}", b in "\\PC{1,20}") {
        let (Ok(a), Ok(b)) = (Uid::parse(&a), Uid::parse(&b)) else { return Ok(()) };
        let id = ConversationId::direct(&a, &b);
        prop_assert_eq!(&id, &ConversationId::direct(&b, &a));
        let (low, high) = id.peers().unwrap();
        prop_assert!(low <= high);
        prop_assert!((low == a && high == b) || (low == b && high == a));
        prop_assert_eq!(ConversationId::parse(id.as_str()), Ok(id));
    }
}

#[test]
fn the_longest_uids_still_have_a_conversation() {
    let (a, b) = ("a".repeat(limits::UID_BYTES_MAX), "b".repeat(limits::UID_BYTES_MAX));
    let id = ConversationId::direct(&Uid::parse(&a).unwrap(), &Uid::parse(&b).unwrap());
    assert_eq!(ConversationId::parse(id.as_str()), Ok(id));
}

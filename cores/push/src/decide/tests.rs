use std::sync::Arc;

use nightjar_model::{
    ConversationRules, EVERY_DAY, Mentions, PushSettings, QuietHours, QuietInterval, ReminderMode,
};
use proptest::prelude::*;

use super::*;
use crate::samples::{asks, case, entry, settings};

type Cause = fn(&mut PushCase);

fn rules(case: &mut PushCase) -> &mut ConversationRules {
    let id = case.entry.conversation.clone();
    settings(case).conversations.entry(id).or_default()
}

/// What brings each reason about, in the order they are checked.
const CAUSES: [(SilentReason, Cause); 21] = {
    use SilentReason as Why;
    [
        (Why::Room, |case| case.kind = ConversationKind::Room),
        (Why::OwnMessage, |case| case.uid = case.entry.from.clone()),
        (Why::NotMember, |case| case.is_member = false),
        (Why::Blocked, |case| case.blocked = true),
        (Why::SignedOut, |case| case.signed_out = true),
        (Why::AlreadySurfaced, |case| case.surfaced = true),
        (Why::AlreadyRead, |case| case.read = true),
        (Why::Recalled, |case| entry(case).recalled = true),
        (Why::SenderSilent, |case| asks(case, |push| push.silent = true)),
        (Why::Expired, |case| entry(case).expires_at = Some(WallMs(1))),
        (Why::Filtered, |case| case.is_filtered = true),
        (Why::Muted, |case| settings(case).muted_until = Some(WallMs(u64::MAX))),
        (Why::QuietHours, |case| {
            let whole_day = QuietInterval { start_min: 0, end_min: 0, weekdays: EVERY_DAY };
            settings(case).quiet_hours =
                Some(QuietHours { time_zone: "UTC".into(), intervals: vec![whole_day] });
        }),
        (Why::ModeNone, |case| settings(case).mode = Some(ReminderMode::None)),
        // The conversation's mode stands before the app's: it comes below as a pair of its own.
        (Why::NotMentioned, |case| {
            if settings(case).mode.is_none() {
                settings(case).mode = Some(ReminderMode::At);
            }
        }),
        (Why::NotPrimary, |case| {
            (case.policy.devices, case.is_primary) = (DevicePolicy::PrimaryOnly, false);
        }),
        (Why::SurfacedElsewhere, |case| {
            if case.policy.devices != DevicePolicy::PrimaryOnly {
                case.policy.devices = DevicePolicy::AllOffline;
                case.elsewhere.surfaced = true;
            }
        }),
        (Why::CredentialDisabled, |case| {
            case.choice = Choice::NoBinding;
            case.barred = Some(Why::CredentialDisabled);
        }),
        (Why::UnknownCredential, |case| {
            case.choice = Choice::NoBinding;
            case.barred.get_or_insert(Why::UnknownCredential);
        }),
        (Why::NoBinding, |case| case.choice = Choice::NoBinding),
        // Who has none has none that was refused.
        (Why::IllegalBinding, |case| {
            if case.choice != Choice::NoBinding {
                case.choice = Choice::Refused;
            }
        }),
    ]
};

/// Rules of the receiver that the sender's `force` is above.
const FORCED: [SilentReason; 4] = [
    SilentReason::Muted,
    SilentReason::QuietHours,
    SilentReason::ModeNone,
    SilentReason::NotMentioned,
];

#[test]
fn an_open_debt_with_a_binding_is_pushed() {
    let case = case();
    assert_eq!(
        decide_push(&case, case.entry.at),
        Decision::Push { binding: 0, reason: DueReason::Offline }
    );
}

#[test]
fn every_silence_has_its_reason_and_they_are_checked_in_their_order() {
    for (reason, cause) in CAUSES {
        let mut case = case();
        cause(&mut case);
        assert_eq!(decide_push(&case, case.entry.at), Decision::Silent(reason));
    }
    let decided_elsewhere = [SilentReason::OpenConversation, SilentReason::ProviderReject];
    let all: Vec<_> =
        SilentReason::ALL.iter().filter(|reason| !decided_elsewhere.contains(reason)).collect();
    assert_eq!(all, CAUSES.iter().map(|(reason, _)| reason).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn of_several_reasons_the_first_is_told_and_force_lifts_the_receivers_own(
        chosen in proptest::collection::vec(any::<bool>(), CAUSES.len()),
        force in any::<bool>(),
    ) {
        let mut case = case();
        let chosen: Vec<_> = CAUSES.iter().zip(chosen).filter(|(_, is)| *is).collect();
        for ((_, cause), _) in &chosen {
            cause(&mut case);
        }
        if force {
            asks(&mut case, |push| push.force = true);
        }
        let mut left =
            chosen.iter().map(|((reason, _), _)| *reason).filter(|r| !force || !FORCED.contains(r));
        let expected = match left.next() {
            Some(reason) => Decision::Silent(reason),
            None => Decision::Push { binding: 0, reason: DueReason::Offline },
        };
        prop_assert_eq!(decide_push(&case, case.entry.at), expected);
    }
}

fn word(decision: Decision) -> String {
    match decision {
        Decision::Push { reason, .. } => format!("push ({})", reason.as_str()),
        Decision::Hold { until, reason } => format!("hold until {} ({})", until.0, reason.as_str()),
        Decision::Silent(reason) => format!("silent ({})", reason.as_str()),
    }
}

#[test]
fn modes_of_app_and_conversation_by_what_the_sender_does() {
    let modes = || std::iter::once(None).chain(ReminderMode::ALL.into_iter().map(Some));
    let name = |mode: Option<ReminderMode>| mode.map_or("-", ReminderMode::as_str);
    let mut table = String::new();
    for (app, conversation) in modes().flat_map(|app| modes().map(move |mode| (app, mode))) {
        for (what, sender) in [
            ("plain", (|_| {}) as Cause),
            ("mention", |case| {
                let uid = case.uid.clone();
                asks(case, |push| push.mentions = Mentions::Users(vec![uid]));
            }),
            ("mention all", |case| asks(case, |push| push.mentions = Mentions::All)),
            ("force", |case| asks(case, |push| push.force = true)),
        ] {
            let mut case = case();
            settings(&mut case).mode = app;
            rules(&mut case).mode = conversation;
            sender(&mut case);
            let decision = word(decide_push(&case, case.entry.at));
            let (app, conversation) = (name(app), name(conversation));
            table
                .push_str(&format!("app {app}, conversation {conversation}, {what}: {decision}\n"));
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn policies_by_what_the_other_devices_do() {
    let mut table = String::new();
    let policies = [
        DevicePolicy::AnyNotVisible,
        DevicePolicy::AllOffline,
        DevicePolicy::DelayIfActive { delay_s: 10 },
        DevicePolicy::PrimaryOnly,
    ];
    let others: [(&str, Cause); 7] = [
        ("nothing", |_| {}),
        ("showed it", |case| case.elsewhere.surfaced = true),
        ("may still show it", |case| case.elsewhere.waits_until = Some(WallMs(6_000))),
        ("could have shown it", |case| case.elsewhere.waits_until = Some(WallMs(2_000))),
        ("on the screen", |case| case.elsewhere.is_active = true),
        ("was on the screen", |case| case.held_until = Some(WallMs(9_000))),
        ("the primary", |case| case.is_primary = false),
    ];
    for policy in policies {
        for (what, change) in others {
            let mut case = case();
            case.policy.devices = policy;
            change(&mut case);
            let decision = word(decide_push(&case, WallMs(2_000)));
            table.push_str(&format!("{policy:?}, another device: {what}: {decision}\n"));
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn what_was_shown_waits_to_be_read_and_is_then_pushed() {
    let mut case = case();
    case.unread_wait_ms = Some(30_000);
    case.surfaced = true;
    let at = |case: &PushCase, ms: u64| decide_push(case, case.entry.at.after(ms));
    let held = Decision::Hold { until: WallMs(31_000), reason: HoldReason::AwaitingRead };
    assert_eq!(at(&case, 29_999), held);
    assert!(matches!(at(&case, 30_000), Decision::Push { .. }));
    case.surfaced = false;
    assert!(matches!(at(&case, 0), Decision::Push { .. }));
    case.read = true;
    assert_eq!(at(&case, 30_000), Decision::Silent(SilentReason::AlreadyRead));
}

#[test]
fn mutes_end_and_those_of_app_and_conversation_add_up() {
    let decide = |app: Option<u64>, conversation: Option<u64>, now: u64| {
        let mut case = case();
        settings(&mut case).muted_until = app.map(WallMs);
        rules(&mut case).muted_until = conversation.map(WallMs);
        rules(&mut case).mode = Some(ReminderMode::All);
        matches!(decide_push(&case, WallMs(now)), Decision::Silent(SilentReason::Muted))
    };
    for (app, conversation, now, expected) in [
        (Some(5_000), None, 4_999, true),
        (Some(5_000), None, 5_000, false),
        (None, Some(5_000), 4_999, true),
        (Some(3_000), Some(5_000), 4_000, true),
        (Some(5_000), Some(3_000), 4_000, true),
        (None, None, 1, false),
    ] {
        assert_eq!(decide(app, conversation, now), expected, "{app:?} {conversation:?} {now}");
    }
}

#[test]
fn who_chose_nothing_is_told_of_everything() {
    let mut case = case();
    case.settings = Arc::new(PushSettings::default());
    assert!(matches!(decide_push(&case, case.entry.at), Decision::Push { .. }));
}

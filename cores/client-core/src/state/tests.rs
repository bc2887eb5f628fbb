use std::fmt::Write;

use super::*;

const MOVES: [Move; 20] = [
    Move::Login,
    Move::Start,
    Move::Stop,
    Move::Foreground,
    Move::Background,
    Move::Expired,
    Move::Wanted,
    Move::Try,
    Move::Opened,
    Move::Greeted,
    Move::Synced,
    Move::Lost,
    Move::Switched,
    Move::Slept,
    Move::TokenBad,
    Move::Written,
    Move::StoreClosed,
    Move::Kicked,
    Move::LoggedOut,
    Move::Failed,
];

const SIGHTS: [Vis; 5] = [Vis::Fg, Vis::Kept, Vis::Sending, Vis::Grace, Vis::Bg];

/// Every combination of facts.
fn all_facts() -> impl Iterator<Item = Facts> {
    let both = [true, false];
    SIGHTS.into_iter().flat_map(move |vis| {
        both.into_iter().flat_map(move |is_due| {
            let open = [(true, true), (false, true), (false, false)];
            open.into_iter().map(move |(is_open, is_wanted)| Facts {
                vis,
                is_due,
                is_open,
                is_wanted,
            })
        })
    })
}

fn cell(state: State, event: Move) -> String {
    match state.cell(event) {
        None => "-".to_owned(),
        Some(Next::To(state)) => format!("{state:?}"),
        Some(rule) => format!("({rule:?})"),
    }
}

fn table(rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = String::new();
    for row in rows {
        for cell in row {
            write!(text, "{cell:15}").unwrap();
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[test]
fn every_state_and_event() {
    let head = std::iter::once(String::new());
    let head = head.chain(State::ALL.map(|state| format!("{state:?}"))).collect();
    let rows = MOVES.into_iter().map(|event| {
        let cells = State::ALL.map(|state| cell(state, event));
        std::iter::once(format!("{event:?}")).chain(cells).collect()
    });
    insta::assert_snapshot!(table(std::iter::once(head).chain(rows)));
}

#[test]
fn every_rule() {
    let rules = [Next::Dial, Next::Wait, Next::Online, Next::Return];
    let title = |facts: Facts| {
        let due = if facts.is_due { " due" } else { "" };
        let open = if facts.is_open { " open" } else { "" };
        let wanted = if facts.is_wanted { "" } else { " away" };
        format!("{:?}{due}{open}{wanted}", facts.vis)
    };
    let head = std::iter::once(String::new());
    let head = head.chain(rules.map(|rule| format!("{rule:?}"))).collect();
    let rows = all_facts().map(|facts| {
        let cells = rules.map(|rule| format!("{:?}", rule.resolve(facts).unwrap()));
        std::iter::once(title(facts)).chain(cells).collect()
    });
    insta::assert_snapshot!(table(std::iter::once(head).chain(rows)));
}

#[test]
fn only_a_login_leaves_an_end_and_nothing_leaves_a_failure() {
    for state in [State::LoggedOut, State::Kicked, State::Failed] {
        for (event, facts) in MOVES.into_iter().flat_map(|e| all_facts().map(move |f| (e, f))) {
            let next = state.next(event, facts).unwrap_or(state);
            let is_errand = state == State::LoggedOut && event == Move::Try;
            let may_leave = event == Move::Login && state != State::Failed || is_errand;
            assert!(next == state || may_leave, "{state:?} {event:?}");
        }
    }
}

#[test]
fn in_the_background_nothing_goes_on_by_itself() {
    let facts = |is_due, is_open| Facts { vis: Vis::Bg, is_due, is_open, is_wanted: true };
    for state in State::ALL {
        for event in [Move::Lost, Move::Slept, Move::Start, Move::TokenBad] {
            for facts in [facts(true, false), facts(false, false)] {
                let next = state.next(event, facts);
                let goes_on = [State::Connecting, State::OfflineBackoff];
                assert!(next.is_none_or(|next| !goes_on.contains(&next)), "{state:?} {event:?}");
            }
        }
    }
}

#[test]
fn every_state_is_reached() {
    let mut reached = vec![State::Idle];
    let mut at = 0;
    while let Some(state) = reached.get(at).copied() {
        at += 1;
        for (event, facts) in MOVES.into_iter().flat_map(|e| all_facts().map(move |f| (e, f))) {
            let next = state.next(event, facts).unwrap_or(state);
            if !reached.contains(&next) {
                reached.push(next);
            }
        }
    }
    reached.sort();
    assert_eq!(reached, State::ALL);
}

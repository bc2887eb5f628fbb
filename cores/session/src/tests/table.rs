//! The machine keeps to its printed table.

use nightjar_model::{ByeReason, Notice, Reject, Reply};
use nightjar_wire::{Body, Kind, Packet, WireError, body};

use super::play::*;
use crate::phase::{Event, Phase};
use crate::{Form, Input, RequestId};

/// A stage in the phase, with a request on its way where there can be one.
fn stage_in(phase: Phase) -> (Stage, RequestId) {
    let mut stage = Stage::new(Form::Binary);
    let mut open = RequestId(0);
    if phase >= Phase::Verifying {
        stage.asks(Kind::Hello, Body::Hello(hello_body()));
        stage.shell_verifies();
    }
    if phase >= Phase::Joining {
        stage.happens(Input::Verified(Ok(claims())));
        open = stage.lanes_get().0;
    }
    if phase >= Phase::Live {
        stage.lanes_say(open, Ok(hello_reply(Vec::new(), Vec::new())));
        stage.client_hears();
        stage.asks(Kind::Send, Body::Send(send_body()));
        open = stage.lanes_get().0;
    }
    if phase == Phase::Draining {
        stage.happens(Input::Drain { reconnect_after_ms: 1 });
    }
    if phase == Phase::Closed {
        stage.happens(Input::Closed);
        stage.lanes_get();
    }
    assert_eq!(stage.session.phase, phase);
    stage.nothing_more();
    (stage, open)
}

fn make(event: Event, stage: &mut Stage, open: RequestId) {
    let reply = |result| Input::Reply(open, result);
    match event {
        Event::Hello => drop(stage.asks(Kind::Hello, Body::Hello(hello_body()))),
        Event::BadHello => {
            let hello = body::Hello { platform: "amiga".into(), ..hello_body() };
            stage.asks(Kind::Hello, Body::Hello(hello));
        }
        Event::Packet => stage.writes(&Packet::request(77, Kind::Ping, Body::Empty)),
        Event::Broken => stage.happens(Input::Broken(WireError::Truncated)),
        Event::TokenGood => stage.happens(Input::Verified(Ok(claims()))),
        Event::Joined => stage.happens(reply(Ok(hello_reply(Vec::new(), Vec::new())))),
        Event::Word => stage.lanes_notice(Notice::Unresponsive),
        Event::Bye => {
            stage.lanes_notice(Notice::Bye { reason: ByeReason::Kicked, text: None });
        }
        Event::TimeOver => stage.time_passes(60_000),
        Event::Drain => stage.happens(Input::Drain { reconnect_after_ms: 1 }),
        Event::Answered => stage.happens(reply(Ok(Reply::Done))),
        Event::SocketEnded => stage.happens(Input::Closed),
    }
}

#[test]
fn every_phase_moves_as_the_table_says() {
    for phase in Phase::ALL {
        for event in Event::ALL {
            // The same reply is another event in another phase.
            let means_otherwise = match event {
                Event::Joined => matches!(phase, Phase::Live | Phase::Draining),
                Event::Answered => matches!(phase, Phase::Joining | Phase::Live),
                _ => false,
            };
            if means_otherwise {
                continue;
            }
            let (mut stage, open) = stage_in(phase);
            make(event, &mut stage, open);
            let expected = phase.next(event).unwrap_or(phase);
            assert_eq!(stage.session.phase, expected, "{event:?} in {phase:?}");
            if phase.next(event).is_none() {
                stage.nothing_more();
            }
        }
    }
}

#[test]
fn a_token_that_is_refused_ends_every_hello() {
    let (mut stage, _) = stage_in(Phase::Verifying);
    stage.happens(Input::Verified(Err(Reject::Internal)));
    assert_eq!(stage.session.phase, Phase::Closed);
}

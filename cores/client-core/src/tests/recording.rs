//! What was given is written down and can be played again.

use nightjar_model::{Binding, BindingKey, Now, Secret, WallMs};

use super::play::{Stage, identity};
use super::server::conversations;
use crate::{Client, Config, Input, Record};

#[test]
fn a_record_played_again_gives_the_same_outputs() {
    let mut stage = Stage::new();
    let begin = stage.now;
    stage.recording = Some(Default::default());
    let (to, chat) = &conversations()[0];
    stage.happens(Input::Start);
    stage.everything_arrives();
    stage.writes(to);
    stage.server.alice_writes(chat, stage.now);
    stage.everything_arrives();
    stage.reads(chat, 2);
    stage.happens(Input::NetworkChanged);
    stage.cut();
    stage.time_passes(2_000);
    stage.everything_arrives();
    stage.enters_background(25_000);
    for _ in 0..30 {
        stage.time_passes(250);
        stage.everything_arrives_now();
    }
    let (lines, outputs) = stage.recording.take().unwrap();
    assert!(lines.len() > 30 && outputs.len() > lines.len());

    let config = Config::default().into();
    let mut again = Client::new(config, identity(), Default::default(), begin);
    let mut said = Vec::new();
    for line in &lines {
        Record::parse(line).unwrap().play(&mut again);
        said.extend(std::iter::from_fn(|| again.poll()).map(|output| format!("{output:?}")));
    }
    assert_eq!(said, outputs);
}

#[test]
fn no_token_is_written_down() {
    let key = BindingKey { provider: "apns".to_owned(), credential: "main".to_owned() };
    let secret = || Secret::new("geheim".to_owned());
    let (locale, environment) = (None, None);
    let binding = Binding { key, token: secret(), locale, environment, bound_at: WallMs(0) };
    let inputs =
        [Input::Token(secret()), Input::Login(secret()), Input::PushToken(Box::new(binding))];
    for input in inputs {
        let line =
            Record::line(&input, Now { mono: nightjar_model::Mono(1), wall: WallMs(2) }, &[7; 16]);
        assert!(line.contains("***") && !line.contains("geheim"), "{line}");
        assert!(Record::parse(&line).is_ok());
    }
}

#[test]
fn a_line_that_is_no_record_is_named() {
    let good = Record::line(&Input::Stop, Stage::new().now, &[0xab; 16]);
    assert_eq!(
        good,
        r#"{"mono":1000000,"wall":1700000000000,"random":"abababababababababababababababab","given":{"input":"stop"}}"#
    );
    for bad in ["", "{}", &good.replace("stop", "halt"), &good.replace("abab", "xy")] {
        let error = Record::parse(bad).unwrap_err().to_string();
        assert!(error.starts_with("this line is no record of a client"), "{error}");
    }
}

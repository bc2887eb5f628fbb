//! What a typed line asks for.

use nightjar_model::{ContactAction, GroupId, Seq, Target, Uid, limits};

pub(super) const HELP: &str = "\
/to UID              write to this user
/group ID            write to this group
/list                conversations
/contacts            contacts, groups and who asks
/request UID         ask to be contacts; /accept, /remove, /block and /unblock, too
/history [N]         the newest N messages here, 20 by default
/read                everything here is read
/recall SEQ          take message #SEQ back
/edit SEQ TEXT       your message #SEQ reads TEXT now
/react SEQ SIGN      react to #SEQ; /unreact takes it back
/background [MS]     the app left the screen; post notifications for MS milliseconds, -1 always
/foreground          the app is on the screen
/quit                leave
//text               write '/text'
Times are UTC.";

/// Messages that `/history` shows when no number is given.
const HISTORY: u32 = 20;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Write it.
    Say(String),
    To(Target),
    List,
    Contacts,
    Contact(Uid, ContactAction),
    History(u32),
    Read,
    Recall(Seq),
    Edit(Seq, String),
    /// With this sign; true takes it back.
    React(Seq, String, bool),
    Background(i64),
    Foreground,
    Quit,
    Help,
    Nothing,
}

/// Reads a line.
pub(super) fn parse(line: &str) -> Result<Command, String> {
    let line = line.trim_end();
    let Some(rest) = line.strip_prefix('/') else {
        let is_empty = line.trim().is_empty();
        return Ok(if is_empty { Command::Nothing } else { Command::Say(line.to_owned()) });
    };
    if rest.starts_with('/') {
        return Ok(Command::Say(rest.to_owned()));
    }
    let (name, argument) = rest.split_once(' ').unwrap_or((rest, ""));
    let argument = argument.trim();
    let number = |usual: i64| match argument {
        "" => Ok(usual),
        text => text.parse().map_err(|_| format!("/{name}: '{text}' is not a number")),
    };
    Ok(match name {
        "to" => Command::To(Target::User(Uid::parse(argument).map_err(|e| format!("/to: {e}"))?)),
        "group" => {
            let group = GroupId::parse(argument).map_err(|error| format!("/group: {error}"))?;
            Command::To(Target::Group(group))
        }
        "list" => Command::List,
        "contacts" => Command::Contacts,
        "history" => {
            let most = limits::HISTORY_MAX as i64;
            Command::History(number(HISTORY.into())?.clamp(1, most) as u32)
        }
        "read" => Command::Read,
        "recall" => {
            let seq = argument.trim_start_matches('#').parse();
            Command::Recall(seq.map_err(|_| "/recall needs the number behind #".to_owned())?)
        }
        "edit" => {
            let (seq, text) = about(name, argument)?;
            Command::Edit(seq, text)
        }
        "react" | "unreact" => {
            let (seq, sign) = about(name, argument)?;
            Command::React(seq, sign, name == "unreact")
        }
        "background" => Command::Background(number(0)?),
        "foreground" => Command::Foreground,
        "quit" => Command::Quit,
        "help" => Command::Help,
        _ if let Some(action) = ContactAction::from_name(name) => {
            let uid = Uid::parse(argument).map_err(|error| format!("/{name}: {error}"))?;
            Command::Contact(uid, action)
        }
        _ => return Err(format!("unknown command '/{name}'; /help lists them")),
    })
}

/// The message and what to say of it.
fn about(name: &str, argument: &str) -> Result<(Seq, String), String> {
    let (seq, said) = argument.split_once(' ').unwrap_or((argument, ""));
    match (seq.trim_start_matches('#').parse(), said.trim()) {
        (Ok(seq), said) if !said.is_empty() => Ok((seq, said.to_owned())),
        _ => Err(format!("/{name} needs the number behind # and what to say of it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_understood() {
        let uid = Uid::parse("bob").unwrap();
        let bob = Target::User(uid.clone());
        let lines = [
            ("hello there ", Command::Say("hello there".into())),
            ("//to bob", Command::Say("/to bob".into())),
            ("  ", Command::Nothing),
            ("/to bob", Command::To(bob)),
            ("/group team", Command::To(Target::Group(GroupId::parse("team").unwrap()))),
            ("/contacts", Command::Contacts),
            ("/block bob", Command::Contact(uid, ContactAction::Block)),
            ("/history", Command::History(20)),
            ("/history 5000", Command::History(200)),
            ("/recall #7", Command::Recall(7)),
            ("/edit 7 better  said", Command::Edit(7, "better  said".into())),
            ("/react #7 🦉", Command::React(7, "🦉".into(), false)),
            ("/unreact 7 🦉", Command::React(7, "🦉".into(), true)),
            ("/background", Command::Background(0)),
            ("/background -1", Command::Background(-1)),
            ("/quit", Command::Quit),
        ];
        for (line, command) in lines {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_no_command_is_named() {
        assert_eq!(parse("/frob x"), Err("unknown command '/frob'; /help lists them".into()));
        assert!(parse("/history many").unwrap_err().contains("'many'"));
        assert!(parse("/to a b").unwrap_err().starts_with("/to: uid"));
        for line in ["/join bob", "/accept", "/recall", "/edit 7", "/edit x y", "/react"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}

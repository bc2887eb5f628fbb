//! The record of a run as a play: who did what when, what the server did and why.

use std::fmt::Write;

/// Lines kept; a run that went wrong is read from its end.
const LINES_MAX: usize = 20_000;

/// A play, written only when somebody will read it.
#[derive(Debug, Default)]
pub(crate) struct Play {
    is_on: bool,
    /// By moment; the server's trace is written a little later than it happens.
    lines: Vec<(u64, String)>,
}

impl Play {
    pub(crate) fn new(is_on: bool) -> Self {
        Self { is_on, ..Self::default() }
    }

    /// A heading: what the people do next.
    pub(crate) fn act(&mut self, at_ms: u64, title: &str) {
        if self.is_on {
            self.lines.push((at_ms, format!("\n{title}")));
        }
    }

    /// One thing that happened.
    pub(crate) fn line(&mut self, at_ms: u64, who: &str, what: impl FnOnce() -> String) {
        if self.is_on && self.lines.len() < LINES_MAX {
            self.lines.push((at_ms, format!("{}  {who:<14} {}", moment(at_ms), what())));
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut lines: Vec<&(u64, String)> = self.lines.iter().collect();
        lines.sort_by_key(|(at_ms, _)| *at_ms);
        lines.into_iter().fold(String::new(), |mut text, (_, line)| {
            let _ = writeln!(text, "{line}");
            text
        })
    }
}

/// `h:mm:ss.mmm` since the world began.
fn moment(ms: u64) -> String {
    let (s, ms) = (ms / 1_000, ms % 1_000);
    let (m, s) = (s / 60, s % 60);
    format!("{}:{:02}:{s:02}.{ms:03}", m / 60, m % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_play_has_acts_and_lines() {
        let mut play = Play::new(true);
        play.act(3_725_004, "Alice writes");
        play.line(3_725_004, "alice/phone", || "writes".into());
        assert_eq!(play.text(), "\nAlice writes\n1:02:05.004  alice/phone    writes\n");
        let mut silent = Play::new(false);
        silent.line(1, "x", || unreachable!("nobody reads this play"));
        assert_eq!(silent.text(), "");
    }
}

//! Texts with places in them: `{0}` for the sender's arguments, `{$from_name}` and its like for
//! what the server knows.

/// What the server knows of a message, by the names that templates use.
pub(crate) struct Variables<'a> {
    /// `{$from}`: the sender's uid.
    pub(crate) from: &'a str,
    /// `{$from_name}`: what others call the sender.
    pub(crate) from_name: &'a str,
    /// `{$group_name}`: the group's name; in a direct conversation the sender's.
    pub(crate) group_name: &'a str,
    /// `{$msg}`: the text, as far as the receiver lets it be shown.
    pub(crate) msg: &'a str,
    /// `{$badge}`: the unread total.
    pub(crate) badge: u64,
}

impl Variables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        Some(match name {
            "from" => self.from.to_owned(),
            "from_name" => self.from_name.to_owned(),
            "group_name" => self.group_name.to_owned(),
            "msg" => self.msg.to_owned(),
            "badge" => self.badge.to_string(),
            _ => return None,
        })
    }
}

/// Fills the places of a text, once: what is filled in is not looked at again. An argument that
/// was not given is empty; what is no place stays as it is.
pub(crate) fn fill(text: &str, args: &[String], variables: &Variables<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, from_open) = rest.split_at(open);
        out.push_str(before);
        let place = from_open[1..].split_once('}').and_then(|(name, after)| {
            let value = match name.strip_prefix('$') {
                Some(name) => variables.get(name)?,
                None => args.get(name.parse::<usize>().ok()?).cloned().unwrap_or_default(),
            };
            Some((value, after))
        });
        match place {
            Some((value, after)) => {
                out.push_str(&value);
                rest = after;
            }
            None => {
                out.push('{');
                rest = &from_open[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Languages to look for, the best first: `zh-Hant-TW`, `zh-Hant`, `zh`, then the text without a
/// language.
#[must_use]
pub fn locales(wanted: Option<&str>) -> Vec<Option<String>> {
    let mut found = Vec::new();
    let mut left =
        wanted.filter(|locale| !locale.is_empty()).map(|locale| locale.replace('_', "-"));
    while let Some(locale) = left {
        left = locale.rsplit_once('-').map(|(shorter, _)| shorter.to_owned());
        found.push(Some(locale));
    }
    found.push(None);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Variables<'_> =
        Variables { from: "alice", from_name: "{1}", group_name: "Crew", msg: "hello", badge: 4 };

    #[test]
    fn places_are_filled_once_and_what_is_none_stays() {
        let args = ["zero".to_owned(), "one".to_owned()];
        for (text, expected) in [
            ("{0} and {1}", "zero and one"),
            ("{2}|", "|"),
            ("{$from_name}: {$msg} ({$badge})", "{1}: hello (4)"),
            ("{$nobody} {x} {", "{$nobody} {x} {"),
            ("{{0}}", "{zero}"),
            ("{$from}@{$group_name}", "alice@Crew"),
            ("no places", "no places"),
        ] {
            assert_eq!(fill(text, &args, &KNOWN), expected);
        }
    }

    #[test]
    fn a_language_falls_back_to_the_wider_one() {
        let names = |wanted: Option<&str>| {
            let found = locales(wanted).into_iter();
            found.map(|locale| locale.unwrap_or_else(|| "-".into())).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(Some("zh-Hant-TW")), "zh-Hant-TW zh-Hant zh -");
        assert_eq!(names(Some("de_AT")), "de-AT de -");
        assert_eq!(names(None), "-");
        assert_eq!(names(Some("")), "-");
    }
}

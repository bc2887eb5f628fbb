//! Names of code in the documentation must exist in the sources.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::sources::{self, Items};
use crate::tree;

/// The pages whose names are held to the sources.
const PAGES: &[&str] = &["ARCHITECTURE.md", "docs/message-path.md"];

/// Checks every page.
pub(crate) fn run() -> Result<()> {
    let files = tree::files()?;
    let crates = sources::crates(&files)?;
    let mut findings = Vec::new();
    for page in PAGES {
        match files.iter().find(|file| file.path == *page) {
            None => findings.push(format!("{page}: this page is missing")),
            Some(file) => findings.extend(
                dead_names(&file.text, &crates)
                    .into_iter()
                    .map(|(line, name)| format!("{page}:{line}: the sources have no '{name}'")),
            ),
        }
    }
    tree::none_of(&findings)
}

/// The names that do not exist, with their lines.
fn dead_names<'a>(page: &'a str, crates: &BTreeMap<String, Items>) -> Vec<(usize, &'a str)> {
    let mut dead = Vec::new();
    for (number, line) in (1..).zip(page.lines()) {
        // Every second part of a line lies between backticks.
        for span in line.split('`').skip(1).step_by(2) {
            if let Some(path) = path_of(span)
                && !exists(&path, crates)
            {
                dead.push((number, span));
            }
        }
    }
    dead
}

/// The parts of `a::b::c`, arguments and generics left out; `None` for any other text.
fn path_of(span: &str) -> Option<Vec<&str>> {
    let end = span.find(['(', '<']).unwrap_or(span.len());
    let parts: Vec<&str> = span[..end].split("::").collect();
    let is_name = |part: &&str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    (parts.len() > 1 && parts.iter().all(is_name)).then_some(parts)
}

/// A path begins with a crate, with or without its `nightjar_`, or with a type of any crate.
fn exists(path: &[&str], crates: &BTreeMap<String, Items>) -> bool {
    let first = path[0];
    if matches!(first, "std" | "core" | "alloc") {
        return true;
    }
    if first.starts_with(|c: char| c.is_ascii_uppercase()) {
        return crates.values().any(|items| items.declare(path));
    }
    let items = crates.get(first).or_else(|| crates.get(&format!("nightjar_{first}")));
    items.is_some_and(|items| items.declare(&path[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crates() -> BTreeMap<String, Items> {
        let mut items = Items::default();
        items.add(vec!["decision".into()], "pub fn decide() {} enum Why { Muted }").unwrap();
        BTreeMap::from([("nightjar_push".to_owned(), items)])
    }

    #[test]
    fn living_names_and_other_text_pass() {
        let page = "`push::decide` `nightjar_push::decision::decide(case, now)` `Why::Muted`\n\
            `std::fmt` `cargo test` `a: b` `urn::` `x` and push::gone without backticks";
        assert_eq!(dead_names(page, &crates()), []);
    }

    #[test]
    fn a_dead_name_is_found_with_its_line() {
        let page = "`push::decide`\nthen `push::decide_all()`, `Why::Loud` and `gone::decide`";
        assert_eq!(
            dead_names(page, &crates()),
            [(2, "push::decide_all()"), (2, "Why::Loud"), (2, "gone::decide")]
        );
    }
}

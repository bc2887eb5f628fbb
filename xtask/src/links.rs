//! Relative links of every Markdown page must lead to a file.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use crate::tree;

/// Checks every page of the tree.
pub(crate) fn run() -> Result<()> {
    let root = tree::root();
    let mut findings = Vec::new();
    for page in tree::files()?.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, target) in targets(&page.text) {
            let found = inside(&page.path, target).is_some_and(|path| root.join(path).exists());
            if !found {
                findings.push(format!("{}:{line}: nothing stands at '{target}'", page.path));
            }
        }
    }
    tree::none_of(&findings)
}

/// What a page links to within the repository, with lines; code is left out.
fn targets(page: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (number, line) in (1..).zip(page.lines()) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            let texts = line.split('`').step_by(2);
            let links = texts.flat_map(|text| text.split("](").skip(1));
            let inline = links.filter_map(|rest| rest.split([')', ' ']).next());
            let reference = line
                .strip_prefix('[')
                .and_then(|rest| rest.split_once("]: "))
                .and_then(|(_, target)| target.split(' ').next());
            found.extend(inline.chain(reference).map(|target| (number, target)));
        }
    }
    let is_relative = |target: &str| !target.contains(':') && !target.starts_with('#');
    found.retain(|(_, target)| is_relative(target));
    found
}

/// The place a link means, from the root; `None` if it leaves the repository.
fn inside(page: &str, target: &str) -> Option<PathBuf> {
    let target = target.split('#').next()?;
    let mut place = Path::new(page).parent()?.to_owned();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(name) => place.push(name),
            Component::ParentDir if !place.pop() => return None,
            Component::ParentDir | Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_and_code_is_not() {
        let page = "[a](b.md) and ![c](d/e.png \"f\")\n`[no](no.md)`\n```\n[no](no.md)\n```\n\
            [web](https://example.org/) [here](#there) [g](h.md#i)\n[j]: k.md";
        assert_eq!(targets(page), [(1, "b.md"), (1, "d/e.png"), (6, "h.md#i"), (7, "k.md")]);
    }

    #[test]
    fn a_link_starts_at_its_page_and_stays_inside() {
        let place = |target| inside("docs/decisions/README.md", target);
        assert_eq!(place("0001.md"), Some("docs/decisions/0001.md".into()));
        assert_eq!(place("../protocol.md#errors"), Some("docs/protocol.md".into()));
        assert_eq!(place("../../../elsewhere"), None);
        assert_eq!(place("/etc/hosts"), None);
    }
}

//! `cargo xtask tidy`: sizes behind a ratchet, unfinished code, and what must not be in a file.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::tree::{self, File};

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 700;
const EXCEPTIONS: &str = "xtask/tidy-exceptions.txt";

/// Words of unfinished code. They are put together here, so that this file does not hold them.
const UNFINISHED: &[&str] = &[
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
    concat!("#[ig", "nore"),
    concat!("db", "g!"),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
];

/// Folders of one machine, and hosts that only one machine's set-up may name.
const FOREIGN: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("crates", ".io"),
    concat!("npmjs", ".org"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("deb.", "debian.org"),
];

/// Checks the tree.
pub(crate) fn run() -> Result<()> {
    let files = tree::files()?;
    let mut findings = Vec::new();
    let mut oversized = BTreeMap::new();
    for file in &files {
        findings.extend(foreign(file));
        if file.path.ends_with(".rs") {
            findings.extend(unfinished(file));
            let sizes = Sizes::of(file).with_context(|| format!("{} does not parse", file.path))?;
            oversized.extend(sizes.oversized);
        }
    }
    let exceptions = files.iter().find(|file| file.path == EXCEPTIONS);
    let allowed = parse_exceptions(exceptions.map_or("", |file| &file.text))?;
    findings.extend(ratchet(&oversized, &allowed));
    tree::none_of(&findings)
}

fn unfinished(file: &File) -> Vec<String> {
    lines_with(file, UNFINISHED, "is unfinished")
}

fn foreign(file: &File) -> Vec<String> {
    if file.path == "Cargo.lock" {
        return Vec::new();
    }
    lines_with(file, FOREIGN, "means something on one machine only")
}

fn lines_with(file: &File, words: &[&str], why: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        for word in words.iter().filter(|word| line.contains(**word)) {
            findings.push(format!("{}:{number}: '{word}' {why}", file.path));
        }
    }
    findings
}

/// `name number` a line; `#` begins a comment.
fn parse_exceptions(text: &str) -> Result<BTreeMap<String, usize>> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, number) = line.rsplit_once(' ').context("expected 'NAME NUMBER'")?;
            Ok((name.to_owned(), number.parse()?))
        })
        .collect::<Result<_>>()
        .with_context(|| format!("{EXCEPTIONS} cannot be read"))
}

/// An exception holds exactly: what grows fails, and what shrinks takes its exception along.
fn ratchet(found: &BTreeMap<String, usize>, allowed: &BTreeMap<String, usize>) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, lines) in found {
        match allowed.get(name) {
            None => findings.push(format!(
                "{name}: {lines} lines; functions have at most {FUNCTION_LINES_MAX}, files \
                 {FILE_LINES_MAX}: split it"
            )),
            Some(old) if lines > old => {
                findings
                    .push(format!("{name}: grew from {old} to {lines} lines; it may only shrink"));
            }
            Some(old) if lines < old => {
                findings.push(format!("{name}: shrank from {old}; write {lines} in {EXCEPTIONS}"));
            }
            Some(_) => {}
        }
    }
    let gone = allowed.keys().filter(|name| !found.contains_key(*name));
    findings
        .extend(gone.map(|name| format!("{name}: small enough now; remove it from {EXCEPTIONS}")));
    findings
}

/// The sizes of one file, its tests left out.
struct Sizes<'a> {
    path: &'a str,
    /// The type whose methods are being visited.
    owner: Option<String>,
    test_lines: usize,
    oversized: BTreeMap<String, usize>,
}

impl<'a> Sizes<'a> {
    fn of(file: &'a File) -> syn::Result<Self> {
        let oversized = BTreeMap::new();
        let mut sizes = Self { path: &file.path, owner: None, test_lines: 0, oversized };
        if is_test_file(&file.path) {
            return Ok(sizes);
        }
        sizes.visit_file(&syn::parse_file(&file.text)?);
        let lines = file.text.lines().count() - sizes.test_lines;
        if lines > FILE_LINES_MAX {
            sizes.oversized.insert(file.path.clone(), lines);
        }
        Ok(sizes)
    }

    fn function(&mut self, name: &syn::Ident, start: Span, end: Span) {
        let lines = end.end().line - start.start().line + 1;
        if lines > FUNCTION_LINES_MAX {
            let owner = self.owner.as_ref().map(|owner| format!("{owner}::")).unwrap_or_default();
            self.oversized.insert(format!("{}::{owner}{name}", self.path), lines);
        }
    }
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string() == "test",
        meta => meta.path().segments.last().is_some_and(|last| last.ident == "test"),
    })
}

impl<'ast> Visit<'ast> for Sizes<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if is_test(&module.attrs) {
            let span = module.span();
            self.test_lines += span.end().line - span.start().line + 1;
        } else {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            self.function(&item.sig.ident, item.sig.span(), item.block.span());
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        if let syn::Type::Path(path) = &*block.self_ty {
            self.owner = path.path.segments.last().map(|last| last.ident.to_string());
        }
        visit::visit_item_impl(self, block);
        self.owner = None;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig.ident, item.sig.span(), item.block.span());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.function(&item.sig.ident, item.sig.span(), item.span());
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: impl Into<String>) -> File {
        File { path: "a/src/b.rs".into(), text: text.into() }
    }

    fn oversized(text: &str) -> Vec<(String, usize)> {
        Sizes::of(&file(text)).unwrap().oversized.into_iter().collect()
    }

    #[test]
    fn a_long_function_is_found_wherever_it_stands() {
        let body = "\n".repeat(FUNCTION_LINES_MAX);
        assert_eq!(oversized(&format!("fn f() {{{}}}", &body[1..])), []);
        let long = FUNCTION_LINES_MAX + 1;
        assert_eq!(oversized(&format!("fn f() {{{body}}}")), [("a/src/b.rs::f".into(), long)]);
        assert_eq!(
            oversized(&format!("impl T {{ fn f() {{{body}}} }}")),
            [("a/src/b.rs::T::f".into(), long)]
        );
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let code = "struct S;\n".repeat(FILE_LINES_MAX);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{code}}}\n");
        assert_eq!(oversized(&format!("{code}{tests}")), []);
        assert_eq!(
            oversized(&format!("{code}struct S;\n{tests}")),
            [("a/src/b.rs".into(), FILE_LINES_MAX + 1)]
        );
    }

    #[test]
    fn the_ratchet_turns_one_way() {
        let sizes = |number| BTreeMap::from([("a::f".to_owned(), number)]);
        assert_eq!(ratchet(&sizes(90), &sizes(90)), [""; 0]);
        assert!(ratchet(&sizes(90), &BTreeMap::new())[0].ends_with("split it"));
        assert!(ratchet(&sizes(91), &sizes(90))[0].ends_with("it may only shrink"));
        assert!(ratchet(&sizes(89), &sizes(90))[0].contains("write 89"));
        assert!(ratchet(&BTreeMap::new(), &sizes(90))[0].contains("remove it"));
    }

    #[test]
    fn unfinished_code_and_foreign_places_are_named_with_their_line() {
        for word in UNFINISHED {
            assert_eq!(
                unfinished(&file(format!("fn f() {{}}\n{word}"))),
                [format!("a/src/b.rs:2: '{word}' is unfinished")]
            );
        }
        for word in FOREIGN {
            assert_eq!(foreign(&file(format!("x {word} y"))).len(), 1, "{word}");
        }
    }
}

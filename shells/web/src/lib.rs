//! The pages of the console, as files in the binary: at `/` chat, the phone beside it, and every
//! message's timeline; at `/pushes.html` what operators watch and try. Plain ES modules and style
//! sheets, without a build step.
//!
//! Deliberately absent: HTTP. Whoever serves the page looks files up here and sends [`CSP`] with
//! them. What the pages do stands in `static/app.js` and `static/client.js`, and in
//! `static/pushes.js`; `testing/browser` drives them.
//!
//! Read [`file`] first.

/// One file of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Its path on the server; `/` is the page itself.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

/// The policy the page lives under: its own files and its own server, nothing else.
pub const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! files {
    ($($path:literal $name:literal $content_type:ident;)*) => {
        &[$(File {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../static/", $name)),
        }),*]
    };
}

/// Every file of the page.
pub const FILES: &[File] = files! {
    "/" "index.html" HTML;
    "/pushes.html" "pushes.html" HTML;
    "/style.css" "style.css" CSS;
    "/pushes.css" "pushes.css" CSS;
    "/icon.svg" "icon.svg" SVG;
    "/api.js" "api.js" JAVASCRIPT;
    "/app.js" "app.js" JAVASCRIPT;
    "/chat.js" "chat.js" JAVASCRIPT;
    "/client.js" "client.js" JAVASCRIPT;
    "/composer.js" "composer.js" JAVASCRIPT;
    "/conversation.js" "conversation.js" JAVASCRIPT;
    "/credentials.js" "credentials.js" JAVASCRIPT;
    "/dom.js" "dom.js" JAVASCRIPT;
    "/link.js" "link.js" JAVASCRIPT;
    "/list.js" "list.js" JAVASCRIPT;
    "/lockscreen.js" "lockscreen.js" JAVASCRIPT;
    "/memory.js" "memory.js" JAVASCRIPT;
    "/outcomes.js" "outcomes.js" JAVASCRIPT;
    "/phone.js" "phone.js" JAVASCRIPT;
    "/progress.js" "progress.js" JAVASCRIPT;
    "/pushes.js" "pushes.js" JAVASCRIPT;
    "/timeline.js" "timeline.js" JAVASCRIPT;
    "/words.js" "words.js" JAVASCRIPT;
};

/// The file at a path of the server.
#[must_use]
pub fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn text(file: &File) -> &'static str {
        std::str::from_utf8(file.bytes).unwrap()
    }

    /// What stands between quotes after each `before`.
    fn quoted_after<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(before).skip(1).filter_map(|rest| {
            let quote = rest.chars().next()?;
            rest[1..].split(quote).next()
        })
    }

    #[test]
    fn every_file_of_the_folder_is_listed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
        let found: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| if name == "index.html" { "/".into() } else { format!("/{name}") })
            .collect();
        let listed: BTreeSet<String> = FILES.iter().map(|file| file.path.to_owned()).collect();
        assert_eq!(found, listed);
        assert_eq!(listed.len(), FILES.len(), "a path is listed twice");
    }

    #[test]
    fn the_pages_name_only_files_that_are_listed() {
        for (page, script) in [("/", "/app.js"), ("/pushes.html", "/pushes.js")] {
            let page = text(file(page).unwrap());
            let names = ["src=", "href="].into_iter().flat_map(|name| quoted_after(page, name));
            for name in names.filter(|name| !name.starts_with('#')) {
                let path = name.split('?').next().unwrap();
                assert!(file(path).is_some(), "{name}");
            }
            assert!(page.contains(&format!("<script type=\"module\" src=\"{script}\">")));
        }
    }

    #[test]
    fn modules_import_only_files_that_are_listed() {
        for module in FILES.iter().filter(|file| file.content_type == JAVASCRIPT) {
            for rest in text(module).split(" from './").skip(1) {
                let name = rest.split('\'').next().unwrap();
                assert!(file(&format!("/{name}")).is_some(), "{} imports {name}", module.path);
            }
        }
    }

    /// The policy would stop these in a browser, where only a person with open tools sees it.
    #[test]
    fn nothing_needs_what_the_policy_forbids() {
        for page in FILES.iter().filter(|file| file.content_type == HTML) {
            for forbidden in ["<style", " style=", " onclick=", "<script>", "http://", "https://"] {
                assert!(!text(page).contains(forbidden), "{forbidden} in {}", page.path);
            }
        }
        for module in FILES.iter().filter(|file| file.content_type == JAVASCRIPT) {
            for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval("] {
                assert!(!text(module).contains(forbidden), "{forbidden} in {}", module.path);
            }
        }
        for hole in ["unsafe-inline", "unsafe-eval", "*", "http:", "https:"] {
            assert!(!CSP.contains(hole), "{hole} in the policy");
        }
    }

    #[test]
    fn an_unknown_path_is_nothing() {
        assert_eq!(file("/index.html"), None);
        assert_eq!(file("/../Cargo.toml"), None);
        assert_eq!(file("/").map(|file| file.content_type), Some(HTML));
    }
}

//! Tables of the documentation that are made from the code.
//!
//! A block is what stands between `<!-- generated: NAME -->` and `<!-- end -->`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use nightjar_model::{DueReason, Metric, MetricKind, Reject};
use nightjar_push::{HoldReason, Outcome, SilentReason};
use nightjar_wire::Kind;

use crate::tree;

struct Block {
    file: &'static str,
    name: &'static str,
    render: fn() -> Result<String>,
}

const BLOCKS: &[Block] = &[
    Block { file: "docs/protocol.md", name: "commands", render: commands },
    Block { file: "docs/protocol.md", name: "rejects", render: rejects },
    Block { file: "docs/protocol.md", name: "reasons", render: reasons },
    Block { file: "docs/protocol.md", name: "established", render: established },
    Block { file: "docs/protocol.md", name: "limits", render: limits },
    Block { file: "docs/protocol.md", name: "metrics", render: metrics },
];

/// Fails where a block differs from the code.
pub(crate) fn compare() -> Result<()> {
    let mut findings = Vec::new();
    for (file, text) in pages()? {
        let mut rest = text.as_str();
        while let Some((_, after)) = rest.split_once(OPENING) {
            let name = after.split(' ').next().unwrap_or_default();
            if !BLOCKS.iter().any(|block| block.file == file && block.name == name) {
                findings.push(format!("{file}: nothing makes the block '{name}'"));
            }
            rest = after;
        }
        for block in BLOCKS.iter().filter(|block| block.file == file) {
            if replaced(&text, block.name, &(block.render)()?)? != text {
                findings.push(format!("{file}: the block '{}' differs from the code", block.name));
            }
        }
    }
    tree::none_of(&findings)
}

/// Rewrites every block.
pub(crate) fn write() -> Result<()> {
    for (file, old) in pages()? {
        let mut new = old.clone();
        for block in BLOCKS.iter().filter(|block| block.file == file) {
            new = replaced(&new, block.name, &(block.render)()?)?;
        }
        if new != old {
            std::fs::write(tree::root().join(file), new)?;
            println!("wrote {file}");
        }
    }
    Ok(())
}

/// The pages that hold blocks, with their text.
fn pages() -> Result<BTreeMap<&'static str, String>> {
    let read = |block: &Block| {
        let text = std::fs::read_to_string(tree::root().join(block.file));
        Ok((block.file, text.with_context(|| format!("{} cannot be read", block.file))?))
    };
    BLOCKS.iter().map(read).collect()
}

const OPENING: &str = "<!-- generated: ";
const CLOSING: &str = "<!-- end -->";

/// The text with a block's inside exchanged.
fn replaced(text: &str, name: &str, inside: &str) -> Result<String> {
    let opening = format!("{OPENING}{name} -->\n");
    let Some((before, rest)) = text.split_once(&opening) else {
        bail!("there is no line '{}'", opening.trim_end());
    };
    let Some((_, after)) = rest.split_once(CLOSING) else {
        bail!("the block '{name}' has no '{CLOSING}'");
    };
    Ok(format!("{before}{opening}{inside}{CLOSING}{after}"))
}

/// A Markdown table.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let rule = format!("|{}\n", "---|".repeat(head.len()));
    let body: String = rows.into_iter().map(|row| line(&row)).collect();
    line(&head) + &rule + &body
}

fn commands() -> Result<String> {
    let row = |kind: &Kind| {
        let answer = kind.answer();
        vec![
            kind.number().to_string(),
            format!("`{}`", kind.name()),
            kind.direction().to_owned(),
            if answer.is_empty() { String::new() } else { format!("`{answer}`") },
        ]
    };
    Ok(table(&["number", "command", "sent by", "answer"], Kind::ALL.iter().map(row)))
}

/// Why a debt fell due, what a push waits for, why nothing was pushed.
fn reasons() -> Result<String> {
    let due = DueReason::ALL.iter().map(|reason| (reason.as_str(), "due", reason.message()));
    let silent =
        SilentReason::ALL.iter().map(|reason| (reason.as_str(), "silent", reason.message()));
    let hold = HoldReason::ALL.iter().map(|reason| (reason.as_str(), "hold", reason.message()));
    let row = |(name, kind, message): (&str, &str, &str)| {
        vec![format!("`{name}`"), kind.to_owned(), message.to_owned()]
    };
    Ok(table(&["reason", "of", "means"], due.chain(hold).chain(silent).map(row)))
}

/// Our reasons and outcomes, and what apps that come from elsewhere call them.
fn established() -> Result<String> {
    let silent = SilentReason::ALL.iter().filter(|reason| reason.is_event());
    let silent = silent.map(|reason| (reason.as_str(), "silence", reason.established()));
    let outcome = Outcome::ALL.iter().filter(|outcome| outcome.established().is_some());
    let outcome = outcome.map(|outcome| (outcome.as_str(), "outcome", outcome.established()));
    let row = |(ours, of, name): (&str, &str, Option<&str>)| {
        let name = name.map_or_else(|| format!("`{ours}`"), |name| format!("`{name}`"));
        vec![name, format!("`{ours}`"), of.to_owned()]
    };
    Ok(table(&["established", "ours", "of"], silent.chain(outcome).map(row)))
}

fn rejects() -> Result<String> {
    let row = |reject: Reject| {
        vec![
            reject.number().to_string(),
            format!("`{}`", reject.name()),
            reject.http_status().to_string(),
            if reject.retry() { "yes" } else { "no" }.to_owned(),
            reject.bye().map(|reason| format!("`{reason}`")).unwrap_or_default(),
            reject.message().to_owned(),
        ]
    };
    let head = ["number", "name", "HTTP", "retry", "bye", "message"];
    Ok(table(&head, Reject::ALL.into_iter().map(row)))
}

/// What clients measure.
fn metrics() -> Result<String> {
    let row = |metric: &Metric| {
        let kind = match metric.kind() {
            MetricKind::Counter => "counter",
            MetricKind::Histogram => "histogram",
        };
        vec![format!("`{}`", metric.name()), kind.to_owned(), metric.meaning().to_owned()]
    };
    Ok(table(&["metric", "kind", "of what"], Metric::ALL.iter().map(row)))
}

/// The constants of the model's `limits.rs`, with their documentation.
fn limits() -> Result<String> {
    let path = tree::root().join("words/model/src/limits.rs");
    Ok(table(&["limit", "value", "of what"], limit_rows(&std::fs::read_to_string(path)?)?))
}

fn limit_rows(source: &str) -> Result<Vec<Vec<String>>> {
    let mut known = BTreeMap::new();
    let mut rows = Vec::new();
    for item in syn::parse_file(source)?.items {
        let syn::Item::Const(item) = item else { continue };
        let name = item.ident.to_string();
        let value = value(&item.expr, &known).with_context(|| format!("{name} is too clever"))?;
        let text = item.attrs.iter().filter_map(doc_line).collect::<Vec<_>>().join(" ");
        rows.push(vec![format!("`{name}`"), value.to_string(), text.replace('|', "\\|")]);
        known.insert(name, value);
    }
    Ok(rows)
}

fn doc_line(attribute: &syn::Attribute) -> Option<String> {
    let syn::Meta::NameValue(meta) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &meta.value else {
        return None;
    };
    meta.path.is_ident("doc").then(|| text.value().trim().to_owned())
}

/// The value of a constant, as far as limits need it: numbers, other limits, `+`, `*`, `<<`.
fn value(expression: &syn::Expr, known: &BTreeMap<String, u64>) -> Option<u64> {
    match expression {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) => {
            number.base10_parse().ok()
        }
        syn::Expr::Path(path) => known.get(&path.path.get_ident()?.to_string()).copied(),
        syn::Expr::Paren(inner) => value(&inner.expr, known),
        syn::Expr::Binary(both) => {
            let (left, right) = (value(&both.left, known)?, value(&both.right, known)?);
            match both.op {
                syn::BinOp::Add(_) => left.checked_add(right),
                syn::BinOp::Mul(_) => left.checked_mul(right),
                syn::BinOp::Shl(_) => left.checked_shl(u32::try_from(right).ok()?),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_exchanged_and_nothing_else() {
        let page = "a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n<!-- end -->\n";
        assert_eq!(
            replaced(page, "x", "new\n").unwrap(),
            "a\n<!-- generated: x -->\nnew\n<!-- end -->\nb\n<!-- end -->\n"
        );
        assert!(replaced(page, "y", "").unwrap_err().to_string().contains("generated: y"));
    }

    #[test]
    fn every_command_and_every_reason_has_its_row() {
        let (commands, reasons) = (commands().unwrap(), reasons().unwrap());
        assert!(commands.contains("| 4 | `send` | client | `SendAnswer` |"), "{commands}");
        let count = DueReason::ALL.len() + HoldReason::ALL.len() + SilentReason::ALL.len();
        assert_eq!(reasons.lines().count(), 2 + count);
    }

    #[test]
    fn the_table_of_rejects_names_each() {
        let table = rejects().unwrap();
        assert_eq!(table.lines().count(), 2 + Reject::ALL.len());
        assert!(table.contains("| 31 | `rate_limited` | 429 | yes | `slow` |"), "{table}");
    }

    #[test]
    fn a_limit_is_read_with_its_value_and_meaning() {
        let source = "/// One.\npub const A: usize = 1 << 20;\n/// Two\n/// lines.\n\
            pub const B: u64 = 2 * A + (3 * 4);";
        assert_eq!(
            limit_rows(source).unwrap(),
            [["`A`", "1048576", "One."], ["`B`", "2097164", "Two lines."]]
        );
        assert!(limit_rows("const A: u64 = f();").is_err());
    }
}
